from .ang import write_scan
from .annotation import annotate_from_orientations
from .fields import orientations_of_stack, stack_orientations, symmetry_doubts
from .formats import SUFFIXES, read_scan, scan_readers
from .orientation_field import (
    ORIENTATION_CHANNELS,
    OrientationField,
    as_orientation_field,
)
from .orientations import LAUE_GROUPS, LaueGroup, ipf_colors
from .placement import (
    annotation_fits,
    annotation_troubles,
    classes_of_colours,
    place_annotations,
)
from .points import ReadingOptions
from .proposal import propose_slices, slice_information
from .region_means import RegionOrientations
from .scan import (
    Trouble,
    inspect_scans,
    natural_order,
    slice_number,
    stack_fingerprint,
    stack_scans,
    trouble_of,
    trouble_table,
)

__all__ = [
    "LAUE_GROUPS",
    "SUFFIXES",
    "LaueGroup",
    "ORIENTATION_CHANNELS",
    "OrientationField",
    "RegionOrientations",
    "ReadingOptions",
    "Trouble",
    "annotate_from_orientations",
    "as_orientation_field",
    "orientations_of_stack",
    "annotation_fits",
    "annotation_troubles",
    "classes_of_colours",
    "inspect_scans",
    "ipf_colors",
    "natural_order",
    "place_annotations",
    "propose_slices",
    "read_scan",
    "scan_readers",
    "slice_information",
    "slice_number",
    "stack_fingerprint",
    "stack_orientations",
    "stack_scans",
    "symmetry_doubts",
    "trouble_of",
    "trouble_table",
    "write_scan",
]
