"""The ledger of a run: which datasets are whole and up to date, and why others are not.

One rule decides. A dataset that a run makes is kept if its bytes are those of its manifest and
its recipe (step, code, libraries, parameters, contents of the inputs) is today's; else it is
recomputed, unless files that no run has recorded lie in its place: then the run is refused, also
with `--force`. A dataset that a run only reads has to fulfil the same, through all steps before it;
else the run is refused. With `--force` a run makes all that it was asked for, and takes what
it only reads as it lies there, with a warning. Raw data, which no step of the analysis makes,
are taken as they are; their content enters the recipes.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from electrode_grains import __version__, tracking
from electrode_grains.errors import InputError
from electrode_grains.runs import (
    Manifest,
    Recipe,
    changed_files,
    code_digest,
    combine_digests,
    file_digests,
    library_versions,
    manifest_path,
)
from electrode_grains.runs.ownership import Claim, refuse_outside, refuse_replacing
from electrode_grains.runs.writing import remove_leftovers_in

logger = logging.getLogger(__name__)

ALL_PARAMETERS = "parameters"
FEW = 3


class Ledger:
    """What is known of the datasets on the disk.

    Parameters
    ----------
    catalog : CatalogProtocol
        Tells the files of each dataset.
    parameters : mapping
        All parameters, validated.
    steps : Pipeline
        The analysis and what else runs; what none of them makes is raw data.
    raw : collection of str
        Raw data of the analysis. Where a step makes them (a virtual particle), it replaces only
        what it has written itself and nobody has changed since.
    folder : Path, optional
        The only folder in which raw data are written.
    """

    def __init__(
        self,
        catalog: CatalogProtocol,
        parameters: Mapping[str, Any],
        steps: Pipeline,
        *,
        raw: Collection[str] = (),
        folder: Path | None = None,
    ) -> None:
        self._catalog, self._parameters = catalog, parameters
        self._raw, self._folder = frozenset(raw), folder
        self._makers = {name: node for node in steps.nodes for name in node.outputs}
        self._digests: dict[str, dict[str, str]] = {}
        self._stale: dict[str, str | None] = {}
        self._made_by: dict[str, str] = {}

    # What a run has to do

    def plan(self, pipeline: Pipeline, *, force: bool = False) -> dict[str, str]:
        """Name the steps of a pipeline that have to run, in their order, and the reason."""
        makers = {name: node for node in pipeline.nodes for name in node.outputs}
        reasons: dict[str, str] = {}
        while True:
            before = len(reasons)
            needed = {
                name: node.name
                for node in pipeline.nodes
                if node.name in reasons
                for name in node.inputs
            }
            for node in pipeline.nodes:
                if node.name in reasons:
                    continue
                anew = [n for n in node.inputs if n in makers and makers[n].name in reasons]
                in_memory = [n for n in node.outputs if n in needed and not self.places(n)]
                reason = "forced" if force else None
                if anew:
                    reason = f"{anew[0]} is recomputed"
                elif in_memory:
                    reason = f"{needed[in_memory[0]]} needs {in_memory[0]}, which no file keeps"
                elif reason is None and before == 0:
                    reason = self.why_outdated(node)
                if reason is not None:
                    reasons[node.name] = reason
            if len(reasons) == before:
                return {
                    node.name: reasons[node.name] for node in pipeline.nodes if node.name in reasons
                }

    def why_outdated(self, node: Node) -> str | None:
        """Reason to run a step, None where all that it keeps is up to date."""
        for name in node.outputs:
            if self.places(name):
                manifest = self.manifest(name)
                reason = self._why_unfit(name, manifest)
                if reason is None and manifest is not None and manifest.recipe is None:
                    reason = f"{name} was put there by a person"
                if reason is None and manifest is not None and manifest.recipe is not None:
                    reason = _few(manifest.recipe.differences(self.recipe(node)))
                if reason is not None:
                    return reason
        return None

    def check_inputs(self, pipeline: Pipeline, *, force: bool = False) -> None:
        """Refuse what a run only reads if it is damaged, unrecorded or stale.

        Raises
        ------
        InputError
            Naming the first such dataset; with `force` it is a warning instead.
        """
        for name in sorted(pipeline.inputs()):
            if name not in self._makers or not self._exists(name):
                continue
            manifest = self.manifest(name)
            unfit = self._why_unfit(name, manifest)
            reason = unfit or self._why_stale(name)
            if reason is None:
                continue
            if not force:
                raise _refusal(name, self._place(name), reason)
            logger.warning("%s is used as it lies there, although %s", name, reason)
            if unfit:
                self._write(Manifest(name, self._files(name), None, self._version()))

    def check_folders(self, names: Iterable[str]) -> None:
        """Refuse to write raw data outside the data folder.

        Raises
        ------
        RunError
            Naming the first such dataset.
        """
        for name in self._raw.intersection(names):
            if self._folder is not None:
                refuse_outside(name, self.places(name), self._folder)

    def check_outputs(self, names: Iterable[str]) -> None:
        """Refuse to replace what is not of this project's making, before anything runs.

        Parameters
        ----------
        names : iterable of str
            Datasets that will be written.

        Raises
        ------
        RunError
            Naming the first file that no manifest records or that a person put there; among raw
            data also one that was changed.
        """
        for name in names:
            paths = self.places(name)
            if not self._catalog.exists(name):  # a folder may hold other things
                paths = tuple(path for path in paths if not path.is_dir())
            if paths:
                raw = name in self._raw
                refuse_replacing(name, paths, self.manifest(name), changed_too=raw)

    def claim(self, name: str, data: Any) -> None:
        """Note that a dataset is about to be written, so that a killed writer's files are known.

        Raises
        ------
        RunError
            As `check_outputs`: files may have been put there since.
        """
        if self.places(name):
            self.check_folders([name])
            self.check_outputs([name])
            one_file = "filepath" in self._catalog.get(name)._describe()
            parts = None if one_file or name not in self._raw else data
            Claim.of(name, parts).write(self._place(name))

    def _why_stale(self, name: str) -> str | None:
        """Reason why a dataset would come out differently today, through all steps before it."""
        if name not in self._stale:
            self._stale[name] = None  # no circles in a pipeline, but steps with common inputs
            manifest = self.manifest(name)
            if manifest is not None and manifest.recipe is not None and name in self._makers:
                recipe, node = manifest.recipe, self._makers[name]
                for source in node.inputs:
                    if source in self._makers and self._exists(source):
                        before = self._why_stale(source)
                        self._stale[name] = before and f"{source} before it is stale: {before}"
                        if before:
                            return self._stale[name]
                differences = recipe.differences(self.recipe(node, recorded=recipe))
                self._stale[name] = _few(differences)
        return self._stale[name]

    # What is on the disk

    def places(self, name: str) -> tuple[Path, ...]:
        """Files and folders of a dataset, none for one in memory."""
        dataset = self._catalog.get(name, fallback_to_runtime_pattern=False)
        if hasattr(dataset, "paths"):
            return tuple(dataset.paths())
        # Datasets of Kedro itself, which the analysis reads but never writes.
        path = getattr(dataset, "_filepath", None) or getattr(dataset, "_path", None)
        return (Path(str(path)),) if path else ()

    def manifest(self, name: str) -> Manifest | None:
        """Manifest of a dataset, None where there is none."""
        manifest = Manifest.read(manifest_path(name, self._place(name)))
        return manifest if manifest is not None and manifest.dataset == name else None

    def sweep(self, pipeline: Pipeline) -> None:
        """Remove what killed runs left beside the outputs of a pipeline and their manifests."""
        places = {place for name in pipeline.all_outputs() for place in self.places(name)}
        manifests = {manifest_path("any", place) for place in places}
        for folder in {path.parent for path in places | manifests}:
            remove_leftovers_in(folder)

    def verify(self, name: str) -> None:
        """Refuse a dataset that is not what its step wrote, at the moment it is loaded.

        Raises
        ------
        InputError
            If files are lost, unrecorded or changed.
        """
        if name in self._makers and self._exists(name):
            self._digests.pop(name, None)
            reason = self._why_unfit(name, self.manifest(name))
            if reason is not None:
                raise _refusal(name, self._place(name), reason)

    def record(self, name: str, node: Node, data: Any) -> None:
        """Write the manifest of a dataset that a step has just saved."""
        if self.places(name):
            self._digests.pop(name, None)
            recipe = self.recipe(node)
            manifest = Manifest(name, self._files(name), recipe, self._version(), _schema(data))
            self._write(manifest)
            Claim(name, None).remove(self._place(name))

    def recipe(self, node: Node, recorded: Recipe | None = None) -> Recipe:
        """All that decides today what a step writes; what is missing is as it was recorded."""
        parameters: dict[str, Any] = {}
        inputs: dict[str, str] = {}
        for name in sorted(set(node.inputs)):
            if name == ALL_PARAMETERS:
                parameters |= dict(tracking.flatten(self._parameters))
            elif name.startswith("params:"):
                key = name.removeprefix("params:")
                parameters |= dict(tracking.flatten(self._parameter(key), key))
            elif self.places(name):
                if recorded is not None and not self._exists(name) and name in recorded.inputs:
                    inputs[name] = recorded.inputs[name]
                else:
                    inputs[name] = combine_digests(self._files(name))
            elif name in self._makers:  # in memory: what it is made from stands for it
                node_before = self._makers[name]
                maker = self.recipe(node_before, recorded and self._recorded(node_before))
                inputs[name] = combine_digests(
                    {"code": maker.code, "rest": repr((maker.parameters, maker.inputs))}
                )
        function = node.func
        return Recipe(
            step=f"{function.__module__}.{getattr(function, '__qualname__', node.name)}",
            code=code_digest(self._modules(node)),
            libraries=library_versions(),
            parameters=_with_files(json.loads(json.dumps(parameters, default=str))),
            inputs=inputs,
        )

    def _recorded(self, node: Node) -> Recipe | None:
        """Recipe that a step left with something that it keeps."""
        kept = (self.manifest(name) for name in node.outputs if self.places(name))
        return next((manifest.recipe for manifest in kept if manifest is not None), None)

    def _modules(self, node: Node) -> set[str]:
        """Modules of a step (nodes, settings, flow) and of the datasets that it writes."""
        package = node.func.__module__.rpartition(".")[0]
        modules = {node.func.__module__, f"{package}.pipeline", f"{package}.settings"}
        for name in node.outputs:
            if self.places(name):
                modules.add(type(self._catalog.get(name)).__module__)
        return modules

    def _parameter(self, key: str) -> Any:
        value: Any = self._parameters
        for part in key.split("."):
            value = value[part] if isinstance(value, Mapping) else getattr(value, part)
        return value

    def _why_unfit(self, name: str, manifest: Manifest | None) -> str | None:
        """Reason why the bytes on the disk are not those of a step."""
        if not self._exists(name):
            return f"{name} is missing"
        if manifest is None:
            return f"{name} is unrecorded: no run of this project has written it"
        changed = changed_files(manifest.files, self._files(name))
        return f"{name} was changed since it was made: {_few(iter(changed))}" if changed else None

    def _exists(self, name: str) -> bool:
        places = self.places(name)
        return bool(places) and all(place.exists() for place in places)

    def _place(self, name: str) -> Path:
        return self.places(name)[0]

    def _files(self, name: str) -> dict[str, str]:
        if name not in self._digests:
            self._digests[name] = file_digests(self.places(name))
        return self._digests[name]

    def _write(self, manifest: Manifest) -> None:
        manifest.write(manifest_path(manifest.dataset, self._place(manifest.dataset)))

    def _version(self) -> dict[str, str]:
        if not self._made_by:
            self._made_by = {"version": __version__, **tracking.code_version(Path.cwd())}
        return self._made_by


def _with_files(parameters: dict[str, Any]) -> dict[str, Any]:
    """Add the content of a file or folder that a parameter names."""
    named = {
        f"content of {name}": combine_digests(file_digests([Path(value)]))
        for name, value in parameters.items()
        if isinstance(value, str) and os.sep in value and Path(value).exists()
    }
    return {**parameters, **named}


def _schema(data: Any) -> dict[str, Any]:
    """Outline of what was saved: columns, dimensions or keys, with types."""
    if hasattr(data, "dtypes") and hasattr(data, "columns"):
        columns = {str(name): str(kind) for name, kind in data.dtypes.items()}
        return {"rows": len(data), "columns": columns}
    if hasattr(data, "dims") and hasattr(data, "dtype"):
        return {"dims": list(data.dims), "shape": list(data.shape), "dtype": str(data.dtype)}
    if isinstance(data, Mapping):
        return {"keys": sorted(map(str, data))}
    return {"type": type(data).__name__}


def _few(reasons: Iterator[str]) -> str | None:
    listed = list(reasons)
    if len(listed) > FEW:
        listed[FEW:] = [f"{len(listed) - FEW} more"]
    return ", ".join(listed) or None


def _refusal(name: str, place: Path, reason: str) -> InputError:
    return InputError(
        f"{name} cannot be trusted",
        where=str(place),
        found=reason,
        expected="what the steps before would write today",
        remedy="run the pipeline that makes it, too (kedro run without --pipelines runs all); "
        "--force uses it as it is",
    )
