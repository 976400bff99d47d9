"""Grain maps that other programs made: labels, and orientations where the file has them."""

from electrode_grains.grain_maps.grain_map import GrainMap
from electrode_grains.grain_maps.reading import KINDS, read_grain_map
from electrode_grains.grain_maps.settings import GrainMapSettings

__all__ = ["KINDS", "GrainMap", "GrainMapSettings", "read_grain_map"]
