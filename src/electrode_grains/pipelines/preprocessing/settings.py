"""Settings of the preprocessing pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class StackSettings(BaseModel, frozen=True, extra="forbid"):
    """How slices become a stack."""

    slice_spacing_nm: float = Field(gt=0)
    laue_group: Literal["-3m", "m-3m", "6/mmm", "mmm", "-1"]


class AlignmentSettings(BaseModel, frozen=True, extra="forbid"):
    """How slices are registered and resampled."""

    mode: Literal["translation", "rigid_body"]
    spline_order: int = Field(ge=0, le=5)


class AnnotationSettings(BaseModel, frozen=True, extra="forbid"):
    """Where annotations were drawn."""

    frame: Literal["raw", "aligned"]
