"""What voxels do to descriptors, and below which diameter one of them means nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from electrode_grains.morphometry.checks import check_spacing

Floats = NDArray[np.float64]

# Mean error and its standard deviation (within bodies and between them) of a sphere, two
# ellipsoids and two merged balls, 200 positions and orientations each, by equivalent diameter
# in voxels. Made by `python -m benchmarks.voxelization`; docs/descriptors/resolution.md.
DIAMETERS = (2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
BIAS: Mapping[str, tuple[float, ...]] = {
    "sphericity": (
        0.2421, 0.1442, 0.09733, 0.07211, 0.05544, 0.03597, 0.02557, 0.01546, 0.01069, 0.008098,
        0.005188, 0.00352, 0.002709, 0.001813,
    ),
    "convexity": (
        0.02482, 0.02427, 0.02196, 0.02078, 0.0189, 0.01582, 0.01353, 0.0105, 0.008457, 0.007241,
        0.005097, 0.003951, 0.003206, 0.002273,
    ),
    "elongation": (
        -0.4718, -0.1164, -0.09754, -0.06236, -0.06028, -0.03974, -0.0221, -0.01492, -0.008731,
        -0.006335, -0.003391, -0.002073, -0.001576, -0.0008292,
    ),
}  # fmt: skip
SPREAD: Mapping[str, tuple[float, ...]] = {
    "sphericity": (
        0.05891, 0.03836, 0.0292, 0.02236, 0.01807, 0.01436, 0.01199, 0.009455, 0.0071, 0.006146,
        0.00461, 0.003514, 0.002926, 0.002169,
    ),
    "convexity": (
        0.04298, 0.04273, 0.04075, 0.03837, 0.03501, 0.0292, 0.02479, 0.01908, 0.01518, 0.01303,
        0.009116, 0.007021, 0.005648, 0.004014,
    ),
    "elongation": (
        0.3284, 0.1679, 0.1154, 0.09324, 0.08358, 0.05416, 0.0348, 0.02224, 0.01436, 0.01123,
        0.005433, 0.003804, 0.002662, 0.001393,
    ),
}  # fmt: skip
CORRECTABLE = ("sphericity", "elongation")  # that of convexity differs too much between bodies
MEANINGLESS = 0.5  # error of the voxels over the standard deviation of the grains


def voxelization_error(descriptor: str, diameters: ArrayLike) -> tuple[Floats, Floats]:
    """Bias and spread that voxels alone give a descriptor.

    Parameters
    ----------
    descriptor : str
        sphericity, convexity or elongation.
    diameters : array_like of float
        Volume-equivalent diameters in voxels.

    Returns
    -------
    bias, spread : ndarray of float64
        Interpolated over the logarithm of the diameter. Beyond 32 voxels they fall off with
        the square of it; below 2 they are those of 2.

    Examples
    --------
    >>> bias, spread = voxelization_error("sphericity", [4, 64])
    >>> bias.round(4).tolist(), spread.round(4).tolist()
    ([0.0554, 0.0005], [0.0181, 0.0005])
    """
    given = np.asarray(diameters, float)
    place, known = np.log(np.maximum(given, DIAMETERS[0])), np.log(DIAMETERS)
    beyond = np.minimum(1.0, (DIAMETERS[-1] / given) ** 2)
    bias, spread = (np.interp(place, known, table[descriptor]) * beyond for table in (BIAS, SPREAD))
    return bias, spread


def resolution_limits(grains: pd.DataFrame, spacing: Sequence[float]) -> dict[str, float | None]:
    """Diameter below which each shape descriptor means nothing for these grains.

    Parameters
    ----------
    grains : DataFrame
        As from `characterize_grains`.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm; a voxel counts as the cube of equal volume.

    Returns
    -------
    dict
        By descriptor, the least diameter in nm from which on the root mean square error of
        the voxels stays within half the standard deviation of the descriptor over the
        grains: below it a difference between two grains may well be one of their places on
        the lattice. None where fewer than two grains have the descriptor or all are alike.

    Examples
    --------
    >>> table = pd.DataFrame({name: [0.6, 0.8] for name in ("sphericity", "elongation")})
    >>> resolution_limits(table.assign(convexity=1.0), (50, 50, 50))
    {'sphericity': 182.0, 'convexity': None, 'elongation': 244.0}
    """
    voxel = float(np.cbrt(np.prod(check_spacing(spacing))))
    return {name: _limit(name, grains[name], voxel) for name in BIAS}


def _limit(descriptor: str, values: pd.Series, voxel: float) -> float | None:
    wanted = MEANINGLESS * values.std()
    if not wanted > 0:
        return None
    diameters = np.geomspace(DIAMETERS[0], 100 * DIAMETERS[-1], 4096)
    blurred = np.hypot(*voxelization_error(descriptor, diameters)) > wanted
    last = int(np.flatnonzero(blurred).max(initial=0))
    return float(np.round(voxel * diameters[last]))


def correct_resolution(grains: pd.DataFrame, spacing: Sequence[float]) -> pd.DataFrame:
    """Add sphericity and elongation without the mean error of their voxels.

    Parameters
    ----------
    grains : DataFrame
        As from `characterize_grains`.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.

    Returns
    -------
    DataFrame
        With `sphericity_corrected` and `elongation_corrected`; nothing else changes. The
        correction is the mean over bodies of several shapes, and a single grain may need
        more or less: it straightens means, not the ranks of grains of one size.
    """
    diameters = grains["equivalent_diameter_nm"] / np.cbrt(np.prod(check_spacing(spacing)))
    return grains.assign(
        **{
            f"{name}_corrected": grains[name] - voxelization_error(name, diameters)[0]
            for name in CORRECTABLE
        }
    )
