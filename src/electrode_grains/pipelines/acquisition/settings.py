"""Settings of the acquisition pipeline: those of the domain."""

from electrode_grains.phantom import ParticleSettings, ScanSettings

__all__ = ["ParticleSettings", "ScanSettings"]
