"""Settings of the modelling pipeline."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from electrode_grains.descriptors import MODELLED


class SampleSettings(BaseModel, frozen=True, extra="forbid"):
    """Which grains enter the fits."""

    minimum_voxels: int = Field(ge=1)
    include_window_grains: bool
    correct_edge_bias: bool = False
    seed: int = Field(default=0, ge=0)


def _modelled(name: str) -> str:
    """Refuse a name that no modelled descriptor has."""
    if name not in MODELLED:
        raise ValueError(f"unknown characteristic; known are {', '.join(MODELLED)}")
    return name


Characteristic = Annotated[str, AfterValidator(_modelled)]


class PairSettings(BaseModel, frozen=True, extra="forbid"):
    """Which pairs and copulas are fitted.

    Pairs of `characteristics` count where their correlation exceeds the least one, pairs in
    `always` whatever it is. `ties` says how equal values are ranked.
    """

    characteristics: tuple[Characteristic, ...]
    minimum_correlation: float = Field(ge=0, le=1)
    always: tuple[tuple[Characteristic, Characteristic], ...]
    families: tuple[str, ...]
    rotations: tuple[int, ...]
    ties: Literal["mean", "random"]


class ResamplingSettings(BaseModel, frozen=True, extra="forbid"):
    """How often a test draws anew, and from which seed: p-values are multiples of 1/(n + 1)."""

    replicates: int = Field(ge=19)
    seed: int = Field(ge=0)
