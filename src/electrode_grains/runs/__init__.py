"""Runs that lose nothing: whole writes, manifests, a plan of what is outdated, a lock.

This package knows no project: a `RunConfiguration` says whose code counts and where data lie.
Kedro is imported by `hooks`, `session`, `store` and what builds on them alone.
"""

from electrode_grains.runs.content import (
    ABSENT,
    changed_files,
    combine_digests,
    file_digests,
)
from electrode_grains.runs.lock import one_run, refuse_if_held
from electrode_grains.runs.manifest import Manifest, Recipe, manifest_path
from electrode_grains.runs.sources import ProjectCode, code_version
from electrode_grains.runs.writing import atomic_write

__all__ = [
    "ABSENT",
    "Manifest",
    "ProjectCode",
    "Recipe",
    "atomic_write",
    "changed_files",
    "code_version",
    "combine_digests",
    "file_digests",
    "manifest_path",
    "one_run",
    "refuse_if_held",
]
