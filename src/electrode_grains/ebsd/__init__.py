"""EBSD scans: reading, stacking, orientations."""

from electrode_grains.ebsd.ang import write_scan
from electrode_grains.ebsd.annotation import annotate_from_orientations
from electrode_grains.ebsd.fields import stack_orientations, symmetry_doubts
from electrode_grains.ebsd.formats import SUFFIXES, read_scan, scan_readers
from electrode_grains.ebsd.orientations import ipf_colors
from electrode_grains.ebsd.placement import (
    annotation_fits,
    annotation_troubles,
    classes_of_colours,
    place_annotations,
)
from electrode_grains.ebsd.points import ReadingOptions
from electrode_grains.ebsd.proposal import propose_slices, slice_information
from electrode_grains.ebsd.scan import (
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
    "SUFFIXES",
    "ReadingOptions",
    "Trouble",
    "annotate_from_orientations",
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
