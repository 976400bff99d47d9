"""TIFF stacks that ImageJ opens with the right voxel size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.exports.particle import MAP_AXES, ExportedParticle

NM_PER_UM = 1000.0
LARGEST_EXACT = 2**24  # integers that a 32-bit float holds


def write_tiff_stack(
    values: NDArray[np.generic],
    spacing: tuple[float, float, float],
    path: Path,
    info: str = "",
) -> None:
    """Write a volume as an ImageJ hyperstack.

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
        Labels become 16-bit integers, or 32-bit floats where they are greater; other values
        32-bit floats.
    spacing : (float, float, float)
        (dz, dy, dx) in nm; written in micrometres.
    path : Path
    info : str
        What ImageJ shows on "Show Info".

    Raises
    ------
    InputError
        If labels are negative or too great to be told apart.
    """
    dz, dy, dx = (step / NM_PER_UM for step in spacing)
    kind = np.float32
    if np.issubdtype(values.dtype, np.integer):
        low, high = int(values.min(initial=0)), int(values.max(initial=0))
        if low < 0 or high > LARGEST_EXACT:
            raise InputError(
                "labels cannot be kept in a TIFF that ImageJ reads",
                found=f"{low} to {high}",
                expected=f"0 to {LARGEST_EXACT}",
                remedy="renumber them, or use another format",
            )
        kind = np.uint16 if high < 2**16 else np.float32  # type: ignore[assignment]
    tifffile.imwrite(
        path,
        (layer.astype(kind) for layer in values),
        # All six axes, else a single column is taken for a single sample of a pixel.
        shape=(1, values.shape[0], 1, *values.shape[1:], 1),
        dtype=kind,
        imagej=True,
        resolution=(1 / dx, 1 / dy),
        metadata={
            "spacing": dz,
            "unit": "um",
            "axes": "TZCYXS",
            **({"Info": info} if info else {}),
        },
        compression="zlib",
    )


def write_label_stack(particle: ExportedParticle, path: Path) -> None:
    """Write the grain labels of a particle."""
    info = f"axes: {MAP_AXES}"
    info += f"\norientations: {particle.orientations}" if particle.orientations else ""
    write_tiff_stack(particle.labels, particle.spacing, path, info)
