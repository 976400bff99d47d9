"""Settings of the modelling pipeline."""

from __future__ import annotations

from pydantic import BaseModel, Field


class SampleSettings(BaseModel, frozen=True, extra="forbid"):
    """Which grains enter the fits."""

    minimum_voxels: int = Field(ge=1)
    include_window_grains: bool
    correct_edge_bias: bool = False
    seed: int = Field(default=0, ge=0)


class PairSettings(BaseModel, frozen=True, extra="forbid"):
    """Which pairs and copulas are fitted."""

    minimum_correlation: float = Field(ge=0, le=1)
    families: tuple[str, ...]
    rotations: tuple[int, ...]


class GoodnessSettings(BaseModel, frozen=True, extra="forbid"):
    """How the best family of each characteristic is tested against its sample."""

    replicates: int = Field(ge=19)
    seed: int = Field(ge=0)
