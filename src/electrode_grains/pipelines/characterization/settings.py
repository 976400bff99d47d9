"""Settings of the characterization pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class MeasureSettings(BaseModel, frozen=True, extra="forbid"):
    """How grains, contacts and the particle are measured."""

    laue_group: Literal["-3m", "m-3m", "6/mmm", "mmm", "-1"]
    low_angle_degrees: float = Field(gt=0, le=180)
    center_nm: tuple[float, float, float] | None
    resolution_correction: bool
