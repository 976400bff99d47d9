"""Nodes of the acquisition pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.phantom import (
    Acquisition,
    AcquisitionSettings,
    VirtualParticle,
    acquire,
    virtual_particle,
)
from electrode_grains.pipelines.acquisition.settings import ParticleSettings, ScanSettings
from electrode_grains.volumes import as_volume


def grow_particle(particle: ParticleSettings) -> VirtualParticle:
    """Grow a polycrystalline particle in the window."""
