from .accuracy import alignment_error
from .frame_check import turned_steps
from .lattice import LatticeField
from .registration import estimate_transforms
from .resampling import apply_transforms, rotate_orientations
from .settings import AlignmentSettings
from .table import slice_table
from .transforms import SliceTransforms, rigid_matrix

__all__ = [
    "AlignmentSettings",
    "LatticeField",
    "SliceTransforms",
    "alignment_error",
    "apply_transforms",
    "estimate_transforms",
    "rigid_matrix",
    "rotate_orientations",
    "slice_table",
    "turned_steps",
]
