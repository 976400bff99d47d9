from .acquisition import Acquisition, acquire
from .bodies import ball, box, ellipsoid
from .particle import ParticleBody, VirtualParticle, virtual_particle
from .settings import (
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
