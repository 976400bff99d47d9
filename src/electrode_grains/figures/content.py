"""Content of the report; every part may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from electrode_grains.figures.style import CHARACTERISTICS, characteristic_name

Picture = Figure | bytes | str
"""A figure, the bytes of a PNG, or a data URI of an image."""


@dataclass(frozen=True)
class ReportContent:
    """Content of the report page.

    Parameters
    ----------
    title : str
        Name of the particle.
    subtitle : str
        One line below it.
    particle_summary : mapping
        Aggregated quantities, as `summarize_particle` returns them.
    figures : mapping of str to Figure, bytes or str
        By key of `FIGURES`; a leading ``figure_`` is ignored; unknown keys are shown at
        the end, under their own name.
    tables : mapping of str to DataFrame
        Tables ``1`` to ``4``; a leading ``table_`` is ignored. Made from the fits where
        absent.
    grain_table : DataFrame, optional
        One row per grain, with ``label``.
    mesh : mapping, optional
        Result of `particle_mesh`.
    slices : mapping, optional
        Result of `slice_browser`.
    marginal_fits, copula_fits : mapping, optional
        Fitted distributions with all candidates.
    derived_distributions, dependence_comparison : mapping, optional
        What the fits imply, and models of the dependence of all shape characteristics.
    scan_index, slice_transforms, annotation_checks : mapping, optional
        Results of acquisition and alignment, shown as lists of values.
    annotation_split, boundary_scores, validation_scores : mapping, optional
        Results of training, shown as lists of values.
    segmentation_scores, segmentation_log : mapping, optional
        Results of segmentation, shown as lists of values.
    suspects : DataFrame, optional
        Grains that look wrong, the worst first, with ``rank``, ``label``, ``reason`` and a
        voxel ``z``, ``y``, ``x`` of each.
    suspect_pictures : sequence of str
        Data URIs of the first suspects, as `suspect_pictures` returns them.
    candidates : mapping, optional
        Result of `distribution_payload`.
    formulas : mapping of str to mapping of str to str
        Below ``f(x)`` densities of the best marginal families, below ``C(u, v)`` distribution
        functions of the best copulas: by family, as `formula_in_mathml` takes them.
    truth_comparison : DataFrame, optional
        Characteristics beside the true ones.
    provenance : mapping
        Versions, parameters, git commit, run id; shown as nested lists of values.
    warnings : sequence of str
        Warnings about the results.
    """

    title: str
    subtitle: str = ""
    particle_summary: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Picture] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    grain_table: pd.DataFrame | None = None
    mesh: Mapping[str, Any] | None = None
    slices: Mapping[str, Any] | None = None
    marginal_fits: Mapping[str, Any] | None = None
    copula_fits: Mapping[str, Any] | None = None
    derived_distributions: Mapping[str, Any] | None = None
    dependence_comparison: Mapping[str, Any] | None = None
    scan_index: Mapping[str, Any] | None = None
    slice_transforms: Mapping[str, Any] | None = None
    slice_table: pd.DataFrame | None = None
    annotation_checks: Mapping[str, Any] | None = None
    annotation_split: Mapping[str, Any] | None = None
    boundary_scores: Mapping[str, Any] | None = None
    validation_scores: Mapping[str, Any] | None = None
    segmentation_scores: Mapping[str, Any] | None = None
    segmentation_log: Mapping[str, Any] | None = None
    suspects: pd.DataFrame | None = None
    suspect_pictures: Sequence[str] = ()
    candidates: Mapping[str, Any] | None = None
    formulas: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    truth_comparison: pd.DataFrame | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class FigureEntry:
    """Where a figure stands in the report, and its caption."""

    section: str
    number: str
    caption: str


def _lettered_characteristics() -> str:
    """Panels of Fig. 7: letter, name and bin width of each characteristic."""
    parts = []
    for letter, name in zip(ascii_lowercase, CHARACTERISTICS, strict=False):
        known = CHARACTERISTICS[name]
        width = f"{known.bin_width:g} {known.unit}".rstrip()
        parts.append(f"({letter}) {characteristic_name(name).lower()} ({width})")
    return ", ".join(parts)


FIGURES: Mapping[str, FigureEntry] = {
    "1": FigureEntry(
        "acquisition",
        "Figure 1",
        "The stack of image quality before and after alignment: cutaway, middle sections "
        "across the slices. Drift shows as steps.",
    ),
    "slice_maps": FigureEntry(
        "acquisition",
        "Slice maps",
        "Image quality and orientations (inverse pole figure colours along the beam) of the "
        "middle slice, as scanned and as aligned.",
    ),
    "drift": FigureEntry(
        "acquisition",
        "Drift",
        "Shift and rotation that alignment gave each slice; tilts against the slice before, by "
        "the lattices of the grains that both share, with standard errors.",
    ),
    "2": FigureEntry(
        "boundary",
        "Figure 2",
        "An annotated slice, the class the network finds most probable, and the predicted "
        "probabilities; by a network that has not seen the slice, where there is one.",
    ),
    "3": FigureEntry("boundary", "Figure 3", "The U-Net, drawn from the settings of this run."),
    "learning_curves": FigureEntry("boundary", "Training", "Loss and scores over the epochs."),
    "validation": FigureEntry(
        "boundary",
        "Unseen slices",
        "Networks trained without one annotated slice, judged by it (means dashed), and their "
        "calibration: observed share of boundary voxels against predicted probability.",
    ),
    "4": FigureEntry("boundary", "Figure 4", "Prediction for a slice without annotation."),
    "depth_curve": FigureEntry(
        "segmentation",
        "Depth of minima",
        "How the number of grains, and the scores on annotated slices, "
        "depend on the depth that a minimum must have to become a region.",
    ),
    "5": FigureEntry(
        "segmentation",
        "Figure 5",
        "From image quality to grains; discarded regions are shown pale.",
    ),
    "6": FigureEntry("grains", "Figure 6", "The six characteristics, on a grain of this particle."),
    "truth_comparison": FigureEntry(
        "grains",
        "Measured and true",
        "Mean and one standard deviation of the characteristics of the grains that were found "
        "(segmented), of the particle as it was made (tessellated), and of it once scanned and "
        "aligned, which a perfect segmentation would find (acquired).",
    ),
    "7": FigureEntry(
        "distributions",
        "Figure 7",
        f"Histograms of {_lettered_characteristics()}, with the width of a bin, and fitted "
        "densities; a dashed one is a spline, where the family is rejected.",
    ),
    "8": FigureEntry(
        "distributions",
        "Figure 8",
        "Fitted bivariate densities, in the order of Table 3; a dot is a grain, contours enclose "
        "the densest regions of the probability written on them.",
    ),
    "probability": FigureEntry(
        "distributions",
        "Quantiles and probabilities",
        "The sample against its best families; the band holds 95 % of what each order "
        "statistic takes by chance if the distribution is right.",
    ),
    "specific_surface": FigureEntry(
        "distributions",
        "Derived quantity",
        "Surface area per volume of grains, 6 / (d s), and its distribution under the fitted "
        "joint density of diameter and sphericity.",
    ),
}
"""Figures that the report knows, in the order of its sections."""

FIGURE_ALIASES: Mapping[str, str] = {
    "stack_alignment": "1",
    "annotated_slice": "2",
    "network_architecture": "3",
    "predicted_slice": "4",
    "segmentation_slice": "5",
    "descriptor_illustration": "6",
    "marginal_histograms": "7",
    "bivariate_densities": "8",
    "drift_plot": "drift",
    "learning": "learning_curves",
    "training": "learning_curves",
    "depth": "depth_curve",
    "truth": "truth_comparison",
}
