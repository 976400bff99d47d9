"""What a user may say of a grain map."""

from __future__ import annotations

from pydantic import PositiveFloat

from electrode_grains.base import Settings, setting
from electrode_grains.crystal import LaueGroup


class GrainMapSettings(Settings):
    """Where a project starts from a grain map instead of slices."""

    spacing_nm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = setting(
        None, "voxel size (dz, dy, dx); null takes it from the file", unit="nm"
    )
    laue_group: LaueGroup = setting("-3m", "decides when two orientations are the same")
