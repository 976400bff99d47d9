"""Settings of the orientation_annotation pipeline."""

from __future__ import annotations

from electrode_grains.base import Settings, setting
from electrode_grains.crystal import LaueGroup


class OrientationAnnotationSettings(Settings):
    """Which slices are annotated from their orientations, and how."""

    slice_count: int = setting(
        4, "evenly spread slices; the paper labels four by hand", unit="slices", ge=1
    )
    laue_group: LaueGroup = setting("-3m", "decides when two orientations are the same")
    misorientation_degrees: float = setting(
        5.0, "neighbours beyond this are on two sides of a boundary", unit="degrees", gt=0, le=62.8
    )
    minimum_confidence: float = setting(
        0.05, "points of a lower confidence index count as not indexed", ge=-1, le=1
    )
