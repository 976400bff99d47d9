"""Settings of virtual particles that are generated from fits."""

from __future__ import annotations

from electrode_grains.base import Settings, setting
from electrode_grains.crystal import LaueGroup


class GenerationSettings(Settings):
    """How many virtual particles, and how they are fitted."""

    particles: int = setting(3, "virtual particles that are made", ge=1, le=100)
    simulations: int = setting(16, "architectures that the calibration may simulate", ge=1)
    calibration_grains: int = setting(
        800, "grains of a simulated architecture, those at the border included", ge=400
    )
    placements: int = setting(
        4,
        "particles that may be made to find where large grains lie and where long axes point; 0 "
        "lets grains lie anywhere",
        ge=0,
    )
    relaxation: int = setting(10, "steps in which simulated grains settle", ge=1)
    shell_degree: int = setting(
        8, "highest degree of the spherical harmonics of the outer shell", ge=1, le=30
    )
    radial_texture: float | None = setting(
        None,
        "share of the grains whose c axis points to the centre, the others being at random; null: "
        "orientations have the misorientations and the radial alignment of the data, if it has any",
        ge=0,
        le=1,
    )
    laue_group: LaueGroup = setting("-3m", "of the grains")
    bootstrap: int = setting(200, "resamples of the data's grains for each band", ge=20)
    seed: int = setting(23, "of all random draws", ge=0)


class SectionSettings(Settings):
    """How plane sections become an architecture in space."""

    simulations: int = setting(12, "architectures that the search may simulate", ge=1)
    simulated_grains: int = setting(
        800, "grains of a simulated architecture, those at the border included", ge=400
    )
    bootstrap: int = setting(400, "resamples of the profiles, for errors and intervals", ge=50)
    shape: tuple[int, int, int] = setting(
        (64, 128, 128), "voxels (z, y, x) of the virtual particle that is made of the result"
    )
    seed: int = setting(29, "of all random draws", ge=0)
