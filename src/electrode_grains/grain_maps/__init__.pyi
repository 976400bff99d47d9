from .grain_map import GrainMap
from .reading import KINDS, PLANE_KINDS, read_grain_map
from .settings import GrainMapSettings

__all__ = ["KINDS", "PLANE_KINDS", "GrainMap", "GrainMapSettings", "read_grain_map"]
