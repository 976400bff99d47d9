"""What a file holds, and what it was made from: contents, recipes, manifests, the lock of a run.

This room knows files and numbers, nothing of Kedro; `electrode_grains.runs.ledger` joins the two.
"""

from electrode_grains.runs.content import (
    ABSENT,
    changed_files,
    combine_digests,
    file_digests,
)
from electrode_grains.runs.lock import one_run, refuse_if_held
from electrode_grains.runs.manifest import Manifest, Recipe, manifest_path
from electrode_grains.runs.sources import code_digest, library_versions

__all__ = [
    "ABSENT",
    "Manifest",
    "Recipe",
    "changed_files",
    "code_digest",
    "combine_digests",
    "file_digests",
    "library_versions",
    "manifest_path",
    "one_run",
    "refuse_if_held",
]
