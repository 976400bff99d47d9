"""Settings of the measurement of grains."""

from __future__ import annotations

from electrode_grains.base import Settings, setting
from electrode_grains.crystal import LaueGroup


class MeasureSettings(Settings):
    """How grains, contacts and the particle are measured."""

    laue_group: LaueGroup = setting("-3m", "Laue group of the phase")
    low_angle_degrees: float = setting(
        15.0,
        "boundaries of a smaller misorientation are low-angle ones",
        unit="degrees",
        gt=0,
        le=180,
    )
    center_nm: tuple[float, float, float] | None = setting(
        None, "centre (x, y, z) of the particle; null: centroid of its grains", unit="nm"
    )
    resolution_correction: bool = setting(
        False, "also estimate sphericity and elongation without the bias of voxels"
    )


DEFAULTS = MeasureSettings()
