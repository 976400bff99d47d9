"""The page about virtual particles: data, fit and virtual grains beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from electrode_grains.descriptors import DESCRIPTORS
from electrode_grains.figures.encoding import page_environment, picture_size, screen_picture
from electrode_grains.figures.page import CONTENT_SECURITY_POLICY
from electrode_grains.figures.study_page import number
from electrode_grains.figures.style import characteristic_name


def virtual_page(
    title: str, figure: Figure | bytes, comparison: pd.DataFrame, counts: Mapping[Any, int]
) -> str:
    """Write the page as one HTML file without a script, which needs nothing but a browser.

    Parameters
    ----------
    title : str
        Name of the particle that the data are of.
    figure : Figure or bytes
        As from `virtual_particles`, or its PNG.
    comparison : DataFrame
        As from `generation.compare_generation`.
    counts : mapping to int
        Grains of each virtual particle.

    Returns
    -------
    str
        HTML. Whatever comes from data is escaped; a content security policy forbids the network
        and every script.
    """
    source = screen_picture(figure)
    outside = comparison[~comparison["inside"].astype(bool)]
    return (
        page_environment()
        .get_template("virtual.html.j2")
        .render(
            policy=CONTENT_SECURITY_POLICY.format(scripts="'none'"),
            title=title,
            headlines=[
                (f"{len(counts):,}", "virtual particles"),
                (f"{sum(counts.values()):,}", "virtual grains"),
                (
                    f"{len(comparison) - len(outside)} of {len(comparison)}",
                    "quantities as in the data",
                ),
            ],
            source=source,
            size=picture_size(source),
            rows=[_row(row) for row in comparison.to_dict("records")],
            missed=[_missed(row) for row in outside.to_dict("records")],
        )
    )


def quantity_name(quantity: str) -> str:
    """Name of a compared quantity as prose writes it, with its unit.

    Examples
    --------
    >>> quantity_name("mean equivalent_diameter_nm")
    'Mean equivalent diameter / nm'
    >>> quantity_name("correlation sphericity ~ elongation")
    'Correlation of sphericity and elongation'
    """
    if quantity in OTHERS:
        return OTHERS[quantity]
    for start, told in STARTS.items():
        if quantity.startswith(f"{start} "):
            names = quantity.removeprefix(f"{start} ").split(" ~ ")
            written = " and ".join(characteristic_name(name).lower() for name in names)
            known = DESCRIPTORS.get(names[0])
            unit = f" / {known.unit}" if known and known.unit and len(names) == 1 else ""
            return f"{told} {written}{unit}"
    return quantity[:1].upper() + quantity[1:]


STARTS = {
    "mean": "Mean",
    "std": "Standard deviation of",
    "correlation": "Correlation of",
    "distance of": "Distance of",
}
OTHERS = {
    "grain surface per volume per_um": "Grain surface per volume / \u00b5m\u207b\u00b9",
    "mean misorientation_angle": "Mean misorientation angle / rad",
    "distance of misorientation_angle": "Distance of misorientation angle / rad",
}


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    band = f"{number(row['lower'])} to {number(row['upper'])}"
    if not np.isfinite(row["lower"]):
        band = f"at most {number(row['upper'])}"
    spread = f" \u00b1 {number(row['virtual_std'])}" if row["virtual_std"] > 0 else ""
    return {
        "name": quantity_name(row["quantity"]),
        "data": number(row["data"]),
        "fit": number(row["fit"]),
        "virtual": number(row["virtual"]) + spread,
        "band": band,
        "inside": bool(row["inside"]),
    }


def _missed(row: Mapping[Any, Any]) -> str:
    told = _row(row)
    return f"{told['name']}: {told['virtual']}, in samples of the data {told['band']}"
