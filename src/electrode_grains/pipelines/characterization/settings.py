"""Settings of the characterization pipeline."""

from electrode_grains.morphometry.settings import MeasureSettings

__all__ = ["MeasureSettings"]
