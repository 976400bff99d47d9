"""Settings of the preprocessing pipeline."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from electrode_grains.alignment.settings import AlignmentSettings
from electrode_grains.ebsd.settings import StackSettings


class AnnotationSettings(BaseModel, frozen=True, extra="forbid"):
    """Where annotations were drawn."""

    frame: Literal["raw", "aligned"]
    slice_numbers: Literal["as_scans", "from_0", "from_1"]


__all__ = ["AlignmentSettings", "AnnotationSettings", "StackSettings"]
