"""Settings of the sections pipeline."""

from __future__ import annotations

from electrode_grains.base import Length, setting
from electrode_grains.crystal import LaueGroup
from electrode_grains.generation import SectionSettings as Search


class SectionSettings(Search):
    """How sections become profiles, and profiles an architecture in space."""

    pixel_nm: Length | None = setting(
        None, "edge of a pixel; null takes it from the files", unit="nm", gt=0
    )
    misorientation_degrees: float = setting(
        5.0, "of EBSD maps: neighbours within it are of one grain", unit="degrees", gt=0, le=60
    )
    laue_group: LaueGroup = setting("-3m", "decides when two orientations are the same")
