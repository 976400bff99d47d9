"""Settings of the orientation_annotation pipeline, as `electrode_grains.ebsd` declares them."""

from electrode_grains.ebsd.settings import OrientationAnnotationSettings, StackSettings

__all__ = ["OrientationAnnotationSettings", "StackSettings"]
