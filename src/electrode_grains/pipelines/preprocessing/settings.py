"""Settings of the preprocessing pipeline, as the rooms of the domain declare them."""

from electrode_grains.alignment.settings import AlignmentSettings
from electrode_grains.ebsd.settings import AnnotationSettings, StackSettings

__all__ = ["AlignmentSettings", "AnnotationSettings", "StackSettings"]
