"""Settings of the modelling pipeline."""

from electrode_grains.distributions.settings import (
    ComparisonSettings,
    GoodnessSettings,
    ModellingSettings,
    PairSettings,
    SampleSettings,
)

__all__ = [
    "ComparisonSettings",
    "GoodnessSettings",
    "ModellingSettings",
    "PairSettings",
    "SampleSettings",
]
