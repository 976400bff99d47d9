"""What was measured, of what, and how good it is, in a few sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from electrode_grains.figures.content import ReportContent
from electrode_grains.figures.style import characteristic_name
from electrode_grains.figures.tables import unit_of

# Characteristics whose means stand at the top of the page, with their digits.
MEANS = {"equivalent_diameter_nm": 0, "sphericity": 3}
ALIGNED = {
    "none": ", taken as aligned",
    "translation": ", aligned by shifts",
    "rigid_body": ", aligned by shifts and rotations",
    "affine": ", aligned by affine maps",
}


def summarize(content: ReportContent) -> str:
    """Summarize a report in one paragraph.

    Parameters
    ----------
    content : ReportContent
        Whatever is missing is not spoken of.

    Returns
    -------
    str
        Grains and where they come from, means with standard errors, quality, origin.

    Examples
    --------
    >>> summarize(ReportContent("A", particle_summary={"grain_count": 5, "whole_grain_count": 3}))
    '5 grains; 3 of them lie wholly inside what was measured and enter the statistics.'
    """
    sentences = (_grains(content), _means(content), _network(content), _truth(content))
    return " ".join(sentence for sentence in (*sentences, _origin(content.provenance)) if sentence)


def mean_with_error(fit: Mapping[str, Any], digits: int) -> str:
    """Write the mean of a sample and its standard error; empty where there is none."""
    mean, std, size = (fit.get(name) for name in ("mean", "std", "sample_size"))
    if mean is None or std is None or not size:
        return ""
    return f"{mean:.{digits}f} ± {std / math.sqrt(size):.{digits}f}"


def _grains(content: ReportContent) -> str:
    count = content.particle_summary.get("grain_count")
    if count is None:
        return ""
    whole = content.particle_summary.get("whole_grain_count")
    slices = len((content.scan_index or {}).get("slices") or ())
    aligned = _alignment(content.slice_transforms or {})
    source = f" from {slices} slices{aligned}" if slices else ""
    rest = "" if whole is None else (
        f"; {whole} of them lie wholly inside what was measured and enter the statistics"
    )  # fmt: skip
    return f"{count} grains{source}{rest}."


def _alignment(transforms: Mapping[str, Any]) -> str:
    """How slices were aligned; that they were left in place where none of them moved."""
    mode, matrices = str(transforms.get("mode")), transforms.get("matrices")
    if mode != "none" and matrices is not None and np.allclose(matrices, np.eye(3)):
        return ", left as scanned, since no drift was found"
    return ALIGNED.get(mode, "")


def _means(content: ReportContent) -> str:
    fits = (content.marginal_fits or {}).get("characteristics") or {}
    parts = []
    for name, digits in MEANS.items():
        fit = fits.get(name) or {}
        if text := mean_with_error(fit, digits):
            value = f"{text} {unit_of(name, fit)}".rstrip()
            parts.append(
                f"{characteristic_name(name).lower()} {value} "
                f"(standard deviation {fit['std']:.{digits}f})"
            )
    return f"Means with their standard errors: {', '.join(parts)}." if parts else ""


def _network(content: ReportContent) -> str:
    scores = content.validation_scores or {}
    score = (scores.get("mean") or {}).get("boundary_f1")
    if score is None:
        return ""
    count, spread = len(scores.get("slices") or ()), (scores.get("std") or {}).get("boundary_f1")
    text = f"{score:.3f}" + ("" if spread is None else f" ± {spread:.3f}")
    rival = scores.get("baseline_f1")
    beside = "" if rival is None else f"; a threshold of image quality {rival:.3f}"
    return f"On {count} annotated slices unseen in training, boundaries have F1 {text}{beside}."


def _truth(content: ReportContent) -> str:
    truth = (content.segmentation_scores or {}).get("truth") or {}
    found, error = (truth.get("matched") or {}).get("f1"), truth.get("adapted_rand_error")
    if found is None or error is None:
        return ""
    return (
        "The particle is virtual, so that its grains are known: "
        f"F1 of matched grains {found:.3f}, adapted Rand error {error:.3f}."
    )


def _origin(provenance: Mapping[str, Any]) -> str:
    known = [provenance.get(name) for name in ("computed", "electrode_grains", "machine")]
    if None in known:
        return ""
    day, version, machine = known
    return f"Computed {day} by Electrode Grains {version} on {machine}."
