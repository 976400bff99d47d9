"""Files and manifests of the datasets of a catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol

from electrode_grains.runs.content import changed_files, file_digests
from electrode_grains.runs.manifest import Manifest, manifest_path

# Keys of a catalog entry that say where data lie or how they are shown, not what they are.
NO_OPTIONS = ("filepath", "path", "metadata")


FEW = 3


class DatasetStore:
    """What the datasets of a catalog are on the disk.

    Parameters
    ----------
    catalog : CatalogProtocol
        A dataset tells its files by a method `paths`.
    """

    def __init__(self, catalog: CatalogProtocol[Any, Any]) -> None:
        self._catalog = catalog

    def paths(self, name: str) -> tuple[Path, ...]:
        """Files and folders of a dataset, none for one in memory."""
        dataset = self._catalog.get(name, fallback_to_runtime_pattern=False)
        if dataset is not None and hasattr(dataset, "paths"):
            return tuple(dataset.paths())
        # Datasets of Kedro itself.
        path = getattr(dataset, "_filepath", None) or getattr(dataset, "_path", None)
        return (Path(str(path)),) if path else ()

    def first_path(self, name: str) -> Path:
        """The path that names a dataset to a user, and beside which its manifest lies."""
        return self.paths(name)[0]

    def exists(self, name: str) -> bool:
        """Whether all files of a dataset are there."""
        paths = self.paths(name)
        return bool(paths) and all(path.exists() for path in paths)

    def replaced_paths(self, name: str) -> tuple[Path, ...]:
        """Existing paths that writing a dataset would replace."""
        paths = self.paths(name)
        existing = tuple(path for path in paths if path.exists())
        # A folder of slices without slices may hold other things, which stay there.
        if existing == paths and not self._catalog.exists(name):
            return tuple(path for path in existing if not path.is_dir())
        return existing

    def digests(self, name: str) -> dict[str, str]:
        """Digest of each file of a dataset."""
        return file_digests(self.paths(name))

    def manifest(self, name: str) -> Manifest | None:
        """Manifest of a dataset, None where there is none."""
        manifest = Manifest.read(manifest_path(name, self.first_path(name)))
        return manifest if manifest is not None and manifest.dataset == name else None

    def write(self, manifest: Manifest) -> None:
        """Write the manifest of a dataset."""
        manifest.write(manifest_path(manifest.dataset, self.first_path(manifest.dataset)))

    def integrity_error(self, name: str, manifest: Manifest | None) -> str | None:
        """Reason why the bytes on the disk are not those of a step, None where they are."""
        if not self.exists(name):
            return f"{name} is missing"
        if manifest is None:
            return f"{name} is unrecorded: no run of this project has written it"
        changed = changed_files(manifest.files, self.digests(name))
        return f"{name} was changed since it was made: {few(changed)}" if changed else None

    def entry(self, name: str) -> Mapping[str, Any]:
        """Entry of the catalog for a dataset that files keep."""
        dataset = self._catalog.get(name, fallback_to_runtime_pattern=False)
        if dataset is None or not self.paths(name):
            return {}
        validators = getattr(self._catalog, "validators", {})  # Kedro keeps these apart
        validator = {"validator": validators[name]} if name in validators else {}
        entry = dict(dataset._init_config())
        while "kwargs" in entry:  # where a class inherits its constructor
            inner = entry.pop("kwargs")
            entry.pop("args", None)
            entry |= inner
        return {**entry, **validator}

    def options(self, name: str) -> dict[str, Any]:
        """Keys of a catalog entry that may change what is read or written."""
        return {key: value for key, value in self.entry(name).items() if key not in NO_OPTIONS}


def few(reasons: Sequence[str]) -> str | None:
    """The first of some reasons, None where there is none.

    Examples
    --------
    >>> few(["a", "b", "c", "d", "e"])
    'a, b, c, 2 more'
    """
    listed = list(reasons)
    if len(listed) > FEW:
        listed[FEW:] = [f"{len(listed) - FEW} more"]
    return ", ".join(listed) or None
