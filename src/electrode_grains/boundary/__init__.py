"""Boundary model: a 3D U-Net trained on a few annotated slices.

Input is the normalised contrast of an aligned stack and an annotation of some
of its slices; output is the probability of grain boundary, grain interior and
background in every voxel.
"""

from electrode_grains.boundary.contrast import normalize_contrast, standardize_channel
from electrode_grains.boundary.inference import (
    plan_windows,
    predict_blocks,
    predict_class_probabilities,
    predict_slices,
)
from electrode_grains.boundary.loss import masked_cross_entropy
from electrode_grains.boundary.network import (
    CLASS_NAMES,
    UNet3D,
    network_from_state,
    network_state,
)
from electrode_grains.boundary.scores import boundary_scores
from electrode_grains.boundary.settings import TrainingSettings
from electrode_grains.boundary.training import (
    TrainingResult,
    TrainingState,
    TrainingStates,
    train_boundary_network,
    training_fingerprint,
)
from electrode_grains.boundary.validation import (
    UnseenSlice,
    leave_one_slice_out,
    predict_unseen_slices,
    summarize_unseen_slices,
)
from electrode_grains.boundary.windows import IntensityJitter, Window, WindowSampler

__all__ = [
    "CLASS_NAMES",
    "UNet3D",
    "network_state",
    "network_from_state",
    "masked_cross_entropy",
    "normalize_contrast",
    "standardize_channel",
    "IntensityJitter",
    "Window",
    "WindowSampler",
    "TrainingSettings",
    "TrainingState",
    "TrainingStates",
    "TrainingResult",
    "training_fingerprint",
    "train_boundary_network",
    "UnseenSlice",
    "predict_unseen_slices",
    "summarize_unseen_slices",
    "leave_one_slice_out",
    "plan_windows",
    "predict_blocks",
    "predict_class_probabilities",
    "predict_slices",
    "boundary_scores",
]
