"""Nodes of the acquisition pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd.frames import FramePreset
from electrode_grains.phantom import (
    Acquisition,
    VirtualParticle,
    acquire,
    virtual_particle,
)
from electrode_grains.pipelines.acquisition.settings import ParticleSettings, ScanSettings
from electrode_grains.volumes import as_volume

NMC532 = {
    "id": 1,
    "material_name": "NMC532",
    "formula": "LiNi0.5Mn0.3Co0.2O2",
    "symmetry": "32",
    "lattice_constants": "2.870 2.870 14.260 90.000 90.000 120.000",
}


def grow_particle(settings: ParticleSettings) -> tuple[VirtualParticle, xr.DataArray]:
    """Grow a polycrystalline particle in the window; its labels are the truth."""
    particle = virtual_particle(
        settings.shape,
        settings.spacing_nm,
        np.random.default_rng(settings.seed),
        settings.architecture,
        settings.radial_texture,
        settings.low_angle_share,
        settings.special_share,
    )
    truth = _of_the_particle(particle.labels, particle)
    return particle, as_volume(truth, settings.spacing_nm, "true_grain_label_volume")


def scan_particle(
    virtual_particle: VirtualParticle, settings: ScanSettings
) -> tuple[dict[str, xr.Dataset], dict[str, NDArray[np.uint8]], xr.DataArray, dict[str, Any]]:
    """Mill and scan the particle slice by slice, and label a few slices."""
    acquisition = acquire(
        virtual_particle,
        np.random.default_rng(settings.seed),
        settings,
    )
    spacing = virtual_particle.spacing
    return (
        {
            slice_name(z): _scan(acquisition, z, spacing, settings.frames)
            for z in range(len(acquisition.phase))
            if z not in settings.lost_slices
        },
        {slice_name(z): classes for z, classes in acquisition.annotations.items()},
        as_volume(
            _of_the_particle(acquisition.label_stack, virtual_particle),
            spacing,
            "acquired_label_stack",
        ),
        _motions(acquisition),
    )


def _of_the_particle(labels: NDArray[np.int32], particle: VirtualParticle) -> NDArray[np.int32]:
    """Leave out the second particle at the edge of the window: no analysis should count it."""
    return np.where(labels <= particle.main_grain_count, labels, 0)


def slice_name(z: int) -> str:
    """Name of slice z, from 0."""
    return f"slice_{z:03d}"


def _scan(
    acquisition: Acquisition, z: int, spacing: tuple[float, float, float], frames: FramePreset
) -> xr.Dataset:
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), acquisition.image_quality[z]),
            "confidence_index": (("y", "x"), acquisition.confidence_index[z]),
            "euler_angles": (("y", "x", "angle"), acquisition.euler_angles[z]),
            "phase": (("y", "x"), acquisition.phase[z]),
        },
        attrs={
            "step_nm": spacing[1:],
            "phases": (NMC532,),
            "source": slice_name(z),
            "file_frames": frames,
        },
    )


def _motions(acquisition: Acquisition) -> dict[str, Any]:
    return {
        "matrices": acquisition.true_matrices.tolist(),
        "slice_depths_nm": acquisition.slice_depths_nm.tolist(),
    }
