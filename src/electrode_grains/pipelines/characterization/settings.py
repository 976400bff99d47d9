"""Settings of the characterization pipeline."""

from __future__ import annotations

from pydantic import BaseModel, Field

from electrode_grains.crystal import LaueGroup


class MeasureSettings(BaseModel, frozen=True, extra="forbid"):
    """How grains, contacts and the particle are measured."""

    laue_group: LaueGroup
    low_angle_degrees: float = Field(gt=0, le=180)
    center_nm: tuple[float, float, float] | None
    resolution_correction: bool
