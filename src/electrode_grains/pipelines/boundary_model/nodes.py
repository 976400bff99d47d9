"""Nodes of the boundary_model pipeline."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from electrode_grains import boundary
from electrode_grains.boundary.scores import HeldOutScores
from electrode_grains.boundary.settings import (
    ContrastSettings,
    PredictionSettings,
    SplitSettings,
    TrainingSettings,
    ValidationSettings,
)
from electrode_grains.boundary.split import AnnotationSplit
from electrode_grains.classes import CHANNEL_NAMES
from electrode_grains.ebsd import OrientationField, ScanIndex
from electrode_grains.ebsd.label_fits import boundaries_are_bright
from electrode_grains.ebsd.pseudo_cube import variants_as_one
from electrode_grains.errors import SettingsError
from electrode_grains.progress import report_progress
from electrode_grains.volumes import as_volume, spacing_of

if TYPE_CHECKING:
    from electrode_grains.boundary import TrainingStates, UNet3D, ValidationScores
else:
    # Kedro evaluates all hints of a node; these would import torch.
    TrainingStates = UNet3D = ValidationScores = Any

logger = logging.getLogger(__name__)

LoadNetwork = Callable[[str], UNet3D]  # from a path or the id of an MLflow run


def build_contrast(
    image_quality_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    scan_index: ScanIndex,
    contrast: ContrastSettings,
    annotation_volume: xr.DataArray | None = None,
) -> xr.DataArray:
    """Bring what the network sees to one scale; the brightness of all slices too.

    Misorientations are blind to flips of the c axis where pseudo-symmetry is on. Bright
    boundaries become dark, as the embedded network knows them.
    """
    orientations, image_quality = orientation_volume.to_numpy(), image_quality_volume.to_numpy()
    has_source = np.isfinite(image_quality)  # aligned slices leave voxels without one
    volumes = []
    for channel in contrast.channels:
        if channel == "image_quality":
            scaled = boundary.normalize_contrast(image_quality)
            bright = _boundaries_are_bright(contrast, image_quality, annotation_volume)
            volumes.append(-scaled if bright else scaled)
            continue
        if channel == "confidence_index":
            measured = orientations[4]
        else:
            field = OrientationField.from_channels(
                orientations, laue_group=contrast.laue_group, operators=scan_index.operators
            )
            if scan_index.uses_pseudo_symmetry(contrast.pseudo_symmetry):
                field = variants_as_one(field)
            measured = field.misorientation_to_neighbours()
        if not np.isfinite(measured[has_source]).any():
            logger.warning("no slice has a %s: the network sees zeros instead", channel)
        volumes.append(boundary.standardize_channel(measured, has_source))
    spacing = spacing_of(image_quality_volume)
    return as_volume(np.stack(volumes), spacing, "contrast_volume", contrast.channels)


def _boundaries_are_bright(
    contrast: ContrastSettings,
    image_quality: NDArray[np.floating[Any]],
    annotation_volume: xr.DataArray | None,
) -> bool:
    if contrast.boundaries != "auto" or annotation_volume is None:
        return contrast.boundaries == "bright"
    classes = annotation_volume.to_numpy()
    bright = boundaries_are_bright(classes[classes.any(axis=(1, 2))], image_quality)
    if bright:
        logger.info("labelled boundaries are bright: the network sees the image inverted")
    return bright


def split_annotations(annotation_volume: xr.DataArray, split: SplitSettings) -> AnnotationSplit:
    """Choose the annotated slices that judge the network."""
    chosen = boundary.split_annotations(annotation_volume.to_numpy(), split)
    logger.info("training on slices %s, judging by %s", list(chosen.train), list(chosen.held_out))
    return chosen


def begin_training(
    contrast_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    annotation_split: AnnotationSplit,
    training: TrainingSettings,
    load_network: LoadNetwork | None = None,
) -> TrainingStates:
    """Fingerprint the training's data and settings, so that it resumes from its own states only."""
    fingerprint = boundary.training_fingerprint(
        contrast_volume.to_numpy(),
        annotation_volume.to_numpy(),
        training,
        held_out_slices=annotation_split.held_out,
        spacing=spacing_of(contrast_volume),
        initial_network=_initial_network(training, contrast_volume, load_network),
    )
    return boundary.TrainingStates(fingerprint)


def train_network(
    contrast_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    annotation_split: AnnotationSplit,
    training_states: TrainingStates,
    training: TrainingSettings,
    on_epoch: Callable[[Mapping[str, float], int], None] | None = None,
    load_network: LoadNetwork | None = None,
) -> tuple[UNet3D, pd.DataFrame, HeldOutScores]:
    """Train the network on the annotated slices, watching those held out, if any."""

    def report(metrics: Mapping[str, float], epoch: int) -> None:
        shown = ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())
        logger.info("epoch %d of at most %d: %s", epoch + 1, training.epochs, shown)
        if on_epoch is not None:
            on_epoch(metrics, epoch)

    logger.info(
        "training %s",
        boundary.describe_computing(training.device, training.precision, training.threads),
    )
    before = training_states.latest()
    if before is not None:
        logger.info("going on after epoch %d of a training that was cut off", before.epochs_done)
    result = boundary.train_boundary_network(
        contrast_volume.to_numpy(),
        annotation_volume.to_numpy(),
        settings=training,
        held_out_slices=annotation_split.held_out,
        spacing=spacing_of(contrast_volume),
        initial_network=_initial_network(training, contrast_volume, load_network),
        resume=before,
        on_epoch=report,
        on_state=training_states.save,
        report_progress=report_progress("training steps at most"),
    )
    training_states.clear()
    return result.network, result.history, HeldOutScores(result.held_out_scores)


def validate_network(
    contrast_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    training_states: TrainingStates,
    training: TrainingSettings,
    validation: ValidationSettings,
    *,
    load_network: LoadNetwork | None = None,
) -> tuple[ValidationScores, xr.DataArray]:
    """Train without each annotated slice in turn, and judge by it; nothing for 0 epochs."""
    contrast, annotation = contrast_volume.to_numpy(), annotation_volume.to_numpy()
    probability = np.zeros((len(CHANNEL_NAMES), *annotation.shape), np.float32)
    judged = []
    slices = boundary.annotated_slices(annotation)
    if validation.epochs and len(slices) > 1:
        logger.info(
            "%d trainings of at most %d steps, each without one annotated slice or several side "
            "by side, judge the network; boundary_model.validation.epochs: 0 leaves them out",
            min(len(slices), validation.most_trainings),
            validation.epochs * training.steps_per_epoch,
        )
        for unseen in boundary.predict_unseen_slices(
            contrast,
            annotation,
            settings=training,
            validation=validation,
            spacing=spacing_of(contrast_volume),
            initial_network=_initial_network(training, contrast_volume, load_network),
            states=training_states,
            report_progress=report_progress("training steps of the validation at most"),
        ):
            probability[:, unseen.index] = unseen.probability
            judged.append(unseen)
            logger.info(
                "slice %d, unseen: boundary F1 %s; a threshold %s",
                unseen.index,
                _shown(unseen.scores.boundary_f1),
                _shown(unseen.baseline_f1),
            )
    training_states.clear_parts()
    scores = boundary.summarize_unseen_slices(judged, validation)
    for warning in scores.warnings():
        logger.warning(warning)
    return scores, as_volume(
        probability, spacing_of(contrast_volume), "unseen_probability_volume", CHANNEL_NAMES
    )


def _shown(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.3f}"


def _initial_network(
    training: TrainingSettings, contrast_volume: xr.DataArray, load_network: LoadNetwork | None
) -> UNet3D | None:
    if training.initial_network is None:
        return None
    if training.initial_network == "embedded":
        return boundary.embedded_network(contrast_volume["channel"].to_numpy().tolist())
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
    probability = boundary.predict_class_probabilities(
        boundary_network,
        contrast_volume.to_numpy(),
        settings=prediction,
        report_progress=report_progress("tiles predicted"),
    )
    spacing = spacing_of(contrast_volume)
    return as_volume(probability, spacing, "class_probability_volume", CHANNEL_NAMES)
