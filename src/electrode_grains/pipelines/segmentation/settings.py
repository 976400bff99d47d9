"""Settings of the segmentation pipeline."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class SegmentationSettings(BaseModel, frozen=True, extra="forbid"):
    """Watershed, merging, background and clean-up."""

    minima_depth: float = Field(gt=0, lt=1)
    background_threshold: float = Field(gt=0, lt=1)
    merge_mode: Literal["none", "iq", "orientation", "combined"]
    merge_misorientation_degrees: float = Field(ge=0, le=62.8)
    merge_boundary: float = Field(ge=0, le=1)
    refine_steps: int = Field(default=2, ge=0, le=5)
    laue_group: Literal["-3m", "m-3m", "6/mmm", "mmm", "-1"]
    minimum_voxels: int = Field(ge=0)


class DepthSettings(BaseModel, frozen=True, extra="forbid"):
    """Depths of minima to compare."""

    candidates: tuple[float, ...]


class EditSettings(BaseModel, frozen=True, extra="forbid"):
    """Recorded manual edits, replayed after every segmentation."""

    edits: tuple[dict[str, Any], ...] = ()
    outdated: Literal["refuse", "report"] = "report"
