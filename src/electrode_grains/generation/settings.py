"""Settings of virtual particles that are generated from fits."""

from __future__ import annotations

from electrode_grains.base import Settings, setting


class GenerationSettings(Settings):
    """How many virtual particles, and how they are fitted."""

    particles: int = setting(3, "virtual particles that are made", ge=1, le=100)
    simulations: int = setting(
        40, "architectures that the calibration may simulate; 1 keeps its start", ge=1
    )
    calibration_grains: int = setting(
        800, "grains of a simulated architecture, those at the border included", ge=400
    )
    relaxation: int = setting(10, "steps in which simulated grains settle", ge=1)
    shell_degree: int = setting(
        8, "highest degree of the spherical harmonics of the outer shell", ge=1, le=30
    )
    radial_texture: float = setting(
        0.0, "share of the grains whose c axis points to the centre of the particle", ge=0, le=1
    )
    bootstrap: int = setting(200, "resamples of the data's grains for each band", ge=20)
    seed: int = setting(23, "of all random draws", ge=0)


class SectionSettings(Settings):
    """How plane sections become an architecture in space."""

    simulations: int = setting(
        30, "architectures that the search may simulate, besides those for intervals", ge=1
    )
    simulated_grains: int = setting(
        800, "grains of a simulated architecture, those at the border included", ge=400
    )
    bootstrap: int = setting(400, "resamples of the profiles, for errors and intervals", ge=50)
    shape: tuple[int, int, int] = setting(
        (64, 128, 128), "voxels (z, y, x) of the virtual particle that is made of the result"
    )
    seed: int = setting(29, "of all random draws", ge=0)
