"""Today's recipe of a step: all that decides what it writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from electrode_grains.base import flatten
from electrode_grains.runs.content import combine_digests, file_digests
from electrode_grains.runs.manifest import Recipe
from electrode_grains.runs.sources import ProjectCode
from electrode_grains.runs.store import DatasetStore

ALL_PARAMETERS = "parameters"
WITHOUT_EFFECT = "params:compute"
"""Who computes blocks: results do not depend on it."""


class RecipeBuilder:
    """Builds recipes of steps.

    Parameters
    ----------
    store : DatasetStore
    parameters : mapping
        All parameters, validated.
    steps : Pipeline
        The analysis and what else runs; what none of them makes is raw data.
    code : ProjectCode
    """

    def __init__(
        self,
        store: DatasetStore,
        parameters: Mapping[str, Any],
        steps: Pipeline,
        code: ProjectCode,
    ) -> None:
        self._store, self._parameters, self._code = store, parameters, code
        self.makers = {name: node for node in steps.nodes for name in node.outputs}

    def build(
        self,
        node: Node,
        *,
        recorded: Recipe | None = None,
        loaded: Mapping[str, str] | None = None,
    ) -> Recipe:
        """Build the recipe of a step, together with those whose results it gets in memory.

        Parameters
        ----------
        node : Node
        recorded : Recipe, optional
            Gives the content of inputs that are no longer there.
        loaded : mapping of str to str, optional
            Digests of inputs at the moment when they were loaded.
        """
        nodes = [node, *self.makers_in_memory(node)]
        inputs = {name for each in nodes for name in each.inputs if self._is_kept(name)}
        known = {**(loaded or {})}
        for name in inputs - set(known):
            is_lost = not self._store.exists(name)
            if recorded is not None and is_lost and name in recorded.inputs:
                known[name] = recorded.inputs[name]
            else:
                known[name] = combine_digests(self._store.digests(name))
        function = node.func
        return Recipe(
            step=f"{function.__module__}.{getattr(function, '__qualname__', node.name)}",
            code=self._code.digest({module for each in nodes for module in self._modules(each)}),
            libraries=self._code.library_versions(),
            parameters={k: v for each in nodes for k, v in self.settings(each).items()},
            inputs={name: known[name] for name in sorted(inputs)},
        )

    def makers_in_memory(self, node: Node) -> list[Node]:
        """Steps that make what a step reads and no file keeps, and what these read in turn."""
        makers: dict[str, Node] = {}
        waiting = [node]
        while waiting:
            for name in waiting.pop().inputs:
                maker = self.makers.get(name)
                if maker is not None and not self._is_kept(name) and maker.name not in makers:
                    makers[maker.name] = maker
                    waiting.append(maker)
        return list(makers.values())

    def _is_kept(self, name: str) -> bool:
        return not _is_parameter(name) and bool(self._store.paths(name))

    def settings(self, node: Node) -> dict[str, Any]:
        """Parameters of a step, the files that they name, and options of the catalog."""
        parameters: dict[str, Any] = {}
        for name in sorted(set(node.inputs)):
            if name == ALL_PARAMETERS:
                parameters |= dict(flatten(self._parameters))
            elif name.startswith("params:") and name != WITHOUT_EFFECT:
                key = name.removeprefix("params:")
                parameters |= dict(flatten(self._parameter(key), key))
        options = {
            f"catalog.{name}": self._store.options(name)
            for name in sorted({*node.inputs, *node.outputs})
            if not _is_parameter(name)
        }
        plain = json.loads(json.dumps({**parameters, **dict(flatten(options))}, default=str))
        return {**plain, **_contents_of_files(parameters)}

    def _modules(self, node: Node) -> set[str]:
        """Modules of a step (nodes, settings, flow) and of the datasets that it writes."""
        package = node.func.__module__.rpartition(".")[0]
        modules = {node.func.__module__, f"{package}.pipeline", f"{package}.settings"}
        for name in node.outputs:
            modules |= set(_named_modules(self._store.options(name).values()))
        return modules

    def _parameter(self, key: str) -> Any:
        value: Any = self._parameters
        for part in key.split("."):
            value = value[part] if isinstance(value, Mapping) else getattr(value, part)
        return value


def _is_parameter(name: str) -> bool:
    return name == ALL_PARAMETERS or name.startswith("params:")


def _named_modules(values: Iterable[Any]) -> Iterable[str]:
    """Modules of the classes and functions that options name, such as ``package.module.Class``."""
    return (value.rpartition(".")[0] for value in values if isinstance(value, str) and "." in value)


def _contents_of_files(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Content of the files and folders that parameters name."""
    return {
        f"content of {name}": combine_digests(file_digests([Path(value)]))
        for name, value in parameters.items()
        if isinstance(value, str) and os.sep in value and _exists(Path(value))
    }


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text that is too long for a path
        return False
