"""Settings of the segmentation pipeline."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from electrode_grains.crystal import LaueGroup


def _in_unit_interval(value: float | Literal["auto"]) -> float | Literal["auto"]:
    """After the union, so that a number out of range is one problem and not two."""
    if value != "auto" and not 0 < value < 1:
        raise ValueError(f'{value} is not "auto" and not between 0 and 1')
    return value


Chosen = Annotated[float | Literal["auto"], AfterValidator(_in_unit_interval)]


class SegmentationSettings(BaseModel, frozen=True, extra="forbid"):
    """Watershed, merging, background and clean-up; "auto" is chosen by annotated slices."""

    minima_depth: Chosen
    background_threshold: float = Field(gt=0, lt=1)
    merge_mode: Literal["none", "iq", "orientation", "combined"]
    merge_misorientation_degrees: float = Field(ge=0, le=62.8)
    merge_boundary: Chosen
    merge_quantile: float | None = Field(default=None, gt=0, le=1)
    merge_size_weight: float = Field(default=0.0, ge=0, le=1)
    merge_reference_voxels: float = Field(default=300.0, gt=0)
    merge_slice_weight: float = Field(default=0.0, ge=0, le=1)
    place_sweeps: int = Field(default=0, ge=0, le=20)
    stiffness: float = Field(default=0.5, ge=0)
    refine_steps: int = Field(default=2, ge=0, le=5)
    join_reach: int = Field(default=2, ge=0, le=5)
    laue_group: LaueGroup
    minimum_voxels: int = Field(ge=0)


class CandidateSettings(BaseModel, frozen=True, extra="forbid"):
    """Values of a setting to compare, and what difference of information counts as none."""

    candidates: tuple[float, ...] = Field(min_length=1)
    slack_bits: float = Field(default=0.01, ge=0)


class VoidSettings(BaseModel, frozen=True, extra="forbid"):
    """What counts as a void or crack inside the particle."""

    enclosed_only: bool = True
    confidence_limit: float = 0.1
    crack_voxels: int = Field(default=2, ge=0)
    minimum_voxels: int = Field(default=34, ge=0)


class EditSettings(BaseModel, frozen=True, extra="forbid"):
    """Recorded manual edits, replayed after every segmentation."""

    edits: tuple[dict[str, Any], ...] = ()
    outdated: Literal["refuse", "report"] = "report"
