"""Data that the report's scripts read: the grain table and the particle's surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from electrode_grains.errors import InputError
from electrode_grains.figures.distributions import bin_edges
from electrode_grains.figures.encoding import jsonable, packed
from electrode_grains.figures.style import (
    CHARACTERISTICS,
    NM_PER_UM,
    family_name,
    label_colours,
    plain_axis_label,
)
from electrode_grains.figures.table_text import heading

PALETTE_SIZE = 64
"""Colours of a palette; a browser's colour scale has 256 steps, four for each of them."""
QUANTISATION = 65535
SHOWN_PERCENTILE = 99.8
SIGNIFICANT_DIGITS = 6


def grain_rows(table: pd.DataFrame) -> dict[str, Any]:
    """Prepare the grain table for sorting, filtering and download in a browser.

    Parameters
    ----------
    table : DataFrame
        One row per grain.

    Returns
    -------
    dict
        ``columns``, each with ``name``, ``heading`` and ``kind`` (number, flag or text), and
        ``rows``; numbers have six significant digits, undefined ones are None.

    Examples
    --------
    >>> rows = grain_rows(pd.DataFrame({"label": [7], "sphericity": [0.123456789]}))
    >>> rows["rows"], rows["columns"][1]["kind"]
    ([[7, 0.123457]], 'number')
    """
    columns = [
        {"name": str(name), "heading": heading(str(name)), "kind": _kind(table[name])}
        for name in table.columns
    ]
    values = [[_rounded(value) for value in table[name]] for name in table.columns]
    return {"columns": columns, "rows": [list(row) for row in zip(*values, strict=True)]}


def mesh_payload(
    mesh: Mapping[str, Any] | None, table: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Compress a mesh for the report.

    Parameters
    ----------
    mesh : mapping
        Result of `particle_mesh`; ``orientation_colours`` of shape (g, 3) in [0, 1] is
        optional and offers the colours of an inverse pole figure.
    table : DataFrame, optional
        Grain table with ``label``; its number columns become colours to choose from.

    Returns
    -------
    dict
        Vertices as 16-bit steps of a box (micrometres), triangles as numbers within each
        grain, both compressed; where each grain starts; palettes.

    Raises
    ------
    InputError
        If a part of the mesh is missing.

    Examples
    --------
    >>> mesh = {"vertices": np.eye(3) * 1000, "faces": [[0, 1, 2]], "labels": [7],
    ...         "vertex_start": [0, 3], "face_start": [0, 1]}
    >>> mesh_payload(mesh)["size_um"], mesh_payload(mesh)["labels"]
    ([1.0, 1.0, 1.0], [7])
    """
    given = mesh or {}
    wanted = ("vertices", "faces", "labels", "vertex_start", "face_start")
    missing = [key for key in wanted if key not in given]
    if missing:
        raise InputError(
            "a mesh is incomplete", found=f"no {', '.join(missing)}", expected=", ".join(wanted)
        )
    vertices, faces, labels, vertex_start, face_start = (np.asarray(given[key]) for key in wanted)
    low = vertices.min(axis=0)
    size = np.maximum(vertices.max(axis=0) - low, 1e-9)
    steps = np.round((vertices - low) / size * QUANTISATION).astype(np.uint16)
    local = faces - np.repeat(vertex_start[:-1], np.diff(face_start))[:, None]
    wide = bool(local.size) and int(local.max()) > QUANTISATION
    palettes = {"grain": _palette(label_colours(labels)[:, :3])}
    if given.get("orientation_colours") is not None:
        palettes["orientation (IPF)"] = _palette(np.asarray(given["orientation_colours"]))
    payload: dict[str, Any] = jsonable(
        {
            "origin_um": low / NM_PER_UM,
            "size_um": size / NM_PER_UM,
            "vertices": packed(steps),
            "faces": packed(local.astype(np.uint32 if wide else np.uint16)),
            "wide": wide,
            "labels": labels,
            "vertex_start": vertex_start,
            "face_start": face_start,
            "palettes": palettes,
            "descriptors": _descriptor_names(table),
            "section": _section_payload(given),
            "shown": len(labels),
            "total": given.get("grain_count", len(labels)),
        }
    )
    return payload


def _section_payload(mesh: Mapping[str, Any]) -> dict[str, Any] | None:
    """Compress the grain of every voxel, which a cut through the particle shows."""
    if mesh.get("index") is None:
        return None
    index = np.asarray(mesh["index"])
    return {
        "index": packed(index.astype(np.uint16)),
        "shape": index.shape,
        "voxel_um": np.asarray(mesh["voxel_nm"]) / NM_PER_UM,
    }


def distribution_payload(
    marginals: Mapping[str, Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Prepare Figs. 7 and 8 for a reader who chooses the candidates.

    Parameters
    ----------
    marginals : mapping
        By characteristic: `sample`, `grid` and `candidates` with `family`, `delta_aic` and
        `density`, as `marginal_candidates` returns them.
    pairs : sequence of mappings
        `x`, `y` and what `pair_candidates` returns.

    Returns
    -------
    dict
        ``marginals``, with the histogram of Fig. 7 in the paper's bins and a density for each
        candidate, and ``pairs``, with the grains and a density for each copula as 16-bit
        steps up to ``top``.

    Examples
    --------
    >>> fitted = {"family": "beta", "delta_aic": 0.0, "density": [2.0, 2.5]}
    >>> shown = distribution_payload({"sphericity": {"sample": [0.805, 0.815, 0.818],
    ...     "grid": [0.8, 0.9], "candidates": [fitted]}}, [])["marginals"][0]
    >>> shown["title"], shown["heights"], shown["candidates"][0]["name"]
    ('Sphericity s', [33.3333, 66.6667], 'beta')
    """
    order = [name for name in CHARACTERISTICS if name in marginals]
    order += [name for name in marginals if name not in CHARACTERISTICS]
    shown = [_marginal(name, marginals[name]) for name in order if marginals[name]["candidates"]]
    payload: dict[str, Any] = jsonable(
        {"marginals": shown, "pairs": [_pair(panel) for panel in pairs if panel["candidates"]]}
    )
    return payload


def _marginal(name: str, panel: Mapping[str, Any]) -> dict[str, Any]:
    values = np.asarray(panel["sample"], dtype=float)
    known = CHARACTERISTICS.get(name)
    if known:
        edges: Any = bin_edges(values, known.bin_width, known.limits)
    else:
        edges = np.histogram_bin_edges(values, "fd")
    heights, _ = np.histogram(values, edges, density=values.size > 0)
    return {
        "title": plain_axis_label(name),
        "sample_size": values.size,
        "edges": _short(edges),
        "heights": _short(heights),
        "grid": _short(panel["grid"]),
        "candidates": [
            {**_named(row), "density": _short(row["density"])} for row in panel["candidates"]
        ],
    }


def _pair(panel: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "x": plain_axis_label(panel["x"]),
        "y": plain_axis_label(panel["y"]),
        "x_sample": _short(panel["x_sample"]),
        "y_sample": _short(panel["y_sample"]),
        "x_grid": _short(panel["x_grid"]),
        "y_grid": _short(panel["y_grid"]),
        "candidates": [_copula(row) for row in panel["candidates"]],
    }


def _copula(row: Mapping[str, Any]) -> dict[str, Any]:
    density = np.asarray(row["density"], dtype=float)
    # Densities of some copulas are unbounded in a corner: the scale ends below the spike.
    finite = density[np.isfinite(density)]
    top = float(np.percentile(finite, SHOWN_PERCENTILE)) if finite.size else 0.0
    top = top or 1.0
    steps = np.clip(np.nan_to_num(density, posinf=top) / top, 0, 1) * QUANTISATION
    return {
        **_named(row),
        "top": top,
        "levels": row["levels"],
        "density": packed(np.round(steps).astype(np.uint16)),
    }


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    rotation = row.get("rotation")
    name = family_name(row["family"])
    return {
        "name": f"{name}, {rotation}\N{DEGREE SIGN}" if rotation else name,
        "delta_aic": _rounded(row["delta_aic"]),
    }


def _short(values: Any) -> list[Any]:
    return [_rounded(value) for value in np.asarray(values, dtype=float)]


def _palette(colours: NDArray[Any]) -> dict[str, Any]:
    """Reduce the colours of grains to a palette and one number a grain."""
    pixels = np.asarray(np.clip(colours, 0, 1) * 255 + 0.5, dtype=np.uint8)[None]
    reduced = Image.fromarray(pixels).quantize(PALETTE_SIZE, dither=Image.Dither.NONE)
    index = np.asarray(reduced)[0]
    table = np.reshape(reduced.getpalette() or [], (-1, 3))[: int(index.max()) + 1]
    return {"colours": [f"rgb({r},{g},{b})" for r, g, b in table.tolist()], "index": index}


def _descriptor_names(table: pd.DataFrame | None) -> list[str]:
    if table is None or "label" not in table:
        return []
    return [
        str(name) for name in table.columns if name != "label" and _kind(table[name]) == "number"
    ]


def _kind(column: pd.Series[Any]) -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "flag"
    return "number" if pd.api.types.is_numeric_dtype(column.dtype) else "text"


def _rounded(value: Any) -> Any:
    if isinstance(value, float | np.floating) and np.isfinite(value):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return jsonable(value)
