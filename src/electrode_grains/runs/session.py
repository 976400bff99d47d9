"""A Kedro session that holds the data folder, and skips what is up to date."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline

from electrode_grains.configuration import data_folder, refuse_unread_parameters
from electrode_grains.runs import one_run
from electrode_grains.runs.ledger import Ledger

logger = logging.getLogger(__name__)

FORCE = "force"


class IncrementalSession(KedroSession):
    """Runs those steps whose results are not on the disk already.

    The steps are chosen before Kedro's own run begins, so that hooks (MLflow, prerequisites)
    see only what is computed, and a run with nothing to do opens nothing.
    """

    _force = False

    @classmethod
    def create(
        cls, *args: Any, runtime_params: dict[str, Any] | None = None, **options: Any
    ) -> IncrementalSession:
        """Begin a session; the runtime parameter `force` is its own, not the pipelines'."""
        given = dict(runtime_params or {})
        force = given.pop(FORCE, False)
        session: IncrementalSession = super().create(*args, runtime_params=given, **options)
        session._force = bool(force)
        return session

    def run(
        self,
        pipeline_name: str | None = None,
        pipeline_names: list[str] | None = None,
        node_names: Iterable[str] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Run what is not up to date, with the options of `KedroSession.run`."""
        names = pipeline_names or ([pipeline_name] if pipeline_name else [])
        context = self.load_context()
        folder = data_folder(Path(context.project_path), context.config_loader)
        with one_run(folder):
            refuse_unread_parameters(context.config_loader["parameters"], pipelines.values())
            asked = _asked(names or ["__default__"], node_names, options)
            steps = pipelines["__default__"] + asked
            raw = pipelines["__default__"].inputs()
            ledger = Ledger(context.catalog, context.params, steps, raw=raw, folder=folder)
            ledger.check_folders(asked.all_outputs())
            ledger.sweep(asked)
            ledger.check_inputs(asked, force=self._force)
            reasons = ledger.plan(asked, force=self._force)
            ledger.check_outputs(
                name for node in asked.nodes if node.name in reasons for name in node.outputs
            )
            _tell(asked, reasons)
            if not reasons:
                return {}
            # Named only where some are skipped: Kedro-Viz takes a run by names for a part of one.
            if len(reasons) < len(asked.nodes):
                node_names = list(reasons)
            result: dict[str, Any] = super().run(
                pipeline_names=names, node_names=node_names, **options
            )
            return result


def _asked(names: list[str], node_names: Iterable[str] | None, options: dict[str, Any]) -> Pipeline:
    """Steps that the options name, as `KedroSession.run` takes them."""
    chosen = ("tags", "from_nodes", "to_nodes", "from_inputs", "to_outputs")
    return sum((pipelines[name] for name in names), Pipeline([])).filter(
        node_names=list(node_names or []) or None,
        node_namespaces=options.get("namespaces"),
        **{option: options.get(option) for option in chosen},
    )


def _tell(asked: Pipeline, reasons: dict[str, str]) -> None:
    """Say what runs and why, and what is skipped."""
    for name, reason in reasons.items():
        if reason != "forced":
            logger.info("%s runs: %s", name, reason)
    skipped = [node.name for node in asked.nodes if node.name not in reasons]
    if skipped:
        logger.info(
            "%d of %d steps are up to date and are skipped (--force runs them): %s",
            len(skipped),
            len(asked.nodes),
            ", ".join(skipped),
        )
