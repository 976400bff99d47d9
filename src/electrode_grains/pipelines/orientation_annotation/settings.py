"""Settings of the orientation_annotation pipeline."""

from __future__ import annotations

from pydantic import BaseModel, Field

from electrode_grains.crystal import LaueGroup


class OrientationAnnotationSettings(BaseModel, frozen=True, extra="forbid"):
    """Which slices are annotated from their orientations, and how."""

    slice_count: int = Field(ge=1)
    laue_group: LaueGroup
    misorientation_degrees: float = Field(gt=0, le=62.8)
    minimum_confidence: float = Field(ge=-1, le=1)
