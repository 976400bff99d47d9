"""Settings of grain architectures."""

from __future__ import annotations

import math

from electrode_grains.base import Length, Settings, setting


class ArchitectureSettings(Settings):
    """Sizes and shapes of grains.

    Notes
    -----
    Defaults: Table 1 of Furat et al. 2021 for the diameters, else the best of 200 random draws
    by distance to Tables 2 and 3; `docs/virtual_particle.md` says how near they come.
    """

    mean_diameter_nm: Length = setting(
        513.8, "mean of the inverse Gaussian diameters (Table 1: mu)", unit="nm", gt=0
    )
    diameter_shape_nm: Length = setting(
        4600.0, "their shape parameter (Table 1: lambda); larger is more alike", unit="nm", gt=0
    )
    size_contrast: float = setting(
        0.7, "factor of the Laguerre weights; 0 makes cells alike, 1 flattens small ones", ge=0
    )
    relaxation: int = setting(
        10, "steps of Lloyd's iteration; more make cells compact and alike", ge=0
    )
    union_share: float = setting(
        0.2, "share of cells that join a neighbour into a large ragged grain", ge=0, lt=1
    )
    hardness: float = setting(
        0.4, "least distance of seeds, as a share of the cube root of the cell volume", ge=0, le=0.8
    )
    warp_amplitude_nm: Length = setting(
        42.0, "rms displacement that bends all boundaries", unit="nm", ge=0
    )
    warp_length_nm: Length = setting(140.0, "its range", unit="nm", gt=0)

    @property
    def mean_volume_nm3(self) -> float:
        """Mean volume of a grain, pi / 6 times the third moment of the diameter."""
        ratio = self.mean_diameter_nm / self.diameter_shape_nm
        third = self.mean_diameter_nm**3 * (1 + 3 * ratio + 3 * ratio**2)
        return math.pi / 6 * third
