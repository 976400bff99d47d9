"""Bodies and particles whose truth is known."""

from electrode_grains.phantom.acquisition import Acquisition, acquire
from electrode_grains.phantom.bodies import ball, box, ellipsoid
from electrode_grains.phantom.particle import ParticleBody, VirtualParticle, virtual_particle
from electrode_grains.phantom.settings import (
    AcquisitionSettings,
    ParticleSettings,
    ScanSettings,
)

__all__ = [
    "Acquisition",
    "AcquisitionSettings",
    "ParticleBody",
    "ParticleSettings",
    "ScanSettings",
    "VirtualParticle",
    "acquire",
    "ball",
    "box",
    "ellipsoid",
    "virtual_particle",
]
