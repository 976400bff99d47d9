"""Charts that kedro-viz shows on their nodes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from electrode_grains.figures.style import BLUE, GREY, SKY, VERMILION

if TYPE_CHECKING:
    import plotly.graph_objects as go


def candidate_chart(payload: Mapping[str, Any]) -> go.Figure:
    """Draw the histogram of a characteristic and its three best families, one at a time.

    Parameters
    ----------
    payload : mapping
        Result of `distribution_payload`.

    Returns
    -------
    plotly.graph_objects.Figure
        A menu chooses the characteristic; empty where no family was fitted to any.

    Examples
    --------
    >>> marginal = {"title": "Sphericity s", "edges": [0.7, 0.8, 0.9], "heights": [4.0, 6.0],
    ...             "grid": [0.7, 0.9], "sample_size": 9,
    ...             "candidates": [{"name": "beta", "delta_aic": 0.0, "density": [5.0, 5.0]}]}
    >>> [trace.type for trace in candidate_chart({"marginals": [marginal]}).data]
    ['bar', 'scatter']
    """
    import plotly.graph_objects as go

    marginals = payload["marginals"]
    if not marginals:
        return go.Figure(layout={"title": {"text": "no family was fitted"}})
    groups = [_traces(go, marginal) for marginal in marginals]
    owner = [rank for rank, group in enumerate(groups) for _ in group]
    buttons = [
        {
            "label": marginal["title"],
            "method": "update",
            "args": [
                {"visible": [part == rank for part in owner]},
                {"xaxis": {"title": {"text": marginal["title"]}}},
            ],
        }
        for rank, marginal in enumerate(marginals)
    ]
    figure = go.Figure([trace for group in groups for trace in group])
    for trace, part in zip(figure.data, owner, strict=True):
        trace.visible = part == 0
    figure.update_layout(
        template="plotly_white",
        bargap=0,
        xaxis_title=marginals[0]["title"],
        yaxis_title="probability density",
        updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.15}],
    )
    return figure


def _traces(go: Any, marginal: Mapping[str, Any]) -> list[Any]:
    bins = list(pairwise(marginal["edges"]))
    bars = go.Bar(
        x=[(low + high) / 2 for low, high in bins],
        width=[high - low for low, high in bins],
        y=marginal["heights"],
        marker_color=SKY,
        name=f"{marginal['sample_size']} grains",
    )
    curves = [
        go.Scatter(
            x=marginal["grid"],
            y=candidate["density"],
            mode="lines",
            line={"color": colour, "dash": dash},
            name=f"{candidate['name']} (ΔAIC {candidate['delta_aic']:.1f})",
        )
        for candidate, colour, dash in zip(
            marginal["candidates"],
            (VERMILION, BLUE, GREY),
            ("solid", "dash", "dot"),
            strict=False,
        )
    ]
    return [bars, *curves]
