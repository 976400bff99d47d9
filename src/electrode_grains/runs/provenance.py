"""Which datasets are whole and up to date, and why others are not.

One rule decides. A dataset that a run makes is kept if its bytes are those of its manifest and
its recipe (step, code, libraries, parameters, options of the catalog, contents of the inputs) is
today's; else it is recomputed, unless files that no run has recorded lie in its place: then the
run is refused, also with `--force`. A dataset that a run only reads has to fulfil the same, through
all steps before it; else the run is refused. With `--force` a run makes all that it was asked for,
and takes what it only reads as it lies there, with a warning. Raw data, which no step of the
analysis makes, are taken as they are; their content enters the recipes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from electrode_grains.errors import InputError
from electrode_grains.runs.configuration import RunConfiguration
from electrode_grains.runs.manifest import FOLDER, Manifest, manifest_path
from electrode_grains.runs.ownership import refuse_outside, refuse_replacing
from electrode_grains.runs.recipes import RecipeBuilder
from electrode_grains.runs.sources import code_version
from electrode_grains.runs.store import DatasetStore, few
from electrode_grains.runs.writing import remove_leftovers_in

logger = logging.getLogger(__name__)


class Provenance:
    """What is known of the datasets on the disk.

    Parameters
    ----------
    catalog : CatalogProtocol
        Tells the files of each dataset.
    parameters : mapping
        All parameters, validated.
    steps : Pipeline
        The analysis and what else runs; what none of them makes is raw data.
    configuration : RunConfiguration
    folder : Path
        The data folder: the only one in which raw data are ever written.
    raw : collection of str
        Raw data of the analysis. Where a step makes them, it replaces only what it has written
        itself and nobody has changed since.
    by_code : bool
        Whether results of other code or other libraries are stale.
    disregard : collection of str
        Datasets whose change makes nothing stale, for who accounts for it.
    """

    def __init__(
        self,
        catalog: CatalogProtocol[Any, Any],
        parameters: Mapping[str, Any],
        steps: Pipeline,
        configuration: RunConfiguration,
        *,
        folder: Path,
        raw: Collection[str] = (),
        by_code: bool = True,
        disregard: Collection[str] = (),
    ) -> None:
        self.store = DatasetStore(catalog)
        self.recipes = RecipeBuilder(self.store, parameters, steps, configuration.code)
        self.folder, self.raw = folder, frozenset(raw)
        self._version, self._by_code = configuration.version, by_code
        self._disregard = frozenset(disregard)
        self._made_by: dict[str, str] = {}
        self._stale: dict[str, str | None] = {}

    # What a run only reads

    def check_inputs(self, names: Iterable[str], *, force: bool = False) -> None:
        """Refuse results that are damaged, unrecorded or stale.

        Parameters
        ----------
        names : iterable of str
            Datasets that are read; raw data, and results that do not exist, are passed over.
        force : bool
            Take them as they are, with a warning.

        Raises
        ------
        InputError
            Naming the first such dataset.
        """
        for name in sorted(names):
            if name not in self.recipes.makers or not self.store.exists(name):
                continue
            damage = self.store.integrity_error(name, self.store.manifest(name))
            reason = damage or self.stale_reason(name)
            if reason is None:
                continue
            if not force:
                raise self._refusal(name, reason)
            logger.warning("%s is used as it is, although %s", name, reason)
            if damage:
                self.store.write(
                    Manifest(name, self.store.digests(name), None, dict(self.made_by()))
                )

    def verify(self, name: str) -> None:
        """Refuse a result that is not what its step wrote, at the moment it is loaded.

        Raises
        ------
        InputError
            If files are lost, unrecorded or changed.
        """
        if name in self.recipes.makers and self.store.exists(name):
            reason = self.store.integrity_error(name, self.store.manifest(name))
            if reason is not None:
                raise self._refusal(name, reason)

    def stale_reason(self, name: str) -> str | None:
        """Reason why a dataset would come out differently today, through all steps before it."""
        if name not in self._stale:
            self._stale[name] = None  # no circles in a pipeline, but steps with common inputs
            manifest = self.store.manifest(name)
            if manifest is not None and manifest.recipe is not None and name in self.recipes.makers:
                recipe, node = manifest.recipe, self.recipes.makers[name]
                steps = (node, *self.recipes.makers_in_memory(node))
                for source in (name for step in steps for name in step.inputs):
                    if source in self.recipes.makers and self.store.exists(source):
                        before = self.stale_reason(source)
                        if before:
                            self._stale[name] = f"{source} before it is stale: {before}"
                            return self._stale[name]
                known = {k: v for k, v in recipe.inputs.items() if k in self._disregard}
                today = self.recipes.build(node, recorded=recipe, loaded=known)
                self._stale[name] = few(list(recipe.differences(today, by_code=self._by_code)))
        return self._stale[name]

    def outdated_reason(self, node: Node) -> str | None:
        """Reason to run a step, None where all that it keeps is up to date."""
        for name in node.outputs:
            if not self.store.paths(name):
                continue
            manifest = self.store.manifest(name)
            reason = self.store.integrity_error(name, manifest)
            if reason is None and manifest is not None:
                if manifest.recipe is None:
                    reason = f"{name} was put there by a person"
                else:
                    reason = few(list(manifest.recipe.differences(self.recipes.build(node))))
            if reason is not None:
                return reason
        return None

    # What a run writes

    def check_folders(self, names: Iterable[str]) -> None:
        """Refuse to write raw data outside the data folder.

        Raises
        ------
        RunError
            Naming the first such dataset.
        """
        for name in sorted(self.raw.intersection(names)):
            refuse_outside(name, self.store.paths(name), self.folder)

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
            if paths := self.store.replaced_paths(name):
                refuse_replacing(
                    name,
                    paths,
                    self.store.manifest(name),
                    folder=self.folder,
                    changed_too=name in self.raw,
                )

    def remove_leftovers(self, names: Iterable[str]) -> None:
        """Remove what killed runs left beside some datasets, their manifests and claims."""
        paths = {path for name in names for path in self.store.paths(name)}
        manifests = {manifest_path("any", path) for path in paths}
        for folder in {self.folder / FOLDER, *(path.parent for path in paths | manifests)}:
            remove_leftovers_in(folder)

    def made_by(self) -> Mapping[str, str]:
        """Version and commit of the project."""
        if not self._made_by:
            self._made_by = {"version": self._version, **code_version(Path.cwd())}
        return self._made_by

    def _refusal(self, name: str, reason: str) -> InputError:
        return InputError(
            f"{name} cannot be trusted",
            where=str(self.store.first_path(name)),
            found=reason,
            expected="what the steps before would write today, with the settings of conf",
            remedy="kedro run computes it again, and what follows from it; to keep results of "
            "other settings, write these into conf/local/parameters.yml or give the same --params "
            "again; kedro run --force uses it as it is",
        )
