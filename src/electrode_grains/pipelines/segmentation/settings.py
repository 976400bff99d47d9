"""Settings of the segmentation pipeline, as `electrode_grains.grains` declares them."""

from electrode_grains.blocks.settings import ExecutorSettings
from electrode_grains.grains.settings import (
    BoundaryCandidates,
    DepthCandidates,
    EditSettings,
    SegmentationSettings,
    VoidSettings,
)

__all__ = [
    "BoundaryCandidates",
    "DepthCandidates",
    "EditSettings",
    "ExecutorSettings",
    "SegmentationSettings",
    "VoidSettings",
]
