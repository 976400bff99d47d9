"""Settings of the grain_map pipeline."""

from electrode_grains.grain_maps import GrainMapSettings

__all__ = ["GrainMapSettings"]
