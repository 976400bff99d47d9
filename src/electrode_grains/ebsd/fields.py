"""Orientation fields: what a stack of scans says of the crystal at each point."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd.orientations import (
    laue_group,
    quaternions_from_euler,
    reduce_to_fundamental_zone,
)


def stack_orientations(scans: xr.Dataset, laue: str) -> NDArray[np.float32]:
    """Quaternions and confidence index of every point of a stack.

    Parameters
    ----------
    scans : xr.Dataset
        Stack with variables `euler_angles` (z, y, x, angle; radians, Bunge) and
        `confidence_index` (z, y, x).
    laue : str
        Laue group, for the reduction to its fundamental zone.

    Returns
    -------
    ndarray of float32, shape (5, z, y, x)
        Quaternion (w, x, y, z) and confidence index. The quaternion is NaN where the
        scan has no solution: a confidence index below 0, or angles that are not finite.
    """
    euler = scans["euler_angles"].to_numpy()
    confidence = scans["confidence_index"].to_numpy()
    group = laue_group(laue)
    field = np.full((5, *confidence.shape), np.nan, np.float32)
    field[4] = confidence
    for z, (angles, trust) in enumerate(zip(euler, confidence, strict=True)):
        indexed = np.isfinite(angles).all(axis=-1) & ~(trust < 0)
        quaternions = reduce_to_fundamental_zone(quaternions_from_euler(angles[indexed]), group)
        field[:4, z, indexed] = quaternions.T
    return field
