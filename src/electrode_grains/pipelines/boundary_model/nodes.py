"""Nodes of the boundary_model pipeline."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from electrode_grains.classes import CHANNEL_NAMES
from electrode_grains.ebsd.orientations import neighbour_misorientation
from electrode_grains.errors import SettingsError
from electrode_grains.pipelines.boundary_model.settings import (
    ContrastSettings,
    NetworkTrainingSettings,
    PredictionSettings,
    SplitSettings,
    ValidationSettings,
)
from electrode_grains.progress import report_progress
from electrode_grains.volumes import as_volume, spacing_of

if TYPE_CHECKING:
    from electrode_grains.boundary import TrainingSettings, TrainingStates, UNet3D
else:
    UNet3D = TrainingSettings = TrainingStates = (
        Any  # Kedro evaluates all hints of a node; torch is imported where it is needed
    )

logger = logging.getLogger(__name__)

LoadNetwork = Callable[[str], Any]  # from a path or the id of an MLflow run


def build_contrast(
    image_quality_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    contrast: ContrastSettings,
) -> xr.DataArray:
    """Bring what the network sees to one scale; the brightness of all slices too."""
    from electrode_grains.boundary import normalize_contrast, standardize_channel

    orientations = orientation_volume.to_numpy()
    volumes = []
    for channel in contrast.channels:
        if channel == "image_quality":
            volumes.append(normalize_contrast(image_quality_volume.to_numpy()))
            continue
        if channel == "confidence_index":
            measured = orientations[4]
        else:
            quaternions = np.moveaxis(orientations[:4], 0, -1)
            measured = neighbour_misorientation(quaternions, contrast.laue_group)
        if not np.isfinite(measured).any():
            logger.warning("no slice has a %s: the network sees zeros instead", channel)
        volumes.append(standardize_channel(measured))
    spacing = spacing_of(image_quality_volume)
    return as_volume(np.stack(volumes), spacing, "contrast_volume", contrast.channels)


def split_annotations(annotation_volume: xr.DataArray, split: SplitSettings) -> dict[str, Any]:
    """Choose the annotated slices that judge the network: by name, else from the middle."""
    annotated = np.flatnonzero(annotation_volume.to_numpy().any(axis=(1, 2))).tolist()
    if split.held_out_slices is not None:
        held_out = list(split.held_out_slices)
        unknown = sorted(set(held_out) - set(annotated))
        if unknown:
            raise SettingsError(
                "slices to hold out are not annotated",
                where="boundary_model.split.held_out_slices",
                found=str(unknown),
                expected=f"some of {annotated} (0-based)",
            )
    else:
        # Middle slices have annotated neighbours on both sides: interpolation, not guessing.
        middle = sorted(annotated, key=lambda index: abs(index - float(np.median(annotated))))
        held_out = sorted(middle[: min(split.held_out_count, len(annotated) - 1)])
    train = [index for index in annotated if index not in held_out]
    if not train:
        raise SettingsError(
            "no annotated slice is left to train on",
            found=f"annotated {annotated}, held out {held_out}",
            expected="at least one slice with annotations that is not held out",
        )
    logger.info("training on slices %s, judging by %s", train, held_out)
    return {"train": train, "held_out": held_out}


def begin_training(
    contrast_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    annotation_split: Mapping[str, Any],
    training: NetworkTrainingSettings,
    load_network: LoadNetwork | None = None,
) -> TrainingStates:
    """Name the training by its data and settings, so that only its own states go on."""
    from electrode_grains.boundary import TrainingStates, training_fingerprint

    fingerprint = training_fingerprint(
        contrast_volume.to_numpy(),
        annotation_volume.to_numpy(),
        _settings(training, annotation_split["held_out"]),
        initial_network=_initial_network(training, load_network),
    )
    return TrainingStates(fingerprint)


def train_network(
    contrast_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    annotation_split: Mapping[str, Any],
    training_states: TrainingStates,
    training: NetworkTrainingSettings,
    on_epoch: Callable[[Mapping[str, float], int], None] | None = None,
    load_network: LoadNetwork | None = None,
) -> tuple[UNet3D, pd.DataFrame, dict[str, Any]]:
    """Train the network on the annotated slices, watching those held out, if any."""
    from electrode_grains.boundary import train_boundary_network

    def report(metrics: Mapping[str, float], epoch: int) -> None:
        shown = ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())
        logger.info("epoch %d of %d: %s", epoch + 1, training.epochs, shown)
        if on_epoch is not None:
            on_epoch(metrics, epoch)

    before = training_states.latest()
    if before is not None:
        logger.info("going on after epoch %d of a training that was cut off", before.epochs_done)
    result = train_boundary_network(
        contrast_volume.to_numpy(),
        annotation_volume.to_numpy(),
        settings=_settings(training, annotation_split["held_out"]),
        initial_network=_initial_network(training, load_network),
        resume=before,
        on_epoch=report,
        on_state=training_states.save,
    )
    training_states.clear()
    return result.network, result.history, dict(result.held_out_scores)


def validate_network(
    contrast_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    training: NetworkTrainingSettings,
    validation: ValidationSettings,
    *,
    load_network: LoadNetwork | None = None,
) -> tuple[dict[str, Any], xr.DataArray]:
    """Train without each annotated slice in turn, and judge by it; nothing for 0 epochs."""
    from electrode_grains.boundary import predict_unseen_slices, summarize_unseen_slices

    contrast, annotation = contrast_volume.to_numpy(), annotation_volume.to_numpy()
    probability = np.zeros((len(CHANNEL_NAMES), *annotation.shape), np.float32)
    judged = []
    annotated = np.count_nonzero(annotation.any(axis=(1, 2)))
    if validation.epochs and annotated > 1:
        for unseen in predict_unseen_slices(
            contrast,
            annotation,
            settings=_settings(training.model_copy(update={"epochs": validation.epochs}), ()),
            initial_network=_initial_network(training, load_network),
            test_time_augmentation=validation.test_time_augmentation,
        ):
            probability[:, unseen.index] = unseen.probability
            judged.append(unseen)
            f1 = unseen.scores["boundary_f1"]
            shown = "undefined" if f1 is None else f"{f1:.3f}"
            logger.info("slice %d, unseen: boundary F1 %s", unseen.index, shown)
    scores = {"epochs": validation.epochs, **summarize_unseen_slices(judged)} if judged else {}
    spacing = spacing_of(contrast_volume)
    return scores, as_volume(probability, spacing, "unseen_probability_volume", CHANNEL_NAMES)


def _settings(training: NetworkTrainingSettings, held_out: Iterable[int]) -> TrainingSettings:
    from electrode_grains.boundary import TrainingSettings

    held_out = tuple(held_out)
    chosen = training.model_dump(exclude={"initial_network", "patience"})
    patience = training.patience if held_out else None  # nothing to be patient with
    return TrainingSettings(held_out_slices=held_out, patience=patience, **chosen)


def _initial_network(
    training: NetworkTrainingSettings, load_network: LoadNetwork | None
) -> UNet3D | None:
    if training.initial_network is None:
        return None
    if load_network is None:
        raise SettingsError(
            "nothing here can load a network to start from",
            where="boundary_model.training.initial_network",
            found=training.initial_network,
        )
    return load_network(training.initial_network)


def predict_probabilities(
    boundary_network: UNet3D, contrast_volume: xr.DataArray, prediction: PredictionSettings
) -> xr.DataArray:
    """Apply the network to the whole stack."""
    from electrode_grains.boundary import predict_class_probabilities

    probability = predict_class_probabilities(
        boundary_network,
        contrast_volume.to_numpy(),
        window_shape=prediction.window_shape,
        test_time_augmentation=prediction.test_time_augmentation,
        precision=prediction.precision,
        device=prediction.device,
        progress=report_progress("windows predicted"),
    )
    return as_volume(
        probability, spacing_of(contrast_volume), "class_probability_volume", CHANNEL_NAMES
    )
