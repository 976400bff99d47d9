"""Alignment of the slices of a stack."""

from electrode_grains.alignment.accuracy import alignment_error
from electrode_grains.alignment.registration import estimate_transforms
from electrode_grains.alignment.resampling import apply_transforms, rotate_orientations
from electrode_grains.alignment.transforms import SliceTransforms, rigid_matrix

__all__ = [
    "SliceTransforms",
    "alignment_error",
    "apply_transforms",
    "estimate_transforms",
    "rigid_matrix",
    "rotate_orientations",
]
