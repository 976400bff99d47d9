"""Tables and lists of values of the report, as plain text by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from electrode_grains.figures.content import ReportContent
from electrode_grains.figures.fit_notes import fit_notes
from electrode_grains.figures.style import characteristic_name
from electrode_grains.figures.table_text import display_cell, display_rows, heading
from electrode_grains.figures.tables import characteristics_in_order, p_text

LISTED_VALUES = 12
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
        (
            "segmentation_scores",
            "orientations.high_angle_recall",
            "recall of faces above 15 degrees (no truth needed)",
        ),
        (
            "segmentation_scores",
            "orientations.second_orientation_share",
            "grains with a second orientation (share)",
        ),
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


def main_scores(content: ReportContent) -> dict[str, list[dict[str, str]]]:
    """Pick the main scores; those that are undefined are left out."""
    scores: dict[str, list[dict[str, str]]] = {}
    for section, wanted in SCORES.items():
        picked = [
            (
                part,
                _inner(getattr(content, part), path),
                _spread(getattr(content, part), path),
                name,
            )
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


def page_table(title: str, caption: str, table: pd.DataFrame) -> dict[str, Any]:
    """Headings and cells of a table as text; numbers are marked for their alignment."""
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


def candidate_tables(content: ReportContent) -> list[dict[str, Any]]:
    """Collect the candidates of each characteristic and pair, best first, as they come."""
    subjects = [
        (characteristic_name(str(name)), fits)
        for name, fits in characteristics_in_order(content.marginal_fits or {})
    ]
    subjects += [
        (
            f"{characteristic_name(str(pair.get('x')))} and "
            f"{characteristic_name(str(pair.get('y'))).lower()}",
            pair,
        )
        for pair in (content.copula_fits or {}).get("pairs") or ()
    ]
    wanted = [
        *("family", "rotation", "parameters", "standard_errors", "parameter_count"),
        *("log_likelihood", "aic", "delta_aic", "akaike_weight", "outcome", "reason"),
    ]
    comparisons = []
    for title, fits in subjects:
        table = pd.DataFrame([_format_candidate(row) for row in fits.get("candidates") or ()])
        shown = table[[name for name in wanted if name in table]].infer_objects()
        notes = []
        if fits.get("excluded_count"):
            reason = fits.get("excluded_reason") or "not inside both supports"
            notes.append(f"{fits['excluded_count']} grains left out: {reason}.")
        notes += [
            f"The best by {test.replace('_', ' ')}: p {_equal(p_value)}."
            for test, p_value in _p_values(fits.get("goodness_of_fit") or {}).items()
        ]
        notes += fit_notes(fits)
        comparisons.append(page_table(title, " ".join(notes), shown))
    return comparisons


def _format_candidate(candidate: Mapping[str, Any]) -> dict[str, Any]:
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


def _p_values(tested: Mapping[str, Any]) -> Mapping[str, str]:
    """P-values of a goodness of fit by the name of the test, the one of all three first."""
    replicates = tested.get("replicates")
    if "p_value" in tested:
        return {"cramer_von_mises": p_text(tested["p_value"], replicates)}
    combined = {"the three tests together": tested.get("combined_p_value")}
    by_test = {**combined, **(tested.get("p_values") or {})}
    return {name: text for name, p in by_test.items() if (text := p_text(p, replicates))}


def _equal(text: str) -> str:
    return text if text.startswith("≤") else f"= {text}"


Rows = list[tuple[str, str]]


def section_values(content: ReportContent) -> dict[str, list[tuple[str, Rows]]]:
    """Lists of named values by section, without those that hold nothing."""
    transforms = content.slice_transforms or {}
    flags = {
        f"slice {index}": found
        for index, found in enumerate(transforms.get("flags") or ())
        if found
    }
    lists = {"flags", "matrices", "center", "shift_x", "shift_y", "rotation", "registered_to"}
    alignment = {key: value for key, value in transforms.items() if key not in lists}
    if alignment.get("lattice"):  # each slice's own stand in the table
        alignment["lattice"] = _turns_of_lattices(alignment["lattice"])
    for name in ("correlation_before", "correlation_after", "overlap"):
        if name in alignment:
            alignment[f"mean_{name}"] = _mean(alignment.pop(name))
    if transforms:
        alignment["flagged_slices"] = flags or "none"
    scores = content.segmentation_scores
    annotations = {
        f"slice {fit['slice']}": {key: value for key, value in fit.items() if key != "slice"}
        for fit in (content.annotation_checks or {}).get("slices", ())
    }
    groups = {
        "acquisition": (
            ("Slices", content.scan_index),
            ("Alignment", alignment),
            ("Contrast of annotated boundaries", annotations),
        ),
        "boundary": (
            ("Annotated slices", content.annotation_split),
            ("Scores on slices the network has not seen", content.boundary_scores),
        ),
        "segmentation": (("Scores", scores), ("Log of the segmentation", content.segmentation_log)),
        "distributions": (
            (
                "Are the axes of grains uniform on the sphere?",
                (content.marginal_fits or {}).get("axis_uniformity"),
            ),
            ("Derived quantities of the fits", content.derived_distributions),
            (
                "Models of the dependence of all shape characteristics",
                content.dependence_comparison,
            ),
        ),
    }
    return {
        section: [
            (title, [(humanize(name), text) for name, text in rows])
            for title, values in group
            if values and (rows := value_rows(values))
        ]
        for section, group in groups.items()
    }


def _turns_of_lattices(lattice: Mapping[str, Any]) -> dict[str, Any]:
    """What the turns of all lattices come to, in degrees."""
    turns, errors = (np.degrees(np.array(lattice[key], float)) for key in ("turns", "errors"))
    known = np.isfinite(turns).all(axis=1) if len(turns) else np.zeros(0, bool)
    values: dict[str, Any] = {"sense": lattice["sense"], "slices_compared": int(known.sum())}
    if known.any():
        for axis, name in enumerate(("tilt_about_x", "tilt_about_y", "rotation")):
            values[f"{name}_rms_degrees"] = float(np.sqrt((turns[known, axis] ** 2).mean()))
            values[f"{name}_standard_error_degrees"] = float(np.median(errors[known, axis]))
    return values


def slice_rows(table: pd.DataFrame) -> dict[str, Any]:
    """Table of the slices for the page: motions, and turns of lattices with standard errors."""

    def with_error(name: str) -> list[str]:
        pairs = zip(table[f"{name}_degrees"], table[f"{name}_error_degrees"], strict=True)
        return [
            f"{value:.3f} ± {error:.3f}" if np.isfinite(value) else "" for value, error in pairs
        ]

    shown = pd.DataFrame({
        "Slice": table["slice"],
        "Shift x / px": table["shift_x_px"].round(3),
        "Shift y / px": table["shift_y_px"].round(3),
        "Rotation / degrees": table["rotation_degrees"].round(3),
        "Against": table["registered_to"],
        "Tilt about x / degrees": with_error("tilt_x"),
        "Tilt about y / degrees": with_error("tilt_y"),
        "Turn about z / degrees": with_error("lattice_rotation"),
        "Flags": table["flags"],
    })  # fmt: skip
    return page_table(
        "Slices",
        "Motion of each slice by the alignment; and how its lattices are turned against those of "
        "the slice in the fifth column, by the grains that both share (value ± standard error; "
        "axes of the map: x right, y down, z along milling).",
        shown,
    )


NAMES: Mapping[str, str] = {
    "slice_order": "slice numbers along milling",
    "frames.frames": "frames of the orientations",
    "frames.hexagonal_x": "x of hexagonal crystals lies along",
    "frames.by": "frames chosen by",
    "indexed_share": "share of points with an orientation",
    "from_volume": "slices of a volume file",
    "stack_notes": "notes on the stack",
    "fingerprint": "digest of the scans",
    "annotation.interior_rand_error": "adapted Rand error inside grains of annotated slices",
    "annotation.interior_information": "variation of information inside grains / bit",
    "annotation.boundary_precision": "boundary precision on annotated slices",
    "annotation.boundary_recall": "boundary recall on annotated slices",
    "annotation.boundary_f1": "boundary F1 on annotated slices",
    "annotation.annotated_slices": "annotated slices",
    "orientations.high_angle_faces": "faces between points above 15 degrees",
    "orientations.high_angle_recall": "share of these faces on grain boundaries",
    "orientations.second_orientation_share": "share of grains with a second orientation",
    "bingham": "Bingham's statistic (axes uniform on the sphere)",
    "bingham_p_value": "p of Bingham's statistic",
    "rayleigh": "Rayleigh's statistic (azimuths uniform)",
    "rayleigh_p_value": "p of Rayleigh's statistic",
}
"""What values are called for a reader, where their words do not say it."""

SPELLED = {"laue": "Laue", "f1": "F1", "rand": "Rand", "brier": "Brier", "aic": "AIC",
           "um2": "/ µm²", "um3": "/ µm³", "nm": "/ nm", "nm3": "/ nm³", "px": "/ px",
           "degrees": "/ degrees"}  # fmt: skip


def humanize(name: str) -> str:
    """Write the dotted name of a nested value for a reader.

    Examples
    --------
    >>> humanize("laue_group"), humanize("void_volume_um3"), humanize("frames.by")
    ('Laue group', 'void volume / µm³', 'frames chosen by')
    """
    if name in NAMES:
        return NAMES[name]
    parts = name.replace("pseudo_symmetry", "pseudo-symmetry").split(".")
    return ", ".join(
        " ".join(SPELLED.get(word, word) for word in part.split("_")) for part in parts
    )


def validation_table(scores: Mapping[str, Any]) -> dict[str, Any] | None:
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
    return page_table(
        "Slices left out",
        f"Networks trained for {display_cell(scores.get('epochs'))} epochs without one annotated "
        "slice, judged by it; mean and standard deviation over the slices.",
        shown.rename(columns={"slice": "Left out"}),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def provenance_blocks(provenance: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Single values first, then one block for each mapping (versions, parameters, ...)."""
    single = {k: v for k, v in provenance.items() if not isinstance(v, Mapping)}
    blocks = [("Run", value_rows(single))] if single else []
    blocks += [
        (heading(str(key)), value_rows(value))
        for key, value in provenance.items()
        if isinstance(value, Mapping)
    ]
    return blocks


def value_rows(values: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Flatten nested values to rows of a dotted name and a text."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if key == "schema_version":
            continue
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            rows += value_rows(value, name) if value else [(name, "none")]
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
