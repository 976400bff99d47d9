"""Scores on slices that a network has not seen, for every annotated slice in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.boundary.inference import Augmentation, predict_slices
from electrode_grains.boundary.network import UNet3D
from electrode_grains.boundary.scores import boundary_scores, pool_reliability
from electrode_grains.boundary.settings import TrainingSettings
from electrode_grains.boundary.symmetries import Triple
from electrode_grains.boundary.training import train_boundary_network
from electrode_grains.boundary.windows import as_channels, checked_annotation
from electrode_grains.errors import InputError

Scores = Mapping[str, Any]


@dataclass(frozen=True)
class UnseenSlice:
    """What a network says about a slice that was kept from it.

    Attributes
    ----------
    index : int
        Slice number, from 0.
    probability : NDArray of float32, shape (3, y, x)
        Boundary, interior, background.
    scores : dict
        `boundary_scores` of this prediction.
    augmented_scores : dict, optional
        The same, averaged over symmetries; None where this was not asked for.
    """

    index: int
    probability: NDArray[np.float32]
    scores: Scores
    augmented_scores: Scores | None = None


def predict_unseen_slices(
    contrast: NDArray[np.float32],
    annotation: NDArray[np.integer],
    *,
    settings: TrainingSettings | None = None,
    spacing: Triple = (1.0, 1.0, 1.0),
    initial_network: UNet3D | None = None,
    test_time_augmentation: Augmentation = False,
) -> Iterator[UnseenSlice]:
    """Train once for each annotated slice, without it, and predict it.

    Parameters
    ----------
    contrast, annotation, spacing
        As in `train_boundary_network`.
    settings : TrainingSettings, optional
        Its `held_out_slices` and `patience` are set aside: a slice that decides
        when to stop would not be unseen.
    initial_network : UNet3D, optional
        From which each of the trainings starts; it must not have seen any of the slices.
    test_time_augmentation : bool or {"in_plane", "cube"}
        Score each slice a second time, averaged over these symmetries.

    Yields
    ------
    UnseenSlice
        For one annotated slice after the other.

    Raises
    ------
    InputError
        If fewer than two slices are annotated.

    Notes
    -----
    Costs as many trainings as there are annotated slices.
    """
    own = replace(settings or TrainingSettings(), held_out_slices=(), patience=None)
    volume = as_channels(contrast)
    classes = checked_annotation(annotation, volume.shape[1:])
    slices = [int(z) for z in np.flatnonzero(classes.any(axis=(1, 2)))]
    if len(slices) < 2:
        raise InputError(
            "leaving one slice out needs a second one to train on",
            found=f"annotated slices {slices}",
            expected="two or more",
        )
    where = {"precision": own.precision, "device": own.device, "threads": own.threads}
    for z in slices:
        others = classes.copy()
        others[z] = 0
        network = train_boundary_network(
            volume, others, settings=own, spacing=spacing, initial_network=initial_network
        ).network
        probability = predict_slices(network, volume, [z], **where)
        augmented = None
        if test_time_augmentation:
            averaged = predict_slices(
                network, volume, [z], test_time_augmentation=test_time_augmentation, **where
            )
            augmented = boundary_scores(averaged, classes[[z]])
        yield UnseenSlice(
            z, probability[:, 0], boundary_scores(probability, classes[[z]]), augmented
        )


def leave_one_slice_out(
    contrast: NDArray[np.float32],
    annotation: NDArray[np.integer],
    *,
    settings: TrainingSettings | None = None,
    spacing: Triple = (1.0, 1.0, 1.0),
    initial_network: UNet3D | None = None,
    on_slice: Callable[[int, Scores], None] | None = None,
) -> pd.DataFrame:
    """Train once for each annotated slice, without it, and judge by it.

    Parameters
    ----------
    contrast, annotation, settings, spacing, initial_network
        As in `predict_unseen_slices`.
    on_slice : callable, optional
        Called with (slice, its scores) after each training.

    Returns
    -------
    DataFrame
        A row for each annotated slice: `slice` and the numbers of
        `boundary_scores`. Their spread says how far one slice can be trusted.

    Raises
    ------
    InputError
        If fewer than two slices are annotated.
    """
    rows = []
    for unseen in predict_unseen_slices(
        contrast, annotation, settings=settings, spacing=spacing, initial_network=initial_network
    ):
        if on_slice is not None:
            on_slice(unseen.index, unseen.scores)
        rows.append({"slice": unseen.index, **_numbers(unseen.scores)})
    return pd.DataFrame(rows)


def summarize_unseen_slices(slices: Sequence[UnseenSlice]) -> dict[str, Any]:
    """Mean, spread and calibration of the scores on unseen slices.

    Parameters
    ----------
    slices : sequence of UnseenSlice
        At least one.

    Returns
    -------
    dict
        `slices`, a list with the scores of each; `mean` and `std` (with n - 1; None for
        fewer than two values) of every score over the slices where it is defined;
        `reliability`, the curve of all voxels together; and where slices were scored
        with augmentation too, `augmentation_gain`, by how much it raises each mean.
    """
    table = pd.DataFrame([{"slice": one.index, **_numbers(one.scores)} for one in slices])
    scores = table.drop(columns=["slice", "tolerance"]).astype(float)
    summary = {
        "slices": table.to_dict("records"),
        "mean": scores.mean().to_dict(),
        "std": scores.std(ddof=1).to_dict(),
        "reliability": pool_reliability([one.scores["reliability"] for one in slices]),
    }
    augmented = [_numbers(one.augmented_scores) for one in slices if one.augmented_scores]
    if augmented:
        gain = pd.DataFrame(augmented)[list(scores)].astype(float) - scores
        summary["augmentation_gain"] = gain.mean().drop("annotated_voxels").to_dict()
    return summary


def _numbers(scores: Scores) -> dict[str, Any]:
    return {name: value for name, value in scores.items() if name != "reliability"}
