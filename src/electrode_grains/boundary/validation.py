"""Scores on slices that a network has not seen, for every annotated slice in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.boundary.inference import predict_slices
from electrode_grains.boundary.network import UNet3D
from electrode_grains.boundary.scores import (
    BoundaryScores,
    Reliability,
    boundary_scores,
    pool_reliability,
)
from electrode_grains.boundary.settings import (
    PredictionSettings,
    TrainingSettings,
    ValidationSettings,
)
from electrode_grains.boundary.symmetries import Triple
from electrode_grains.boundary.training import train_boundary_network
from electrode_grains.boundary.windows import as_channels, checked_annotation
from electrode_grains.errors import InputError


@dataclass(frozen=True)
class UnseenSlice:
    """What a network says about a slice that was kept from it.

    Attributes
    ----------
    index : int
        Slice number, from 0.
    probability : NDArray of float32, shape (3, y, x)
        Boundary, interior, background.
    scores : BoundaryScores
        Of this prediction.
    augmented_scores : BoundaryScores, optional
        The same, averaged over symmetries; None where this was not asked for.
    """

    index: int
    probability: NDArray[np.float32]
    scores: BoundaryScores
    augmented_scores: BoundaryScores | None = None


@dataclass(frozen=True)
class ValidationScores:
    """Scores with every annotated slice left out in turn.

    Attributes
    ----------
    epochs : int
        Of each training; 0 where none was made.
    slices : tuple of dict
        `slice` and the numbers of `BoundaryScores`, for each slice.
    mean, std : dict of float
        Of every score over the slices where it is defined; the deviation with n - 1, so that it
        is undefined for fewer than two values.
    reliability : Reliability, optional
        Of all voxels together; None without a slice.
    augmentation_gain : dict of float, optional
        By how much averaging over symmetries raises each mean; None where it was not asked for.
    """

    epochs: int = 0
    slices: tuple[Mapping[str, float | None], ...] = ()
    mean: Mapping[str, float | None] = field(default_factory=dict)
    std: Mapping[str, float | None] = field(default_factory=dict)
    reliability: Reliability | None = None
    augmentation_gain: Mapping[str, float | None] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name; empty where no slice was left out."""
        if self.reliability is None:
            return {}
        gain = self.augmentation_gain
        return {
            "epochs": self.epochs,
            "slices": [dict(row) for row in self.slices],
            "mean": dict(self.mean),
            "std": dict(self.std),
            "reliability": self.reliability.to_dict(),
        } | ({} if gain is None else {"augmentation_gain": dict(gain)})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Value from what `to_dict` returned."""
        if not content:
            return cls()
        values = dict(content)
        values["reliability"] = Reliability.from_dict(values["reliability"])
        return cls(**values | {"slices": tuple(values["slices"])})


def predict_unseen_slices(
    contrast: NDArray[np.float32],
    annotation: NDArray[np.integer],
    *,
    settings: TrainingSettings | None = None,
    validation: ValidationSettings | None = None,
    spacing: Triple = (1.0, 1.0, 1.0),
    initial_network: UNet3D | None = None,
) -> Iterator[UnseenSlice]:
    """Train once for each annotated slice, without it, and predict it.

    Parameters
    ----------
    contrast, annotation, spacing
        As in `train_boundary_network`.
    settings : TrainingSettings, optional
        Of each training, but for its epochs and patience: a slice that decides when to stop
        would not be unseen.
    validation : ValidationSettings, optional
        Epochs of each training, and symmetries to score each slice with a second time.
    initial_network : UNet3D, optional
        From which each of the trainings starts; it must not have seen any of the slices.

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
    validation = validation or ValidationSettings()
    own = (settings or TrainingSettings()).model_copy(
        update={"epochs": validation.epochs, "patience": None}
    )
    volume = as_channels(contrast)
    classes = checked_annotation(annotation, volume.shape[1:])
    slices = [int(z) for z in np.flatnonzero(classes.any(axis=(1, 2)))]
    if len(slices) < 2:
        raise InputError(
            "leaving one slice out needs a second one to train on",
            found=f"annotated slices {slices}",
            expected="two or more",
        )
    plain = PredictionSettings(
        window_shape=None, precision=own.precision, device=own.device, threads=own.threads
    )
    averaged = plain.model_copy(
        update={"test_time_augmentation": validation.test_time_augmentation}
    )
    for z in slices:
        others = classes.copy()
        others[z] = 0
        network = train_boundary_network(
            volume, others, settings=own, spacing=spacing, initial_network=initial_network
        ).network

        def scored(
            prediction: PredictionSettings, z: int = z, network: UNet3D = network
        ) -> tuple[NDArray[np.float32], BoundaryScores]:
            probability = predict_slices(network, volume, [z], settings=prediction)
            return probability, boundary_scores(probability, classes[[z]])

        probability, scores = scored(plain)
        augmented = scored(averaged)[1] if validation.test_time_augmentation else None
        yield UnseenSlice(z, probability[:, 0], scores, augmented)


def summarize_unseen_slices(
    slices: Sequence[UnseenSlice], validation: ValidationSettings | None = None
) -> ValidationScores:
    """Mean, spread and calibration of the scores on unseen slices.

    Parameters
    ----------
    slices : sequence of UnseenSlice
        None where nothing was left out.
    validation : ValidationSettings, optional
        Under which they were predicted.

    Returns
    -------
    ValidationScores
        Without slices where there are none.
    """
    if not slices:
        return ValidationScores()
    rows = [{"slice": one.index, **one.scores.numbers()} for one in slices]
    scores = pd.DataFrame(rows).drop(columns=["slice", "tolerance"]).astype(float)
    augmented = [one.augmented_scores.numbers() for one in slices if one.augmented_scores]
    gain = None
    if augmented:
        difference = pd.DataFrame(augmented)[list(scores)].astype(float) - scores
        gain = _by_name(difference.mean().drop("annotated_voxels"))
    return ValidationScores(
        epochs=(validation or ValidationSettings()).epochs,
        slices=tuple(rows),
        mean=_by_name(scores.mean()),
        std=_by_name(scores.std(ddof=1)),
        reliability=pool_reliability([one.scores.reliability for one in slices]),
        augmentation_gain=gain,
    )


def _by_name(values: pd.Series[float]) -> dict[str, float | None]:
    return {str(name): float(value) for name, value in values.items()}
