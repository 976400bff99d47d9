"""Settings of the acquisition pipeline."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ParticleSettings(BaseModel, frozen=True, extra="forbid"):
    """Window and grains of the virtual particle."""

    shape: tuple[int, int, int]
    spacing_nm: tuple[float, float, float]
    mean_diameter_nm: float = Field(gt=0)
    diameter_shape_nm: float = Field(gt=0)
    seed: int = Field(ge=0)


class ScanSettings(BaseModel, frozen=True, extra="forbid"):
    """What FIB and EBSD do to the particle."""

    annotated_slices: tuple[int, ...]
    annotation_error: float = Field(ge=0, le=1)
    noise: float = Field(ge=0)
    misindexed_share: float = Field(ge=0, le=1)
    drift_px: float = Field(ge=0)
    rotation_degrees: float = Field(ge=0)
    thickness_jitter: float = Field(ge=0)
    curtaining: float = Field(ge=0)
    brightness_drift: float = Field(ge=0)
    seed: int = Field(ge=0)
