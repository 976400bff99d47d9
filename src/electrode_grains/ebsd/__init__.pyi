from .ang import write_scan
from .annotation import annotate_from_orientations
from .fields import check_symmetry, orientations_of_stack, stack_orientations
from .formats import IMAGE_SUFFIXES, SUFFIXES, read_scan, scan_readers
from .frames import FRAME_PRESETS, FrameChoice, FrameRotations, frame_verdict
from .hdf5_probe import probing_files
from .issues import Issue, issue_from, issue_table
from .label_fits import annotation_fits, misorientation_in_slices
from .orientation_field import (
    ORIENTATION_CHANNELS,
    OrientationField,
    as_orientation_field,
)
from .orientations import LAUE_GROUPS, LaueGroup, ipf_colors, laue_group
from .placement import (
    annotation_issues,
    check_classes,
    classes_of_colours,
    place_annotations,
)
from .proposal import propose_slices, slice_information
from .region_means import RegionOrientations
from .scan import inspect_scans, slice_spacing, stack_fingerprint, stack_scans
from .scan_index import ScanIndex
from .settings import (
    AnnotationSettings,
    OrientationAnnotationSettings,
    ReadingOptions,
    StackSettings,
)
from .slice_names import is_scan, natural_order, slice_number

__all__ = [
    "IMAGE_SUFFIXES",
    "AnnotationSettings",
    "OrientationAnnotationSettings",
    "check_classes",
    "laue_group",
    "FRAME_PRESETS",
    "LAUE_GROUPS",
    "FrameChoice",
    "FrameRotations",
    "SUFFIXES",
    "LaueGroup",
    "ORIENTATION_CHANNELS",
    "OrientationField",
    "RegionOrientations",
    "ReadingOptions",
    "ScanIndex",
    "StackSettings",
    "Issue",
    "annotate_from_orientations",
    "as_orientation_field",
    "orientations_of_stack",
    "annotation_fits",
    "annotation_issues",
    "classes_of_colours",
    "inspect_scans",
    "ipf_colors",
    "misorientation_in_slices",
    "natural_order",
    "place_annotations",
    "probing_files",
    "propose_slices",
    "read_scan",
    "scan_readers",
    "slice_information",
    "frame_verdict",
    "is_scan",
    "slice_number",
    "slice_spacing",
    "stack_fingerprint",
    "stack_orientations",
    "stack_scans",
    "check_symmetry",
    "issue_from",
    "issue_table",
    "write_scan",
]
