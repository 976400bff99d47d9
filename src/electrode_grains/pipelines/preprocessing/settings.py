"""Settings of the preprocessing pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from electrode_grains.alignment.settings import AlignmentSettings
from electrode_grains.crystal import LaueGroup
from electrode_grains.ebsd import ReadingOptions


class StackSettings(BaseModel, frozen=True, extra="forbid"):
    """How slices become a stack."""

    slice_spacing_nm: float = Field(gt=0)
    laue_group: LaueGroup
    first_slice: int | None
    step_nm: float | None = Field(gt=0)
    accept_missing: bool
    resample_hexagonal: bool
    largest_bad_share: float = Field(ge=0, le=1)

    def reading_options(self) -> ReadingOptions:
        """What readers of scans may accept."""
        own = {"slice_spacing_nm", "laue_group", "first_slice"}
        return ReadingOptions(**self.model_dump(exclude=own))


class AnnotationSettings(BaseModel, frozen=True, extra="forbid"):
    """Where annotations were drawn."""

    frame: Literal["raw", "aligned"]
    slice_numbers: Literal["as_scans", "from_0", "from_1"]


__all__ = ["AlignmentSettings", "AnnotationSettings", "StackSettings"]
