"""Nodes of the boundary_model pipeline."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from electrode_grains.pipelines.boundary_model.settings import (
    NetworkTrainingSettings,
    PredictionSettings,
    SplitSettings,
)
from electrode_grains.problems import SettingsProblem
from electrode_grains.progress import progress_line
from electrode_grains.volumes import as_volume, spacing_of

if TYPE_CHECKING:
    from electrode_grains.boundary import UNet3D
else:
    UNet3D = Any  # Kedro evaluates all hints of a node; torch is imported where it is needed

logger = logging.getLogger(__name__)

CLASSES = ("boundary", "interior", "background")


def build_contrast(image_quality_volume: xr.DataArray) -> xr.DataArray:
    """Bring the image quality of all slices to one brightness and contrast."""
    from electrode_grains.boundary import normalize_contrast

    contrast = normalize_contrast(image_quality_volume.to_numpy())
    spacing = spacing_of(image_quality_volume)
    return as_volume(contrast[None], spacing, "contrast_volume", ["image_quality"])


def split_annotations(annotation_volume: xr.DataArray, split: SplitSettings) -> dict[str, Any]:
    """Choose the annotated slices that judge the network: by name, else from the middle."""
    annotated = np.flatnonzero(annotation_volume.to_numpy().any(axis=(1, 2))).tolist()
    if split.held_out_slices is not None:
        held_out = list(split.held_out_slices)
        unknown = sorted(set(held_out) - set(annotated))
        if unknown:
            raise SettingsProblem(
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
        raise SettingsProblem(
            "no annotated slice is left to train on",
            found=f"annotated {annotated}, held out {held_out}",
            expected="at least one slice with annotations that is not held out",
        )
    logger.info("training on slices %s, judging by %s", train, held_out)
    return {"train": train, "held_out": held_out}


def train_network(
    contrast_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    annotation_split: Mapping[str, Any],
    training: NetworkTrainingSettings,
    on_epoch: Callable[[Mapping[str, float], int], None] | None = None,
) -> tuple[UNet3D, pd.DataFrame, dict[str, Any]]:
    """Train the network on the annotated slices, watching the held-out ones."""
    from electrode_grains.boundary import TrainingSettings, train_boundary_network

    def report(metrics: Mapping[str, float], epoch: int) -> None:
        shown = ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())
        logger.info("epoch %d of %d: %s", epoch + 1, training.epochs, shown)
        if on_epoch is not None:
            on_epoch(metrics, epoch)

    result = train_boundary_network(
        contrast_volume.to_numpy(),
        annotation_volume.to_numpy(),
        settings=TrainingSettings(
            held_out_slices=tuple(annotation_split["held_out"]), **training.model_dump()
        ),
        on_epoch=report,
    )
    return result.network, result.history, dict(result.held_out_scores)


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
        progress=progress_line(logger, "windows predicted"),
    )
    return as_volume(probability, spacing_of(contrast_volume), "class_probability_volume", CLASSES)
