"""Kedro hooks: results of earlier steps, progress, and a run in MLflow."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from electrode_grains import __version__, tracking
from electrode_grains.base import Result, flatten
from electrode_grains.configuration import refuse_impossible_settings
from electrode_grains.ebsd.placement import refuse_unlabelled
from electrode_grains.errors import InputError
from electrode_grains.interrupts import on_interrupt
from electrode_grains.progress import RunProgress, duration
from electrode_grains.runs import code_version
from electrode_grains.runs.recorder import earlier_seconds
from electrode_grains.runs.store import DatasetStore
from electrode_grains.shipped import refuse_earlier_configuration

logger = logging.getLogger(__name__)

# The datasets whose making opens a run in an experiment; `particle` takes every run.
EXPERIMENTS: dict[str, set[str]] = {
    "particle": set(),
    "boundary_model": {"boundary_network"},
    "modelling": {"marginal_fits", "copula_fits"},
}
SCORES: dict[str, tuple[str, ...]] = {
    "particle": ("segmentation_scores", "particle_summary"),
    "boundary_model": ("boundary_scores", "validation_scores"),
}
ARTIFACTS: dict[str, tuple[str, ...]] = {
    "particle": ("report",),
    "boundary_model": (
        "boundary_network",
        "figure_2",
        "figure_4",
        "figure_learning_curves",
        "figure_validation",
    ),
    "modelling": ("figure_7", "figure_8"),
}

# What makes the longest steps shorter.
SHORTER = {
    "validate_network": "boundary_model.validation.epochs: 0 leaves out the validation",
    "train_network": "a graphics card, or fewer boundary_model.training.epochs from a network that "
    "is trained already (boundary_model.training.initial_network)",
}


class Prerequisites:
    """Refuse a run at once if results of earlier steps are missing, not after an hour."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Look at the settings before anybody reads them."""
        refuse_impossible_settings(context.config_loader, pipelines)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Look for every setting and result that the run needs and another step makes."""
        refuse_earlier_configuration(n for n in pipeline.datasets() if n not in catalog)
        analysis = set(pipelines["__default__"].nodes)
        # Steps of the analysis, in the order in which they are registered.
        steps = [
            name
            for name, step in pipelines.items()
            if name != "__default__" and analysis.issuperset(step.nodes)
        ]
        makers = {name: step for step in steps for name in pipelines[step].all_outputs()}
        missing = {
            name: makers[name]
            for name in sorted(pipeline.inputs())
            if name in makers and not catalog.exists(name)
        }
        if missing:
            places = [steps.index(step) for step in missing.values()]
            wanted = ",".join(steps[min(places) : max(places) + 1])
            raise InputError(
                "results of earlier steps are missing",
                found=f"no {', no '.join(missing)}",
                remedy=f"kedro run --pipelines {wanted}, with the same --env, makes them",
            )
        for name in sorted(pipeline.inputs() - set(makers)):
            place = getattr(catalog.get(name), "_path", None)
            # Datasets of this package tell themselves what they miss; those of Kedro do not.
            if place and not hasattr(catalog.get(name), "paths") and not catalog.exists(name):
                raise InputError(
                    "a folder that has to be filled by hand is empty or missing",
                    where=str(place),
                    found=f"no {name}",
                    remedy="copy the files there; the catalog in conf/base says which",
                )
        scans = "ebsd_scans"  # where they are missing, their own step says so at once
        known = scans not in pipeline.inputs() or catalog.exists(scans)
        # hours may lie before the step that reads labels
        if known and "slice_annotations" in pipeline.inputs():
            drawn = "orientation_annotations"
            made = drawn in pipeline.all_outputs() or catalog.exists(drawn)
            refuse_unlabelled(catalog.load("slice_annotations"), others=made)
        if "segmentation_edits" in pipeline.inputs():
            catalog.load("segmentation_edits")


class Progress:
    """Log which step runs, of how many, and how long the whole took."""

    _run: RunProgress | None = None

    def __init__(self) -> None:
        on_interrupt(self.on_pipeline_error)

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Say what the run will roughly take, and begin to show progress."""
        steps = [node.name for node in pipeline.nodes]
        before = earlier_seconds(DatasetStore(catalog), pipeline)
        logger.info("%s", forecast(steps, before))
        self._run = RunProgress(steps, before, logger)
        self._run.start()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Name the step that begins."""
        if self._run is not None:
            self._run.begin(node.name)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Log the time that all steps took, and where to look."""
        if self._run is None:
            return
        took, count = self._run.stop(), len(pipeline.nodes)
        logger.info("%d step%s done in %s", count, "s" if count != 1 else "", duration(took))
        if "report" in pipeline.all_outputs():
            logger.info("report: %s", file_of(catalog, "report").absolute())
            logger.info("next: electrode-grains report opens it, proofread lists likely errors")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """End the display."""
        if self._run is not None:
            self._run.stop()


def forecast(steps: Sequence[str], before: Mapping[str, float]) -> str:
    """Say what steps will take by what they took before, and what would make it shorter.

    Examples
    --------
    >>> forecast(["read_stack", "train_network"], {"read_stack": 2.0, "train_network": 600.0})
    '2 steps, about 10 min as in earlier runs on this machine. Shorter: a graphics card...'
    >>> forecast(["read_stack"], {})
    '1 step; how long it takes is known once it ran on this machine'
    """
    known = [step for step in steps if step in before]
    count = f"{len(steps)} step{'s' if len(steps) != 1 else ''}"
    if not known:
        they = "they take is known once they" if len(steps) != 1 else "it takes is known once it"
        return f"{count}; how long {they} ran on this machine"
    seconds = sum(before[step] for step in known)
    text = f"{count}, about {duration(seconds)} as in earlier runs on this machine"
    if unknown := len(steps) - len(known):
        text += f", and {unknown} that never ran here"
    hints = [hint for step, hint in SHORTER.items() if before.get(step, 0.0) > 60 and step in steps]
    return f"{text}. Shorter: {'; '.join(hints)}" if hints else text


class ExperimentTracking:
    """Open MLflow runs before a pipeline, fill them from the catalog after it."""

    def __init__(self) -> None:
        on_interrupt(tracking.kill_tracker)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember where the project lies and what the user configured."""
        self._project = Path(context.project_path)
        self._parameters = context.params
        self._configuration = context.config_loader["mlflow"]

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Open one run in each experiment that the pipeline contributes to."""
        settings = tracking.TrackingSettings(**self._configuration)
        if not settings.enabled:
            return
        tracker = tracking.open_tracker(settings, self._project)
        used = {
            name.removeprefix("params:"): catalog.load(name)
            for name in sorted(pipeline.inputs())
            if name.startswith("params:")
        }
        particle = str(self._parameters.get("particle", {}).get("name", "particle"))
        pipelines = "+".join(run_params.get("pipeline_names") or ["__default__"])
        tags = {
            "particle": particle,
            "pipelines": pipelines,
            "kedro.run_id": str(run_params.get("run_id")),
            "kedro.env": str(run_params.get("env") or "local"),
            "electrode_grains.version": __version__,
            **code_version(self._project),
        }
        made = pipeline.all_outputs()
        for experiment, openers in EXPERIMENTS.items():
            if experiment == "particle" or openers & made:
                steps = pipelines if experiment == "particle" else ""
                name = run_name(particle, steps, run_params.get("runtime_params") or {})
                tracker.start(experiment, name, dict(flatten(used)), tags)

    @hook_impl
    def after_node_run(self) -> None:
        """Open the runs once the first step is done, so that a killed run leaves its trace."""
        if (tracker := tracking.current()) is not None:
            tracker.open()

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Log scores, figures, network and candidates, then close the runs."""
        tracker = tracking.current()
        if tracker is None:
            return
        made = pipeline.all_outputs()
        for experiment, names in SCORES.items():
            for name in made.intersection(names):
                scores = catalog.load(name)
                tracker.log_metrics(experiment, dict(flatten(scores)))
        for experiment, names in ARTIFACTS.items():
            for name in made.intersection(names):
                tracker.log_artifacts(experiment, file_of(catalog, name))
        if (digest := _fingerprint(catalog)) is not None:
            tracker.set_tag("data.fingerprint", digest)
        if "training_states" in made:
            tracker.set_tag("training.fingerprint", catalog.load("training_states").fingerprint)
        if "marginal_fits" in made:
            log_marginals(tracker, _plain(catalog.load("marginal_fits")))
        if "copula_fits" in made:
            log_copulas(tracker, _plain(catalog.load("copula_fits")))
        tracker.finish("FINISHED")
        tracking.close_tracker()

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Close the runs as failed, with the reason as a tag."""
        tracker = tracking.current()
        if tracker is not None:
            tracker.set_tag("failure", f"{type(error).__name__}: {error}")
            tracker.finish("FAILED")
            tracking.close_tracker()


def run_name(particle: str, pipelines: str, changed: Mapping[str, Any]) -> str:
    """Name of a run that tells it apart: what was run, and what --params changed.

    Examples
    --------
    >>> run_name("NMC 3", "segmentation", {"segmentation": {"grains": {"minima_depth": 0.02}}})
    'NMC 3 segmentation minima_depth=0.02'
    >>> run_name("NMC 3", "__default__", {})
    'NMC 3 all steps'
    """
    steps = "all steps" if pipelines == "__default__" else pipelines
    values = [f"{name.rpartition('.')[2]}={value}" for name, value in flatten(changed)]
    return " ".join(part for part in (particle, steps, *values) if part)


def _plain(result: Any) -> Any:
    """Plain values of a typed result."""
    return result.to_dict() if isinstance(result, Result) else result


def log_marginals(tracker: tracking.Tracker, fits: Mapping[str, Any]) -> None:
    """Nest a run for each (characteristic, family)."""
    for characteristic, result in fits["characteristics"].items():
        if result.get("undecided"):
            tracker.set_tag(f"undecided.{characteristic}", ", ".join(result["undecided"]))
        for candidate in _logged(tracker, result):
            _log_candidate(tracker, characteristic, candidate, candidate["family"])


def log_copulas(tracker: tracking.Tracker, fits: Mapping[str, Any]) -> None:
    """Nest a run for each (pair, family, rotation)."""
    for pair in fits["pairs"]:
        for candidate in _logged(tracker, pair):
            label = f"{candidate['family']} {candidate['rotation']}"
            _log_candidate(tracker, f"{pair['x']} ~ {pair['y']}", candidate, label)


def _logged(tracker: tracking.Tracker, result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Candidates to log: all of them, or the winner where there is one."""
    candidates = list(result["candidates"])
    if not tracker.winners_only:
        return candidates
    return candidates[:1] if result["best"] is not None else []


def _log_candidate(
    tracker: tracking.Tracker, subject: str, candidate: Mapping[str, Any], label: str
) -> None:
    parameters = candidate.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        parameters = {f"parameter_{rank}": value for rank, value in enumerate(parameters, 1)}
    columns = ("log_likelihood", "aic", "aicc", "bic", "delta_aic", "akaike_weight")
    tracker.log_candidate(
        "modelling",
        f"{subject}: {label}",
        {
            "subject": subject,
            "family": candidate["family"],
            "rotation": candidate.get("rotation", ""),
            "outcome": candidate["outcome"],
        },
        {
            **{column: candidate.get(column) for column in columns},
            **{f"fitted.{name}": value for name, value in parameters.items()},
        },
        {"subject": subject, "outcome": candidate["outcome"]},
    )


def _fingerprint(catalog: CatalogProtocol[Any, Any]) -> str | None:
    """Digest of the scans, None where they were not stacked yet, or by another version."""
    if not catalog.exists("scan_index"):
        return None
    try:
        return str(catalog.load("scan_index").fingerprint)
    except InputError as problem:
        logger.warning("the run gets no fingerprint of its data: %s", problem.message)
        return None


def file_of(catalog: CatalogProtocol[Any, Any], name: str) -> Path:
    """Path of a dataset that keeps one file or folder."""
    dataset = catalog.get(name)
    description = {} if dataset is None else dataset._describe()
    return Path(str(description.get("filepath") or description.get("path") or name))
