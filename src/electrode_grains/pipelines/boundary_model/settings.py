"""Settings of the boundary_model pipeline: those of the boundary model."""

from electrode_grains.boundary.settings import (
    ContrastSettings,
    PredictionSettings,
    SplitSettings,
    TrainingSettings,
    ValidationSettings,
)

__all__ = [
    "ContrastSettings",
    "PredictionSettings",
    "SplitSettings",
    "TrainingSettings",
    "ValidationSettings",
]
