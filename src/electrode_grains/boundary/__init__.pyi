from .baseline import threshold_f1
from .compute import describe_computing
from .contrast import normalize_contrast, standardize_channel
from .division import plan_windows
from .inference import (
    predict_blocks,
    predict_class_probabilities,
    predict_slices,
)
from .loss import masked_cross_entropy
from .network import (
    UNet3D,
    network_from_state,
    network_state,
)
from .scores import (
    BoundaryScores,
    HeldOutScores,
    Reliability,
    boundary_scores,
)
from .settings import (
    ContrastSettings,
    PredictionSettings,
    SplitSettings,
    TrainingSettings,
    ValidationSettings,
)
from .split import AnnotationSplit, split_annotations
from .starting import embedded_network, select_channels
from .training import (
    TrainingResult,
    train_boundary_network,
)
from .training_states import TrainingState, TrainingStates, training_fingerprint
from .validation import (
    UnseenSlice,
    ValidationScores,
    annotated_slices,
    predict_unseen_slices,
    summarize_unseen_slices,
)
from .windows import IntensityJitter, Window, WindowSampler

__all__ = [
    "UNet3D",
    "describe_computing",
    "network_state",
    "network_from_state",
    "masked_cross_entropy",
    "normalize_contrast",
    "standardize_channel",
    "IntensityJitter",
    "Window",
    "WindowSampler",
    "ContrastSettings",
    "SplitSettings",
    "TrainingSettings",
    "ValidationSettings",
    "PredictionSettings",
    "AnnotationSplit",
    "split_annotations",
    "TrainingState",
    "TrainingStates",
    "TrainingResult",
    "training_fingerprint",
    "train_boundary_network",
    "embedded_network",
    "select_channels",
    "UnseenSlice",
    "annotated_slices",
    "threshold_f1",
    "ValidationScores",
    "predict_unseen_slices",
    "summarize_unseen_slices",
    "plan_windows",
    "predict_blocks",
    "predict_class_probabilities",
    "predict_slices",
    "BoundaryScores",
    "HeldOutScores",
    "Reliability",
    "boundary_scores",
]
