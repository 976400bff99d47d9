"""The boundary network of a particle in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class ParticleSummary:
    """Sums over a particle.

    Attributes
    ----------
    boundary_area_um2 : float
        Area between grains, each pair once.
    particle_volume_um3 : float
        Volume of all grains that the window shows.
    specific_surface_area_per_um : float or None
        Their ratio; None without grains.
    outer_surface_um2 : float
        Surface of the particle to label 0, without what the window or a voxel without
        measurement cuts.
    grain_count, whole_grain_count, contact_count : int
        Grains, those that the window does not cut, pairs of touching grains.
    measured_share : float
        Share of the window's voxels that hold a measurement.
    low_angle_share : float, optional
        Share of `boundary_area_um2` below `low_angle_degrees`, where it is known; present
        with orientations only, as `low_angle_degrees`.
    resolution_limits_nm : mapping of str to float or None, optional
        By shape descriptor, the diameter below which voxels decide it.
    """

    boundary_area_um2: float
    particle_volume_um3: float
    specific_surface_area_per_um: float | None
    outer_surface_um2: float
    grain_count: int
    whole_grain_count: int
    contact_count: int
    measured_share: float = 1.0
    low_angle_share: float | None = None
    low_angle_degrees: float | None = None
    resolution_limits_nm: Mapping[str, float | None] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, without what was not measured."""
        values = asdict(self)
        if self.low_angle_degrees is None:
            del values["low_angle_share"], values["low_angle_degrees"]
        if self.resolution_limits_nm is None:
            del values["resolution_limits_nm"]
        return values

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Summary from what `to_dict` returned.

        Raises
        ------
        TypeError
            If a value is missing or unknown.
        """
        return cls(**content)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all values that a summary may hold."""
        return tuple(field.name for field in fields(cls))
