"""Scores on slices that a network has not seen, for every annotated slice in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.boundary.settings import TrainingSettings
from electrode_grains.boundary.symmetries import Triple
from electrode_grains.boundary.training import train_boundary_network
from electrode_grains.boundary.windows import as_channels, checked_annotation
from electrode_grains.problems import InputProblem


def leave_one_slice_out(
    contrast: NDArray[np.float32],
    annotation: NDArray[np.integer],
    *,
    settings: TrainingSettings | None = None,
    spacing: Triple = (1.0, 1.0, 1.0),
    on_slice: Callable[[int, dict[str, Any]], None] | None = None,
) -> pd.DataFrame:
    """Train once for each annotated slice, without it, and judge by it.

    Parameters
    ----------
    contrast, annotation, spacing
        As in `train_boundary_network`.
    settings : TrainingSettings, optional
        Its `held_out_slices` and `patience` are set aside: a slice that decides
        when to stop would not be unseen.
    on_slice : callable, optional
        Called with (slice, its scores) after each training.

    Returns
    -------
    DataFrame
        A row for each annotated slice: `slice` and the numbers of
        `boundary_scores`. Their spread says how far one slice can be trusted.

    Raises
    ------
    InputProblem
        If fewer than two slices are annotated.

    Notes
    -----
    Costs as many trainings as there are annotated slices.
    """
    settings = settings or TrainingSettings()
    volume = as_channels(contrast)
    classes = checked_annotation(annotation, volume.shape[1:])
    slices = [int(z) for z in np.flatnonzero(classes.any(axis=(1, 2)))]
    if len(slices) < 2:
        raise InputProblem(
            "leaving one slice out needs a second one to train on",
            found=f"annotated slices {slices}",
            expected="two or more",
        )
    rows = []
    for z in slices:
        own = replace(settings, held_out_slices=(z,), patience=None)
        scores = train_boundary_network(
            volume, classes, settings=own, spacing=spacing
        ).held_out_scores
        if on_slice is not None:
            on_slice(z, scores)
        rows.append({"slice": z} | {k: v for k, v in scores.items() if k != "reliability"})
    return pd.DataFrame(rows)
