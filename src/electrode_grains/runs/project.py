"""What is known of the results of a Kedro project."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines, settings
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from electrode_grains.runs.configuration import RunConfiguration
from electrode_grains.runs.provenance import Provenance


def open_provenance(
    context: KedroContext,
    configuration: RunConfiguration,
    asked: Pipeline,
    catalog: CatalogProtocol[Any, Any] | None = None,
    *,
    by_code: bool = True,
    disregard: Collection[str] = (),
) -> Provenance:
    """What is known of the datasets of a project.

    Parameters
    ----------
    context : KedroContext
    configuration : RunConfiguration
    asked : Pipeline
        What runs beside the analysis.
    catalog : CatalogProtocol, optional
        Of the run in progress; else that of the context.
    by_code : bool
        Whether results of other code or other libraries are stale.
    disregard : collection of str
        Datasets whose change makes nothing stale.
    """
    analysis = pipelines[configuration.analysis]
    return Provenance(
        catalog or context.catalog,
        context.params,
        analysis + asked,
        configuration,
        folder=configuration.data_folder(Path(context.project_path), context.config_loader),
        raw=analysis.inputs(),
        by_code=by_code,
        disregard=disregard,
    )


def check_results(
    project: Path,
    environment: str | None,
    names: Iterable[str],
    configuration: RunConfiguration,
    *,
    runtime_params: dict[str, Any] | None = None,
    force: bool = False,
    disregard: Collection[str] = (),
) -> None:
    """Refuse results that contradict each other or the settings, for who reads them outside a run.

    The same check as that of a run that only reads, but results of another version of the code
    pass: they are what they were.

    Parameters
    ----------
    project : Path
        A project that is bootstrapped.
    environment : str or None
    names : iterable of str
        Datasets that are read.
    configuration : RunConfiguration
    runtime_params : dict, optional
        As given to the run, by ``--params``.
    force : bool
        Take them as they are, with a warning.
    disregard : collection of str
        Datasets whose change makes nothing stale, for who accounts for it.

    Raises
    ------
    InputError
        If a result is damaged, unrecorded, made with other settings, or made from other data than
        those that lie beside it.
    """
    options = {"env": environment, "runtime_params": runtime_params or {}}
    with settings.SESSION_CLASS.create(project_path=project, **options) as session:
        context = session.load_context()
        raw = pipelines[configuration.analysis].inputs()
        derived = (each for each in pipelines.values() if not raw & each.all_outputs())
        steps = sum(derived, Pipeline([]))
        provenance = open_provenance(
            context, configuration, steps, by_code=False, disregard=disregard
        )
        provenance.check_inputs(names, force=force)
