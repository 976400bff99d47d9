"""EBSD scans: reading, stacking, orientations."""

from electrode_grains.ebsd.ang import write_scan
from electrode_grains.ebsd.annotation import annotate_from_orientations
from electrode_grains.ebsd.fields import stack_orientations, symmetry_doubts
from electrode_grains.ebsd.formats import SUFFIXES, read_scan, scan_readers
from electrode_grains.ebsd.orientations import ipf_colors
from electrode_grains.ebsd.placement import place_annotations
from electrode_grains.ebsd.points import ReadingOptions
from electrode_grains.ebsd.scan import natural_order, slice_number, stack_fingerprint, stack_scans

__all__ = [
    "SUFFIXES",
    "ReadingOptions",
    "annotate_from_orientations",
    "ipf_colors",
    "natural_order",
    "place_annotations",
    "read_scan",
    "scan_readers",
    "slice_number",
    "stack_fingerprint",
    "stack_orientations",
    "stack_scans",
    "symmetry_doubts",
    "write_scan",
]
