"""One self-contained page that tells the story of a particle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from electrode_grains.errors import InputError
from electrode_grains.figures.content import (
    FIGURE_ALIASES,
    FIGURES,
    FigureEntry,
    Picture,
    ReportContent,
)
from electrode_grains.figures.encoding import (
    inline_json,
    packed,
    picture_size,
    screen_picture,
)
from electrode_grains.figures.interactive import grain_rows, mesh_payload
from electrode_grains.figures.style import characteristic_name
from electrode_grains.figures.tables import (
    characteristics_in_order,
    display_cell,
    display_rows,
    heading,
    table_1,
    table_2,
    table_3,
    table_4,
)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'"
)
IMAGE_URI_STARTS = ("data:image/png;base64,", "data:image/webp;base64,")
LISTED_VALUES = 12
HEADLINES: Mapping[str, tuple[str, str]] = {
    "grain_count": ("grains", ""),
    "whole_grain_count": ("grains inside the window", ""),
    "particle_volume_um3": ("particle volume", "µm³"),
    "boundary_area_um2": ("grain boundary area", "µm²"),
    "specific_surface_area_per_um": ("specific surface area", "µm⁻¹"),
}
SCORES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "boundary": (
        ("validation_scores", "mean.boundary_f1", "boundary F1, slices left out in turn"),
        ("validation_scores", "mean.accuracy", "accuracy, slices left out"),
        ("validation_scores", "mean.brier_score", "Brier score (0 to 2), slices left out"),
        ("validation_scores", "mean.calibration_error", "calibration error, slices left out"),
        ("boundary_scores", "boundary_f1", "boundary F1 on unseen slices"),
        ("boundary_scores", "accuracy", "accuracy"),
        ("boundary_scores", "brier_score", "Brier score (0 to 2)"),
        ("boundary_scores", "calibration_error", "calibration error"),
    ),
    "segmentation": (
        ("segmentation_scores", "grain_count", "grains"),
        ("segmentation_scores", "truth.matched.true", "true grains"),
        ("segmentation_scores", "truth.matched.f1", "matched grains F1"),
        ("segmentation_scores", "truth.adapted_rand_error", "adapted Rand error"),
        ("segmentation_scores", "annotation.boundary_f1", "boundary F1 on annotated slices"),
    ),
}
VALIDATION_COLUMNS = (
    "boundary_f1",
    "boundary_precision",
    "boundary_recall",
    "accuracy",
    "brier_score",
    "calibration_error",
    "annotated_voxels",
)
CAPTIONS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], pd.DataFrame], str]] = {
    "1": ("Best family of each characteristic by AIC.", table_1, "marginal_fits"),
    "2": ("Mean and standard deviation: sample and fit.", table_2, "marginal_fits"),
    "3": ("Correlation of pairs: sample and fitted density.", table_3, "copula_fits"),
    "4": (
        "Best copula of each pair by AIC. A rotation of 270 degrees is c(u, 1 - v).",
        table_4,
        "copula_fits",
    ),
}


def report_page(content: ReportContent | Mapping[str, Any]) -> str:
    """Write the report as one HTML page that needs nothing but a browser.

    Parameters
    ----------
    content : ReportContent or mapping
        What to tell; a mapping has the fields of `ReportContent` as keys.

    Returns
    -------
    str
        HTML. Pictures, data, styles and scripts are inside; a content security policy
        forbids the network; whatever comes from data is escaped.

    Raises
    ------
    InputError
        If a key is unknown, the title is missing, or a picture is none.

    Examples
    --------
    >>> page = report_page({"title": "Particle <A>", "particle_summary": {"grain_count": 3}})
    >>> "Particle &lt;A&gt;" in page, "<A>" in page
    (True, False)
    """
    told = content if isinstance(content, ReportContent) else _from_mapping(content)
    environment = Environment(
        loader=PackageLoader("electrode_grains.figures", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = display_cell
    mesh = mesh_payload(told.mesh, told.grain_table) if _has_grains(told.mesh) else None
    return environment.get_template("report.html.j2").render(
        policy=CONTENT_SECURITY_POLICY,
        title=told.title,
        subtitle=told.subtitle,
        warnings=[str(warning) for warning in told.warnings],
        headlines=_headlines(told.particle_summary),
        scores=_scores(told),
        particle_rows=[
            (_in_words(name), text) for name, text in _value_rows(told.particle_summary)
        ],
        figures=_figures(told.figures),
        values=_section_values(told),
        tables=_tables(told),
        comparisons=_comparisons(told),
        truth=None if told.truth_comparison is None else _table("", "", told.truth_comparison),
        validation=_validation_table(told.validation_scores or {}),
        suspects=_suspects(told),
        has_slices=bool(told.slices),
        has_candidates=bool(told.candidates),
        has_mesh=mesh is not None,
        has_grains=told.grain_table is not None,
        provenance=_provenance(told.provenance),
        slices_json=_script_json(told.slices),
        mesh_json=_script_json(mesh),
        grains_json=_script_json(
            None if told.grain_table is None else grain_rows(told.grain_table)
        ),
        candidates_json=_script_json(told.candidates),
        plotly_source=_plotly_source() if mesh is not None or told.candidates else "",
    )


def _from_mapping(content: Mapping[str, Any]) -> ReportContent:
    known = {part.name for part in fields(ReportContent)}
    unknown = sorted(set(content) - known)
    if unknown or "title" not in content:
        raise InputError(
            "this is not the content of a report",
            found=", ".join(map(str, unknown)) or "no title",
            expected=", ".join(sorted(known)),
        )
    return ReportContent(**content)


def _plotly_source() -> str:
    """Source of plotly.js, compressed to a third, as text that a page can hold."""
    from plotly.offline import get_plotlyjs

    return packed(np.frombuffer(get_plotlyjs().encode(), dtype=np.uint8))


def _script_json(value: Any) -> Markup | None:
    return None if not value else Markup(inline_json(value))


def _has_grains(mesh: Mapping[str, Any] | None) -> bool:
    return bool(mesh) and len((mesh or {})["labels"]) > 0


def _headlines(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"value": display_cell(summary[key]), "name": name, "unit": unit}
        for key, (name, unit) in HEADLINES.items()
        if summary.get(key) is not None
    ]


def _scores(told: ReportContent) -> dict[str, list[dict[str, str]]]:
    """Pick the scores that a reader looks for first; those that are undefined are left out."""
    scores: dict[str, list[dict[str, str]]] = {}
    for section, wanted in SCORES.items():
        picked = [
            (part, _inner(getattr(told, part), path), _spread(getattr(told, part), path), name)
            for part, path, name in wanted
        ]
        defined = [row for row in picked if row[1] is not None]
        # Scores with a spread say more than those of one network on one slice.
        spread_known = any(part == "validation_scores" for part, *_ in defined)
        scores[section] = [
            {"value": _score(value), "name": name, "unit": spread}
            for part, value, spread, name in defined
            if part != "boundary_scores" or not spread_known
        ]
    return scores


def _score(value: Any) -> str:
    """Write a score with three digits after the point, and a count as it is."""
    return f"{value:.3f}" if isinstance(value, float) else display_cell(value)


def _spread(scores: Any, path: str) -> str:
    """Write the standard deviation of a mean, where there is one."""
    if not path.startswith("mean."):
        return ""
    spread = _inner(scores, "std." + path.removeprefix("mean."))
    return "" if spread is None else f"± {spread:.3f}"


def _inner(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _figures(figures: Mapping[str, Picture]) -> dict[str, list[dict[str, Any]]]:
    """Sort the pictures into the sections; those nobody knows come at the end."""
    named = {_figure_key(key): picture for key, picture in figures.items()}
    order = [key for key in FIGURES if key in named] + [k for k in named if k not in FIGURES]
    sections: dict[str, list[dict[str, Any]]] = {entry.section: [] for entry in FIGURES.values()}
    sections["other"] = []
    for key in order:
        entry = FIGURES.get(key) or FigureEntry("other", heading(key), "")
        source = _picture_source(key, named[key])
        width, height = picture_size(source)
        sections[entry.section].append(
            {
                "source": source,
                "width": width,
                "height": height,
                "number": entry.number,
                "caption": entry.caption,
            }
        )
    return sections


def _figure_key(key: str) -> str:
    short = str(key).removeprefix("figure_")
    return FIGURE_ALIASES.get(short, short)


def _picture_source(key: str, picture: Picture) -> str:
    if isinstance(picture, Figure | bytes):
        return screen_picture(picture)
    if isinstance(picture, str) and picture.startswith(IMAGE_URI_STARTS):
        return picture
    raise InputError(
        "a figure of the report is no picture",
        where=f"figure {key}",
        found=repr(picture)[:60],
        expected="a matplotlib Figure, the bytes of a PNG, or a data URI of an image",
    )


def _tables(told: ReportContent) -> list[dict[str, Any]]:
    given = {str(key).removeprefix("table_"): table for key, table in told.tables.items()}
    tables = []
    for number, (caption, build, source) in CAPTIONS.items():
        fits = getattr(told, source)
        if number in given:
            tables.append(_table(f"Table {number}", caption, given.pop(number)))
        elif fits:
            tables.append(_table(f"Table {number}", caption, build(fits)))
    return tables + [_table(heading(key), "", table) for key, table in given.items()]


def _table(title: str, caption: str, table: pd.DataFrame) -> dict[str, Any]:
    numeric = [
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        for dtype in table.dtypes
    ]
    return {
        "title": title,
        "caption": caption,
        "headings": list(zip([heading(str(name)) for name in table.columns], numeric, strict=True)),
        "rows": [list(zip(row, numeric, strict=True)) for row in display_rows(table)],
    }


def _comparisons(told: ReportContent) -> list[dict[str, Any]]:
    """Collect the candidates of each characteristic and pair, best first, as they come."""
    subjects = [
        (characteristic_name(str(name)), fits)
        for name, fits in characteristics_in_order(told.marginal_fits or {})
    ]
    subjects += [
        (
            f"{characteristic_name(str(pair.get('x')))} and "
            f"{characteristic_name(str(pair.get('y'))).lower()}",
            pair,
        )
        for pair in (told.copula_fits or {}).get("pairs") or ()
    ]
    wanted = [
        *("family", "rotation", "parameters", "standard_errors", "parameter_count"),
        *("log_likelihood", "aic", "delta_aic", "akaike_weight", "outcome", "reason"),
    ]
    comparisons = []
    for title, fits in subjects:
        table = pd.DataFrame([_written_out(row) for row in fits.get("candidates") or ()])
        shown = table[[name for name in wanted if name in table]].infer_objects()
        notes = []
        if fits.get("excluded_count"):
            reason = fits.get("excluded_reason") or "not inside both supports"
            notes.append(f"{fits['excluded_count']} grains left out: {reason}.")
        notes += [
            f"The best by {test.replace('_', ' ')}: p = {display_cell(p_value)}."
            for test, p_value in _p_values(fits.get("goodness_of_fit") or {}).items()
        ]
        comparisons.append(_table(title, " ".join(notes), shown))
    return comparisons


def _written_out(candidate: Mapping[str, Any]) -> dict[str, Any]:
    """Candidate with its parameters and their standard errors as text."""
    row = dict(candidate)
    for key in ("parameters", "standard_errors"):
        values = candidate.get(key)
        if isinstance(values, Mapping):
            names = [name for name in candidate.get("parameter_order") or values if name in values]
            row[key] = ", ".join(f"{name} = {display_cell(values[name])}" for name in names)
        elif values is not None:
            row[key] = ", ".join(display_cell(value) for value in values)
    return row


def _p_values(tested: Mapping[str, Any]) -> Mapping[str, Any]:
    """P-values of a goodness of fit by the name of the test."""
    if "p_value" in tested:
        return {"cramer_von_mises": tested["p_value"]}
    found: Mapping[str, Any] = tested.get("p_values") or {}
    return found


def _section_values(told: ReportContent) -> dict[str, list[tuple[str, list[tuple[str, str]]]]]:
    transforms = told.slice_transforms or {}
    flags = {
        f"slice {index}": found
        for index, found in enumerate(transforms.get("flags") or ())
        if found
    }
    lists = {"flags", "matrices", "center", "shift_x", "shift_y", "rotation", "registered_to"}
    alignment = {key: value for key, value in transforms.items() if key not in lists}
    for name in ("correlation_before", "correlation_after", "overlap"):
        if name in alignment:
            alignment[f"mean_{name}"] = _mean(alignment.pop(name))
    if transforms:
        alignment["flagged_slices"] = flags or "none"
    scores = told.segmentation_scores
    annotations = {
        f"slice {fit['slice']}": {key: value for key, value in fit.items() if key != "slice"}
        for fit in (told.annotation_checks or {}).get("slices", ())
    }
    groups = {
        "acquisition": (
            ("Slices", told.scan_index),
            ("Alignment", alignment),
            ("Contrast of annotated boundaries", annotations),
        ),
        "boundary": (
            ("Annotated slices", told.annotation_split),
            ("Scores on slices the network has not seen", told.boundary_scores),
        ),
        "segmentation": (("Scores", scores), ("What the segmentation did", told.segmentation_log)),
        "distributions": (
            (
                "Are the axes of grains uniform on the sphere?",
                (told.marginal_fits or {}).get("axis_uniformity"),
            ),
            ("What the fits imply for derived quantities", told.derived_distributions),
            ("Models of the dependence of all shape characteristics", told.dependence_comparison),
        ),
    }
    return {
        section: [
            (title, [(_in_words(name), text) for name, text in rows])
            for title, values in group
            if values and (rows := _value_rows(values))
        ]
        for section, group in groups.items()
    }


def _in_words(name: str) -> str:
    """Write the dotted name of a nested value for a reader."""
    return name.replace("_", " ").replace(".", ", ")


def _validation_table(scores: Mapping[str, Any]) -> dict[str, Any] | None:
    """One row for each annotated slice that was left out, then their mean and spread."""
    rows = scores.get("slices")
    if not rows:
        return None
    listed = [{**row, "slice": f"slice {row['slice']}"} for row in rows]
    summary = [
        {**(scores.get(key) or {}), "slice": name, "annotated_voxels": None}
        for key, name in (("mean", "mean"), ("std", "standard deviation"))
    ]
    table = pd.DataFrame([*listed, *summary])
    if "annotated_voxels" in table:
        table = table.astype({"annotated_voxels": "Int64"})
    shown = table[[name for name in ("slice", *VALIDATION_COLUMNS) if name in table]]
    return _table(
        "Slices left out",
        f"Networks trained for {display_cell(scores.get('epochs'))} epochs without one annotated "
        "slice, judged by it; mean and standard deviation over the slices.",
        shown.rename(columns={"slice": "Left out"}),
    )


def _suspects(told: ReportContent) -> list[dict[str, Any]]:
    """Rank the suspects with their pictures and their places in the slice browser."""
    if told.suspects is None:
        return []
    height, width = (int((told.slices or {}).get(side, 0)) for side in ("height", "width"))
    thin = int((told.slices or {}).get("thin", 1))
    pictures = [*map(_suspect_picture, told.suspect_pictures)]
    return [
        {
            "rank": display_cell(row["rank"]),
            "label": display_cell(row["label"]),
            "reason": str(row["reason"]),
            "suspicion": display_cell(row.get("suspicion")),
            "voxels": display_cell(row.get("voxel_count")),
            "place": f"{row['z']}, {row['y']}, {row['x']}",
            "slice": int(row["z"]),
            "left": (row["x"] + 0.5) / (width * thin) if width else "",
            "top": (row["y"] + 0.5) / (height * thin) if height else "",
            "picture": pictures[rank] if rank < len(pictures) else None,
        }
        for rank, row in enumerate(told.suspects.to_dict("records"))
    ]


def _suspect_picture(picture: str) -> str:
    return _picture_source("of a suspect", picture)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _provenance(provenance: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Single values first, then one block for each mapping (versions, parameters, ...)."""
    single = {k: v for k, v in provenance.items() if not isinstance(v, Mapping)}
    blocks = [("Run", _value_rows(single))] if single else []
    blocks += [
        (heading(str(key)), _value_rows(value))
        for key, value in provenance.items()
        if isinstance(value, Mapping)
    ]
    return blocks


def _value_rows(values: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Flatten nested values to rows of a dotted name and a text."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if key == "schema_version":
            continue
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            rows += _value_rows(value, name)
        else:
            rows.append((name, _value_text(value)))
    return rows


def _value_text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        shown = ", ".join(_value_text(part) for part in list(value)[:LISTED_VALUES])
        rest = len(value) - LISTED_VALUES
        return f"{shown}, and {rest} more" if rest > 0 else shown or "none"
    return display_cell(value)
