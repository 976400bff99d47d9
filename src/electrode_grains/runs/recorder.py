"""What a run records while it runs: what was loaded, what is written, and what a step took."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from electrode_grains.errors import RunError
from electrode_grains.runs.content import combine_digests
from electrode_grains.runs.machine import cpu_seconds, peak_memory, this_machine
from electrode_grains.runs.manifest import Manifest, Recipe, outline
from electrode_grains.runs.ownership import Claim
from electrode_grains.runs.provenance import Provenance
from electrode_grains.runs.store import DatasetStore

logger = logging.getLogger(__name__)


class InputChangedError(RunError):
    """Something was changed while the step that reads it was at work."""


@dataclass(frozen=True)
class Cost:
    """What a step took on a machine."""

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    machine: str


def earlier_seconds(store: DatasetStore, pipeline: Pipeline) -> dict[str, float]:
    """Seconds that steps took on this machine before, for those that it knows."""
    seconds = {}
    for node in pipeline.nodes:
        kept = (store.manifest(name) for name in node.outputs if store.paths(name))
        costs = (manifest.cost for manifest in kept if manifest is not None)
        for cost in costs:
            if cost.get("machine") == this_machine():
                seconds[node.name] = float(cost["seconds"])
                break
    return seconds


class RunRecorder:
    """Digests what a step loads, refuses what moved, and writes manifests.

    Parameters
    ----------
    provenance : Provenance
    """

    def __init__(self, provenance: Provenance) -> None:
        self._provenance, self._store = provenance, provenance.store
        self._loaded: dict[tuple[str, str], str] = {}
        self._settings: dict[str, Mapping[str, Any]] = {}
        self._begun: dict[str, tuple[float, float]] = {}
        self._costs: dict[str, Cost] = {}
        self._recipes: dict[str, Recipe] = {}

    def before_load(self, node: Node, name: str) -> None:
        """Refuse what is damaged, and digest it."""
        self._provenance.verify(name)
        if self._store.paths(name):
            self._loaded[node.name, name] = combine_digests(self._store.digests(name))

    def after_load(self, node: Node, name: str) -> None:
        """Refuse what changed while it was loaded."""
        self._refuse_changed(node, [name])

    def begin(self, node: Node) -> None:
        """Note the settings with which a step begins, files that they name included."""
        self._settings[node.name] = self._provenance.recipes.settings(node)
        self._begun[node.name] = (time.monotonic(), cpu_seconds())

    def end(self, node: Node) -> None:
        """Note what a step took."""
        wall, cpu = self._begun[node.name]
        self._costs[node.name] = Cost(
            seconds=round(time.monotonic() - wall, 3),
            cpu_seconds=round(cpu_seconds() - cpu, 3),
            peak_memory_mb=round(peak_memory() / 2**20, 1),
            machine=this_machine(),
        )

    def before_save(self, node: Node, name: str, data: Any) -> None:
        """Refuse to write what was made from inputs that moved; claim the files.

        Raises
        ------
        InputChangedError
            If an input, or a file that a setting names, changed since it was loaded.
        RunError
            If files that are not of this project's making lie there.
        """
        if node.name not in self._recipes:  # before the first output: then nothing is written
            self._refuse_changed(node, sorted(set(node.inputs)))
            self._recipes[node.name] = self._recipe(node)
        if self._store.paths(name):
            self._provenance.check_folders([name])
            self._provenance.check_outputs([name])
            by_parts = name in self._provenance.raw and "path" in self._store.entry(name)
            Claim.of(name, data, by_parts=by_parts).write(self._provenance.folder)

    def after_save(self, node: Node, name: str, data: Any) -> None:
        """Write the manifest of what a step has just saved."""
        if self._store.paths(name):
            cost, files = self._costs.get(node.name), self._store.digests(name)
            before = self._store.manifest(name)
            former = {} if before is None else before.own_files()
            self._store.write(
                Manifest(
                    name,
                    files,
                    self._recipes[node.name],
                    self._provenance.made_by(),
                    outline(data),
                    asdict(cost) if cost else {},
                    {file: digest for file, digest in former.items() if file not in files},
                )
            )
            Claim(name).remove(self._provenance.folder)

    def _recipe(self, node: Node) -> Recipe:
        recipes = self._provenance.recipes
        steps = {each.name for each in (node, *recipes.makers_in_memory(node))}
        loaded: dict[str, str] = {}
        for (step, name), digest in self._loaded.items():  # the first to load something counts
            if step in steps:
                loaded.setdefault(name, digest)
        recipe = recipes.build(node, loaded=loaded)
        before = self._settings.get(node.name, recipe.parameters)
        for name in before:
            if before[name] != recipe.parameters.get(name):
                raise _changed(node, name.removeprefix("content of "))
        return recipe

    def _refuse_changed(self, node: Node, names: Iterable[str]) -> None:
        for name in names:
            digest = self._loaded.get((node.name, name))
            if digest is not None and digest != combine_digests(self._store.digests(name)):
                raise _changed(node, name, str(self._store.first_path(name)))


def _changed(node: Node, name: str, where: str | None = None) -> InputChangedError:
    return InputChangedError(
        f"{name} was changed while {node.name} was at work with it",
        where=where,
        found="other content than when it was loaded",
        expected="inputs that stay as they are while a step reads them",
        remedy="run again once nobody changes it; nothing was recorded of this step",
    )
