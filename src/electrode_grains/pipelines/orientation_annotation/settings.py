"""Settings of the orientation_annotation pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class OrientationAnnotationSettings(BaseModel, frozen=True, extra="forbid"):
    """Which slices are annotated from their orientations, and how."""

    slice_count: int = Field(ge=1)
    laue_group: Literal["-3m", "m-3m", "6/mmm", "mmm", "-1"]
    misorientation_degrees: float = Field(gt=0, le=62.8)
    minimum_confidence: float = Field(ge=-1, le=1)
