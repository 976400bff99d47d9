"""A Kedro session that holds the data folder, and skips what is up to date."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from kedro.config import AbstractConfigLoader
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline

from electrode_grains.errors import SettingsError
from electrode_grains.runs.configuration import RunConfiguration
from electrode_grains.runs.lock import one_run
from electrode_grains.runs.plan import FORCED, RECOMPUTED, plan_steps
from electrode_grains.runs.project import open_provenance
from electrode_grains.runs.recorder import InputChangedError

logger = logging.getLogger(__name__)

FORCE = "force"


class IncrementalSession(KedroSession):
    """Runs those steps whose results are not on the disk already.

    The steps are chosen before Kedro's own run begins, so that hooks (MLflow, prerequisites)
    see only what is computed, and a run with nothing to do opens nothing. A project derives a
    class with its `configuration`.
    """

    configuration: ClassVar[RunConfiguration]
    _force, _by_code = False, True
    _entry_options: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    @classmethod
    def create(
        cls,
        *args: Any,
        runtime_params: dict[str, Any] | None = None,
        entry_options: Mapping[str, Mapping[str, Any]] | None = None,
        by_code: bool = True,
        **options: Any,
    ) -> IncrementalSession:
        """Begin a session.

        Parameters
        ----------
        *args, **options : Any
            Of `KedroSession.create`.
        runtime_params : dict, optional
            `force` among them is the session's own, not the pipelines'.
        entry_options : mapping, optional
            Options of entries of the catalog by name, in place of those of the configuration.
        by_code : bool
            Whether results of other code or other libraries are refused as inputs.
        """
        given = dict(runtime_params or {})
        force = given.pop(FORCE, False)
        session = super().create(*args, **{**options, "runtime_params": given})
        assert isinstance(session, cls)  # for the type checker
        session._force, session._by_code = bool(force), by_code
        session._entry_options = entry_options or {}
        return session

    def _get_config_loader(self) -> AbstractConfigLoader:
        loader = super()._get_config_loader()
        if self._entry_options:
            loader["catalog"] = {
                name: {**entry, **self._entry_options.get(name, {})}
                for name, entry in loader["catalog"].items()
            }
        return loader

    def run(  # type: ignore[override]  # further options are Kedro's
        self,
        pipeline_name: str | None = None,
        pipeline_names: list[str] | None = None,
        node_names: Iterable[str] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Run what is not up to date, with the options of `KedroSession.run`.

        A run whose inputs are changed while a step works with them begins once more.
        """
        names = pipeline_names or ([pipeline_name] if pipeline_name else [])
        context = self.load_context()
        own = self.configuration
        with one_run(own.data_folder(Path(context.project_path), context.config_loader)):
            own.check_parameters(context.config_loader["parameters"], pipelines.values())
            asked = asked_steps(names or [own.analysis], node_names, options)
            try:
                return self._run_outdated(asked, names, node_names, options)
            except InputChangedError as error:
                logger.warning("%s; the run begins once more", error.message)
                return self._run_outdated(asked, names, node_names, options)

    def _run_outdated(
        self,
        asked: Pipeline,
        names: list[str],
        node_names: Iterable[str] | None,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        provenance = open_provenance(
            self.load_context(), self.configuration, asked, by_code=self._by_code
        )
        provenance.check_folders(asked.all_outputs())
        provenance.remove_leftovers(asked.all_outputs())
        provenance.check_inputs(asked.inputs(), force=self._force)
        reasons = plan_steps(provenance, asked, force=self._force)
        provenance.check_outputs(
            name for node in asked.nodes if node.name in reasons for name in node.outputs
        )
        _log_plan(asked, reasons)
        if not reasons:
            return {}
        # Named only where some are skipped: Kedro-Viz takes a run by names for a part of one.
        if len(reasons) < len(asked.nodes):
            node_names = list(reasons)
        result: dict[str, Any] = super().run(pipeline_names=names, node_names=node_names, **options)
        return result


def asked_steps(
    names: Iterable[str], node_names: Iterable[str] | None, options: Mapping[str, Any]
) -> Pipeline:
    """Steps that options name, as `KedroSession.run` takes them.

    Raises
    ------
    SettingsError
        If the options name a step, a dataset or a tag that the pipelines lack.
    """
    filters = ("tags", "from_nodes", "to_nodes", "from_inputs", "to_outputs")
    chosen = {"node_names": list(node_names or []) or None}
    chosen |= {option: options.get(option) for option in filters}
    whole = sum((pipelines[name] for name in names), Pipeline([]))
    try:
        return whole.filter(node_namespaces=options.get("namespaces"), **chosen)
    except ValueError as error:
        raise _unknown(whole, chosen, str(error)) from None


def _unknown(whole: Pipeline, chosen: Mapping[str, Any], reason: str) -> SettingsError:
    """Name the first step or dataset that a pipeline lacks, and those that are alike."""
    steps, datasets = [node.name for node in whole.nodes], sorted(whole.datasets())
    for option, names in chosen.items():
        known = datasets if option in ("from_inputs", "to_outputs") else steps
        for name in names or () if option != "tags" else ():
            if name not in known:
                alike = get_close_matches(name, known, n=3) or known
                return SettingsError(
                    "the pipelines that were asked for have no such "
                    + ("dataset" if known is datasets else "step"),
                    where=f"--{option.replace('_', '-').replace('node-names', 'nodes')}",
                    found=name,
                    expected=", ".join(alike),
                )
    if chosen["tags"]:
        tags = sorted({tag for node in whole.nodes for tag in node.tags})
        return SettingsError(
            "no step has such a tag",
            found=f"--tags {','.join(chosen['tags'])}",
            expected=", ".join(tags) or "no tags: name steps with --nodes, or --pipelines",
        )
    return SettingsError("the options name no step", found=reason)


def _log_plan(asked: Pipeline, reasons: Mapping[str, str]) -> None:
    """Say what runs and why, and what is skipped."""
    causes = {name: reason for name, reason in reasons.items() if reason != FORCED}
    following = [name for name, reason in causes.items() if reason.endswith(RECOMPUTED)]
    for name, reason in causes.items():
        if name not in following:
            logger.info("%s: will run (%s)", name, reason)
    if following:
        logger.info("so will the steps that use it: %s", ", ".join(following))
    skipped = [node.name for node in asked.nodes if node.name not in reasons]
    if not reasons:
        count = len(skipped)
        logger.info(
            "%d of %d steps are up to date: nothing to do (--force runs them)", count, count
        )
    elif skipped:
        logger.info(
            "%d of %d steps are up to date and are skipped (--force runs them): %s",
            len(skipped),
            len(asked.nodes),
            ", ".join(skipped),
        )
