"""Scores on slices that a network has not seen, for every annotated slice in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.boundary.baseline import threshold_f1
from electrode_grains.boundary.inference import Progress, predict_slices
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
from electrode_grains.boundary.training_states import TrainingStates, training_fingerprint
from electrode_grains.boundary.windows import measured_classes
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
    baseline_f1 : float, optional
        Boundary F1 of the best threshold of smoothed grey values (`threshold_f1`).
    """

    index: int
    probability: NDArray[np.float32]
    scores: BoundaryScores
    augmented_scores: BoundaryScores | None = None
    baseline_f1: float | None = None


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
    baseline_f1 : float, optional
        Mean boundary F1 of the best threshold of smoothed grey values, chosen on the other
        slices; None where the slices show no boundary.
    """

    epochs: int = 0
    slices: tuple[Mapping[str, float | None], ...] = ()
    mean: Mapping[str, float | None] = field(default_factory=dict)
    std: Mapping[str, float | None] = field(default_factory=dict)
    reliability: Reliability | None = None
    augmentation_gain: Mapping[str, float | None] | None = None
    baseline_f1: float | None = None

    def warnings(self) -> list[str]:
        """What a reader of the results must know: a network that is worse than a threshold."""
        network = self.mean.get("boundary_f1")
        if network is None or self.baseline_f1 is None or network >= self.baseline_f1:
            return []
        return [
            "a threshold of smoothed grey values finds the boundaries of unseen slices better "
            f"than the network (F1 {self.baseline_f1:.3f} against {network:.3f}): annotate more "
            "slices, or raise boundary_model.training.epochs"
        ]

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
            "baseline_f1": self.baseline_f1,
            "warnings": self.warnings(),
        } | ({} if gain is None else {"augmentation_gain": dict(gain)})

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Value from what `to_dict` returned."""
        if not content:
            return cls()
        values = {name: value for name, value in content.items() if name != "warnings"}
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
    states: TrainingStates | None = None,
    report_progress: Progress | None = None,
) -> Iterator[UnseenSlice]:
    """Train without each annotated slice in turn, and predict it.

    Where more slices are annotated than trainings are wanted, each leaves out several that lie
    side by side: of neighbours one would show what the other is.

    Parameters
    ----------
    contrast, annotation, spacing
        As in `train_boundary_network`.
    settings : TrainingSettings, optional
        Of each training, but for its epochs and patience: a slice that decides when to stop
        would not be unseen.
    validation : ValidationSettings, optional
        Epochs of each training, how many at most, and symmetries to score each slice with a
        second time.
    initial_network : UNet3D, optional
        From which each of the trainings starts; it must not have seen any of the slices.
    states : TrainingStates, optional
        Where each training keeps its states, so that one that was interrupted goes on, and one
        that was done is not repeated. The caller clears them.
    report_progress : callable, optional
        Called with (steps done, steps in all trainings, as far as is known).

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
    Costs as many trainings as there are annotated slices, up to the most that are wanted.
    """
    validation = validation or ValidationSettings()
    own = (settings or TrainingSettings()).model_copy(
        update={"epochs": validation.epochs, "patience": None}
    )
    _, classes = measured_classes(contrast, annotation)
    slices = annotated_slices(classes)
    if len(slices) < 2:
        raise InputError(
            "leaving one slice out needs a second one to train on",
            found=f"annotated slices {slices}",
            expected="two or more",
        )
    states = states or TrainingStates("")
    folds = np.array_split(slices, min(len(slices), validation.most_trainings))
    for fold, kept_back in enumerate(folds):
        others = classes.copy()
        others[kept_back] = 0

        def count(done: int, total: int, fold: int = fold) -> None:
            if report_progress is not None:
                report_progress(fold * total + done, len(folds) * total)

        fingerprint = training_fingerprint(
            contrast, others, own, spacing=spacing, initial_network=initial_network
        )
        kept = states.part(f"without_slice_{kept_back[0]:05d}", fingerprint)
        network = train_boundary_network(
            contrast,
            others,
            settings=own,
            spacing=spacing,
            initial_network=initial_network,
            resume=kept.latest(),
            on_state=kept.save,
            report_progress=count,
        ).network
        rest = annotated_slices(others)
        for z in kept_back.tolist():
            unseen = _judged(network, contrast, classes, z, own, validation)
            yield replace(unseen, baseline_f1=threshold_f1(contrast, classes, rest, z))


def annotated_slices(annotation: NDArray[np.integer]) -> list[int]:
    """List the slices, from 0, of which at least a voxel is annotated.

    Examples
    --------
    >>> annotated_slices(np.array([[[0]], [[2]]]))
    [1]
    """
    return [int(z) for z in np.flatnonzero(annotation.any(axis=(1, 2)))]


def _judged(
    network: UNet3D,
    contrast: NDArray[np.float32],
    classes: NDArray[np.uint8],
    z: int,
    training: TrainingSettings,
    validation: ValidationSettings,
) -> UnseenSlice:
    """Predict a slice that the network has not seen, and compare it with its annotation."""
    plain = PredictionSettings(
        precision=training.precision, device=training.device, threads=training.threads
    )

    def scored(prediction: PredictionSettings) -> tuple[NDArray[np.float32], BoundaryScores]:
        probability = predict_slices(network, contrast, [z], settings=prediction)
        return probability[:, 0], boundary_scores(probability, classes[[z]])

    probability, scores = scored(plain)
    symmetries = validation.test_time_augmentation
    if not symmetries:
        return UnseenSlice(z, probability, scores)
    averaged = plain.model_copy(update={"test_time_augmentation": symmetries})
    return UnseenSlice(z, probability, scores, scored(averaged)[1])


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
    baseline = [one.baseline_f1 for one in slices if one.baseline_f1 is not None]
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
        baseline_f1=float(np.mean(baseline)) if baseline else None,
    )


def _by_name(values: pd.Series[float]) -> dict[str, float | None]:
    return {str(name): float(value) for name, value in values.items()}
