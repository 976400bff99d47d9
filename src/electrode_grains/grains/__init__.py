"""Grains from class probabilities: watershed, merging, clean-up, edits, scores."""

from electrode_grains.ebsd.region_orientations import RegionOrientations, region_orientations
from electrode_grains.grains.agglomeration import (
    BoundaryEvidence,
    MergeReport,
    merge_regions,
)
from electrode_grains.grains.cleanup import CleanupReport, isolate_particle, remove_background
from electrode_grains.grains.cutting import cut_by_orientation, join_torn_grains
from electrode_grains.grains.edits import EditEntry, apply_edits
from electrode_grains.grains.placement import place_interfaces
from electrode_grains.grains.refinement import refine_interfaces
from electrode_grains.grains.scores import (
    VariationOfInformation,
    adapted_rand_error,
    boundary_agreement,
    boundary_distances,
    compare_statistics,
    equal_up_to_relabelling,
    matched_grain_scores,
    score_labels,
    variation_of_information,
)
from electrode_grains.grains.segmentation import (
    SegmentationReport,
    choose_boundary_threshold,
    choose_minima_depth,
    grain_doubts,
    segment_grains,
    segment_grains_with_report,
)
from electrode_grains.grains.suspects import rank_suspects
from electrode_grains.grains.voids import find_voids, measure_voids
from electrode_grains.grains.watershed import flood_from_minima, h_minima_markers

__all__ = [
    "BoundaryEvidence",
    "CleanupReport",
    "EditEntry",
    "MergeReport",
    "RegionOrientations",
    "SegmentationReport",
    "VariationOfInformation",
    "adapted_rand_error",
    "apply_edits",
    "boundary_agreement",
    "boundary_distances",
    "choose_boundary_threshold",
    "choose_minima_depth",
    "compare_statistics",
    "cut_by_orientation",
    "equal_up_to_relabelling",
    "find_voids",
    "flood_from_minima",
    "grain_doubts",
    "h_minima_markers",
    "isolate_particle",
    "join_torn_grains",
    "matched_grain_scores",
    "measure_voids",
    "merge_regions",
    "place_interfaces",
    "rank_suspects",
    "refine_interfaces",
    "region_orientations",
    "remove_background",
    "score_labels",
    "segment_grains",
    "segment_grains_with_report",
    "variation_of_information",
]
