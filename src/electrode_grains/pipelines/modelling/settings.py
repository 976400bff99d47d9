"""Settings of the modelling pipeline."""

from electrode_grains.distributions.settings import (
    ComparisonSettings,
    GoodnessSettings,
    MarginalSettings,
    ModellingSettings,
    PairSettings,
    SampleSettings,
)

__all__ = [
    "ComparisonSettings",
    "GoodnessSettings",
    "MarginalSettings",
    "ModellingSettings",
    "PairSettings",
    "SampleSettings",
]
