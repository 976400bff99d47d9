"""A small particle, and a report that is told whatever text a test wants it to show."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from electrode_grains.figures import (
    ReportContent,
    distribution_payload,
    particle_mesh,
    slice_browser,
    suspect_pictures,
)

EVIL = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\"'&"
SPACING = (70.0, 50.0, 40.0)


def particle():
    labels = np.zeros((10, 12, 14), dtype=np.int64)
    labels[1:5, 1:6, 1:7] = 3
    labels[5:9, 1:6, 1:7] = 2**33
    labels[1:9, 6:11, 7:13] = 12
    return labels


SUSPECTS = pd.DataFrame(
    {
        "rank": [1, 2],
        "label": [12, 2**33],
        "suspicion": [2.0, 1.0],
        "z": [3, 6],
        "y": [8, 3],
        "x": [9, 2],
    }
)


def candidates(text):
    """Figs. 7 and 8 with two candidates each, one of them named by the text."""
    grid = np.linspace(0.7, 1.0, 5)
    density = np.outer(np.hanning(7)[1:-1], np.hanning(7)[1:-1])
    marginal = {
        "sample": np.array([0.8, 0.81, 0.9]),
        "grid": grid,
        "candidates": [
            {"family": text, "delta_aic": 0.0, "density": np.hanning(5)},
            {"family": "beta", "delta_aic": 2.5, "density": np.ones(5)},
        ],
    }
    pair = {
        "x": "sphericity",
        "y": text,
        "x_sample": [0.8, 0.9],
        "y_sample": [0.8, 0.85],
        "x_grid": grid,
        "y_grid": grid,
        "candidates": [
            {"family": text, "rotation": 90, "delta_aic": 0.0, "density": density,
             "levels": {0.5: 0.6, 0.9: 0.2}},
            {"family": "frank", "rotation": 0, "delta_aic": 1.0, "density": density.T,
             "levels": {}},
        ],
    }  # fmt: skip
    return distribution_payload({"sphericity": marginal, text: marginal}, [pair])


def content(text="plain"):
    labels = particle()
    grains = pd.DataFrame(
        {
            "label": [3, 12, 2**33],
            "sphericity": [0.8, np.nan, 0.9],
            "touches_window": [False, True, False],
            "note": [text] * 3,
        }
    )
    candidate = {"family": text, "parameters": {text: 1.0}, "aic": None, "reason": text}
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().set_title("a")
    return ReportContent(
        title=text,
        subtitle=text,
        particle_summary={"grain_count": 3, text: text},
        figures={"1": figure, "figure_7": figure, text: figure},
        tables={"extra": pd.DataFrame({text: [text]})},
        grain_table=grains,
        mesh=particle_mesh(labels, SPACING, step=1),
        slices=slice_browser(
            labels.astype(float), labels, np.ones(labels.shape), spacing_nm=SPACING,
            slice_names=[text] * len(labels),
        ),
        marginal_fits={"characteristics": {text: {"best": text, "unit": text,
                                                  "excluded_count": 1, "excluded_reason": text,
                                                  "candidates": [candidate]}}},
        copula_fits={"pairs": [{"x": text, "y": text, "best": None, "candidates": []}]},
        scan_index={"notes": [text]},
        slice_transforms={"mode": text, "flags": [[], [text]]},
        annotation_split={"train": [1], "held_out": []},
        boundary_scores={text: text},
        segmentation_scores={"truth": None},
        segmentation_log={text: [text]},
        validation_scores={
            "epochs": 2,
            "slices": [{"slice": 1, "boundary_f1": 0.8, text: text}],
            "mean": {"boundary_f1": 0.8},
            "std": {"boundary_f1": 0.0},
        },
        suspects=SUSPECTS.assign(reason=text),
        suspect_pictures=suspect_pictures(SUSPECTS, labels.astype(float), labels),
        candidates=candidates(text),
        truth_comparison=pd.DataFrame({"source": [text]}),
        provenance={"run_id": text, "parameters": {text: {text: text}}},
        warnings=[text],
    )  # fmt: skip
