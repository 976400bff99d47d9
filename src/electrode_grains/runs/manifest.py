"""Manifests: a small JSON file for each dataset, in the folder `.manifests` beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from electrode_grains.runs.writing import atomic_write

FOLDER = ".manifests"
SCHEMA_VERSION = 1
SHOWN = 60
# Options of the catalog that name classes and functions of the code.
CLASSES = (".type", ".model", ".validator")


@dataclass(frozen=True)
class Recipe:
    """All that decides what a step writes.

    Attributes
    ----------
    step : str
        Function that computes it, with its module.
    code : str
        Digest of the sources that the step reaches.
    libraries : mapping
        Versions of the packages whose numbers enter.
    parameters : mapping
        Leaves of the parameters that the step takes.
    inputs : mapping
        Digest of the content of each dataset that the step reads.
    """

    step: str
    code: str
    libraries: Mapping[str, str]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]

    def differences(self, now: Recipe, *, by_code: bool = True) -> Iterator[str]:
        """Say in which respects today's recipe is another.

        Parameters
        ----------
        now : Recipe
        by_code : bool
            Whether other code and other versions of libraries count; if not, inputs and
            parameters that only one of two versions of the code knows do not count either.

        Examples
        --------
        >>> old = Recipe("nodes.fit", "aa", {}, {"fit.seed": 1}, {"grains": "11"})
        >>> new = Recipe("nodes.fit", "bb", {}, {"fit.seed": 2}, {"grains": "22"})
        >>> list(old.differences(new))
        ['grains changed', 'fit.seed: 1 -> 2', 'the code changed']
        """
        if not by_code and self.code != now.code:
            yield from self._common(now).differences(now._common(self))
            return
        for name in sorted(self.inputs.keys() | now.inputs.keys()):
            if self.inputs.get(name) != now.inputs.get(name):
                yield f"{name} changed"
        yield from _changes(self.parameters, now.parameters)
        if (self.step, self.code) != (now.step, now.code):
            yield "the code changed"
        yield from _changes(self.libraries, now.libraries)

    def _common(self, other: Recipe) -> Recipe:
        """What another recipe knows as well."""
        return Recipe(
            step="",
            code="",
            libraries={},
            parameters={
                key: value
                for key, value in self.parameters.items()
                if key in other.parameters and not key.endswith(CLASSES)
            },
            inputs={k: v for k, v in self.inputs.items() if k in other.inputs},
        )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield f"{name}: {str(old)[:SHOWN]} -> {str(new)[:SHOWN]}"


@dataclass(frozen=True)
class Manifest:
    """What lies on the disk under a dataset's name.

    Attributes
    ----------
    dataset : str
        Name in the catalog.
    files : mapping
        Digest of each file.
    recipe : Recipe or None
        What it was made from; None for a file that a person put there and asked to use.
    made_by : mapping
        Version and commit of the project.
    schema : mapping
        Shape, columns or keys of the data.
    cost : mapping
        What its step took, see `Cost`.
    former : mapping
        Digest of each file that runs wrote before under this name, and the last one did not.
    """

    dataset: str
    files: Mapping[str, str]
    recipe: Recipe | None
    made_by: Mapping[str, str] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)
    former: Mapping[str, str] = field(default_factory=dict)

    def own_files(self) -> dict[str, str]:
        """Digest of each file that a run has written under this name, now or before."""
        return {**self.former, **self.files}

    def write(self, path: Path) -> None:
        """Write the manifest in one step."""
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        with atomic_write(path) as (partial,):
            partial.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> Manifest | None:
        """Read a manifest; None where there is none, or none that can be read."""
        try:
            content = json.loads(path.read_text("utf-8"))
            if content.pop("schema_version") != SCHEMA_VERSION:
                return None
            recipe = content.pop("recipe")
            return cls(recipe=Recipe(**recipe) if recipe else None, **content)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


def outline(data: Any) -> dict[str, Any]:
    """Outline of data for a manifest: columns, dimensions or keys, with types.

    Examples
    --------
    >>> outline({"b": 1, "a": 2})
    {'keys': ['a', 'b']}
    """
    if hasattr(data, "dtypes") and hasattr(data, "columns"):
        columns = {str(name): str(kind) for name, kind in data.dtypes.items()}
        return {"rows": len(data), "columns": columns}
    if hasattr(data, "dims") and hasattr(data, "dtype"):
        return {"dims": list(data.dims), "shape": list(data.shape), "dtype": str(data.dtype)}
    if isinstance(data, Mapping):
        return {"keys": sorted(map(str, data))}
    return {"type": type(data).__name__}


def manifest_path(dataset: str, place: Path) -> Path:
    """Where the manifest of a dataset lies.

    Examples
    --------
    >>> manifest_path("grain_table", Path("data/07_model_output/grain_table.parquet")).as_posix()
    'data/07_model_output/.manifests/grain_table.json'
    """
    return place.parent / FOLDER / f"{dataset}.json"
