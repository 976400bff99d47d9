from .agglomeration import MergeReport, merge_regions
from .agreement import OrientationAgreement, orientation_agreement
from .annotation_scores import AnnotationScores, boundary_agreement
from .block_orientations import BlockOrientations
from .block_segmentation import BlockProbabilities, BlockSegmentation, segment_by_block
from .block_watershed import BlockFlood, flood_by_block
from .checks import check_grains
from .choice import (
    SegmentationChoice,
    choose_boundary_threshold,
    choose_minima_depth,
    choose_settings,
)
from .cleanup import CleanupReport, isolate_particle, remove_background
from .cutting import cut_by_orientation, join_split_grains
from .edits import EditEntry, apply_edits
from .linking import link_points
from .log import SegmentationLog
from .passes import Pass, SegmentationState
from .placement import place_interfaces
from .refinement import refine_interfaces
from .scores import (
    LabelScores,
    MatchScores,
    VariationOfInformation,
    adapted_rand_error,
    boundary_distances,
    equal_up_to_relabelling,
    matched_grain_scores,
    score_labels,
    variation_of_information,
)
from .segmentation import SegmentationReport, segment_grains, segment_grains_with_report
from .settings import (
    BoundaryCandidates,
    DepthCandidates,
    EditSettings,
    SegmentationSettings,
    VoidSettings,
)
from .statistics import SegmentationScores, compare_statistics
from .suspects import rank_suspects
from .voids import VoidSummary, find_voids, measure_voids
from .watershed import flood_from_minima, h_minima_markers

__all__ = [
    "BlockOrientations",
    "BlockProbabilities",
    "BlockSegmentation",
    "segment_by_block",
    "link_points",
    "orientation_agreement",
    "OrientationAgreement",
    "AnnotationScores",
    "BlockFlood",
    "BoundaryCandidates",
    "CleanupReport",
    "DepthCandidates",
    "EditEntry",
    "EditSettings",
    "LabelScores",
    "MatchScores",
    "MergeReport",
    "Pass",
    "SegmentationChoice",
    "SegmentationLog",
    "SegmentationReport",
    "SegmentationScores",
    "SegmentationSettings",
    "SegmentationState",
    "VariationOfInformation",
    "VoidSettings",
    "VoidSummary",
    "adapted_rand_error",
    "apply_edits",
    "boundary_agreement",
    "boundary_distances",
    "check_grains",
    "choose_boundary_threshold",
    "choose_minima_depth",
    "choose_settings",
    "compare_statistics",
    "cut_by_orientation",
    "equal_up_to_relabelling",
    "find_voids",
    "flood_by_block",
    "flood_from_minima",
    "h_minima_markers",
    "isolate_particle",
    "join_split_grains",
    "matched_grain_scores",
    "measure_voids",
    "merge_regions",
    "place_interfaces",
    "rank_suspects",
    "refine_interfaces",
    "remove_background",
    "score_labels",
    "segment_grains",
    "segment_grains_with_report",
    "variation_of_information",
]
