"""What a file holds, and what it was made from: contents, recipes, manifests, the lock of a run.

This room knows files and numbers, nothing of Kedro; `electrode_grains.ledger` joins the two.
"""

from electrode_grains.manifests.content import (
    ABSENT,
    changed_files,
    combine_digests,
    file_digests,
)
from electrode_grains.manifests.lock import one_run, refuse_if_held
from electrode_grains.manifests.manifest import Manifest, Recipe, manifest_path
from electrode_grains.manifests.sources import code_digest, library_versions

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
