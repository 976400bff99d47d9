"""The rows that matter: what is measured, in the order in which it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.crystals import SHARES, UNSEEN, measure_flips
from benchmarks.measurements.chain import CODE, MODELLED, Chain
from benchmarks.measurements.records import Row
from benchmarks.segmentation import measured_parts, sweep_indexing

DEMO = Chain(seed=20)
OTHER_CELLS = {"joined_cells": {
    "relaxation": 0, "hardness": 0.0, "union_share": 0.0, "warp_amplitude_nm": 0.0,
    "size_contrast": 1.0, "diameter_shape_nm": 2300.0,
}}  # fmt: skip
ROUGH = {
    "noise": 1.5, "curtaining": 0.1, "brightness_drift": 0.12, "wander_px": 0.35,
    "annotation_error": 0.3, "information_depth_nm": 70.0, "misindexed_share": 0.1,
}  # fmt: skip
LOST = 31
CHAINS: Mapping[str, tuple[str, Chain]] = {
    "demo": ("demo", DEMO),
    "unseen-83": ("unseen particle, seed 83", Chain(83)),
    "unseen-84": ("unseen particle, seed 84", Chain(84)),
    "unseen-85": ("unseen particle, seed 85", Chain(85)),
    "other-cells": (
        "Laguerre cells that are not relaxed, united or bent, rougher microscope",
        Chain(86, OTHER_CELLS, ROUGH),
    ),
    "noise": ("demo, twice the noise", Chain(20, scan={"noise": 2.0})),
    "wrong-points": (
        "demo, 30 % of the points inside grains indexed wrongly",
        Chain(20, scan={"misindexed_share": 0.6}),
    ),
    "flips": ("demo, 40 % of the c axes flipped", Chain(20, scan={"flipped_share": 0.4})),
    "lost-slice": (
        f"demo, slice {LOST} lost",
        Chain(20, scan={"lost_slices": [LOST]}, stack={"missing_slices": [LOST]}),
    ),
}


def models(folder: Path) -> dict[str, Any]:
    """Tables 1 to 4 of the demo, as its report shows them."""
    data = DEMO.run(folder.with_name("demo"), MODELLED)
    tables = data / "08_reporting" / "tables"
    return {name: (tables / f"{name}.md").read_text("utf-8") for name in MODELLED}


def parts(folder: Path) -> dict[str, Any]:
    """What parts of the segmentation are worth, on the demo."""
    case, chosen = DEMO.finished(folder.with_name("demo"))
    return {"parts": [[name, numbers] for name, numbers in measured_parts(case, chosen)]}


def sweep(folder: Path) -> dict[str, Any]:
    """Shares of the points of the demo indexed wrongly, beyond those that are."""
    case, chosen = DEMO.finished(folder.with_name("demo"))
    return {f"{row['share']:g}": row for row in sweep_indexing(case, chosen)}


def flips(patch: float, share: float, folder: Path) -> dict[str, float]:
    return measure_flips(patch, share)


SEGMENTATION = tuple(
    Row(key, title, chain.measure, CODE, (chain.seed, chain.seed + 1))
    for key, (title, chain) in CHAINS.items()
)
FLIPS = tuple(
    Row(
        f"flips-{patch:g}-{share:g}",
        f"{share:g}",
        partial(flips, patch, share),
        ("electrode_grains.phantom", "electrode_grains.grains"),
        UNSEEN,
    )
    for patch in (0.0, 3.0)
    for share in SHARES
)
MODELS = Row(
    "models",
    "demo",
    models,
    (*CODE, "electrode_grains.distributions", "electrode_grains.pipelines.modelling.nodes"),
    (20, 21),
)
PARTS = Row("parts", "demo", parts, CODE, (20, 21))
SWEEP = Row("sweep", "demo", sweep, CODE, (20, 21))
ROWS = {row.key: row for row in (*SEGMENTATION, *FLIPS, SWEEP, PARTS, MODELS)}
