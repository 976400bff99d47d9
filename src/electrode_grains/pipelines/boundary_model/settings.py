"""Settings of the boundary_model pipeline."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, Field, PositiveFloat, field_validator

from electrode_grains.crystal import LaueGroup


class ContrastSettings(BaseModel, frozen=True, extra="forbid"):
    """What the network sees of each voxel."""

    channels: tuple[Literal["image_quality", "confidence_index", "misorientation"], ...] = Field(
        default=("image_quality",), min_length=1
    )
    laue_group: LaueGroup


class SplitSettings(BaseModel, frozen=True, extra="forbid"):
    """Which annotated slices judge the network instead of training it."""

    held_out_slices: tuple[int, ...] | None = None
    held_out_count: int = Field(default=1, ge=0)


Augmentation = bool | Literal["in_plane", "cube"]


class NetworkTrainingSettings(BaseModel, frozen=True, extra="forbid"):
    """Architecture and training of the network; lengths in voxels."""

    window_shape: tuple[int, int, int]
    base_width: int = Field(ge=1)
    depth: int = Field(ge=1)
    epochs: int = Field(ge=1)
    steps_per_epoch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    optimizer: Literal["adam", "adamw"]
    schedule: Literal["one_cycle", "constant"]
    rotation: Literal["none", "quarter_turns", "arbitrary"]
    gain_jitter: float = Field(ge=0)
    offset_jitter: float = Field(ge=0)
    noise_jitter: float = Field(ge=0)
    precision: Literal["auto", "float32", "bfloat16"]
    device: str
    seed: int = Field(ge=0)
    patience: int | None = Field(default=None, ge=1)
    initial_network: str | None = None
    batch_size: int = Field(default=1, ge=1)
    class_weights: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None

    @field_validator("initial_network")
    @classmethod
    def _check_place(cls, place: str | None) -> str | None:
        """A bare word is a misspelt one; a path also lets the content enter the recipe."""
        if place in (None, "embedded") or place.startswith("mlflow:") or os.sep in place:
            return place
        raise ValueError("embedded, mlflow:<run id>, or a folder with its path, such as ./network")


class ValidationSettings(BaseModel, frozen=True, extra="forbid"):
    """How long each network trains that is judged by the slice it has not seen."""

    epochs: int = Field(ge=0)
    test_time_augmentation: Augmentation = False


class PredictionSettings(BaseModel, frozen=True, extra="forbid"):
    """How the network is applied to the whole stack."""

    window_shape: tuple[int, int, int]
    test_time_augmentation: Augmentation
    precision: Literal["auto", "float32", "bfloat16"]
    device: str
