"""Bodies and particles whose truth is known."""

from electrode_grains.phantom.acquisition import Acquisition, AcquisitionSettings, acquire
from electrode_grains.phantom.bodies import ball, box, ellipsoid
from electrode_grains.phantom.particle import ParticleBody, VirtualParticle, virtual_particle

__all__ = [
    "Acquisition",
    "AcquisitionSettings",
    "ParticleBody",
    "VirtualParticle",
    "acquire",
    "ball",
    "box",
    "ellipsoid",
    "virtual_particle",
]
