"""What a user may say of a grain map."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from electrode_grains.base import Length, Settings, setting
from electrode_grains.crystal import LaueGroup

Step = Annotated[Length, Field(gt=0, allow_inf_nan=False)]


class GrainMapSettings(Settings):
    """Where a project starts from a grain map instead of slices."""

    spacing_nm: tuple[Step, Step, Step] | None = setting(
        None, "voxel size (dz, dy, dx); null takes it from the file", unit="nm"
    )
    laue_group: LaueGroup = setting("-3m", "decides when two orientations are the same")
