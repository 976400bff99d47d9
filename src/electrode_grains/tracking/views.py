"""What MLflow's page shows of each experiment at first sight."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A view of the table of runs that MLflow's page opens by its key; see `save_views`.
VIEW_KEY, VIEW_TAG = "electrode_grains", "mlflow.sharedViewState."


@dataclass(frozen=True)
class RunsView:
    """What the table of runs of an experiment shows at first sight."""

    columns: tuple[str, ...]
    order_by: str = "attributes.start_time"
    ascending: bool = False
    search: str = ""
    curves: tuple[str, ...] = ()
    bars: tuple[str, ...] = ()

    def state(self) -> str:
        """Write the view as MLflow's page reads it."""
        kinds = [*((name, "LINE") for name in self.curves), *((name, "BAR") for name in self.bars)]
        state: dict[str, Any] = {
            "searchFilter": self.search,
            "orderByKey": self.order_by,
            "orderByAsc": self.ascending,
            "selectedColumns": list(self.columns),
        }
        if kinds:
            state["compareRunCharts"] = [_chart(name, kind) for name, kind in kinds]
            state["compareRunSections"] = [
                {"uuid": kind, "name": name, "display": True, "isReordered": True}
                for kind, name in (("LINE", "Over the epochs"), ("BAR", "In the end"))
            ]
        return json.dumps(state)


def _chart(metric: str, kind: str) -> dict[str, Any]:
    curve = {
        "xAxisKey": "step",
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
    }
    return {
        "type": kind,
        "uuid": f"{kind} {metric}",
        "metricKey": metric,
        "metricSectionId": kind,
        "deleted": False,
        "isGenerated": False,
        **(curve if kind == "LINE" else {}),
    }


VIEWS: Mapping[str, RunsView] = {
    "particle": RunsView(
        (
            "attributes.`Source`",
            "metrics.`grain_count`",
            "metrics.`whole_grain_count`",
            "metrics.`specific_surface_area_per_um`",
            "metrics.`truth.matched.f1`",
            "metrics.`truth.adapted_rand_error`",
            "metrics.`annotation.boundary_f1`",
            "tags.`kedro.env`",
            "tags.`data.fingerprint`",
            "tags.`git.commit`",
        )
    ),
    "boundary_model": RunsView(
        (
            "metrics.`mean.boundary_f1`",
            "metrics.`std.boundary_f1`",
            "metrics.`boundary_f1`",
            "metrics.`brier_score`",
            "metrics.`calibration_error`",
            "metrics.`loss`",
            "metrics.`system/seconds`",
            "tags.`kedro.env`",
            "tags.`training.fingerprint`",
        ),
        curves=("loss", "held_out_loss", "held_out_boundary_f1"),
        bars=("mean.boundary_f1", "boundary_f1", "brier_score", "calibration_error"),
    ),
    "modelling": RunsView(
        (
            "params.`subject`",
            "params.`family`",
            "params.`rotation`",
            "metrics.`delta_aic`",
            "metrics.`akaike_weight`",
            "metrics.`log_likelihood`",
            "params.`outcome`",
        ),
        order_by="metrics.`delta_aic`",
        ascending=True,
        search="metrics.delta_aic >= 0",  # candidates alone, without the runs they belong to
    ),
    "study": RunsView(
        (
            "metrics.`pooled_count`",
            "metrics.`grain_count`",
            "metrics.`mean.equivalent_diameter_nm`",
            "metrics.`between.equivalent_diameter_nm`",
            "metrics.`intraclass_correlation.equivalent_diameter_nm`",
            "tags.`failure`",
        )
    ),
}
"""Columns, order and filter of the table of runs of each experiment."""


def save_views(client: MlflowClient) -> dict[str, str]:
    """Give each experiment its view and return where MLflow's page shows it.

    Parameters
    ----------
    client : MlflowClient

    Returns
    -------
    dict
        Path within MLflow's page by experiment, for those that exist.

    Notes
    -----
    MLflow keeps columns in the browser, not in the store. A shared view is the one way in: a
    tag of the experiment that a link names by its key, as the page's own share button does.
    """
    paths = {}
    for name, view in VIEWS.items():
        found = client.get_experiment_by_name(name)
        if found is None:
            continue
        if found.tags.get(VIEW_TAG + VIEW_KEY) != view.state():
            client.set_experiment_tag(found.experiment_id, VIEW_TAG + VIEW_KEY, view.state())
        paths[name] = (
            f"/#/experiments/{found.experiment_id}/runs?viewStateShareKey={VIEW_KEY}"
            "&workflowType=machine_learning"
        )
        if view.curves or view.bars:
            paths[f"{name} in charts"] = paths[name] + "&compareRunsMode=CHART"
    return paths
