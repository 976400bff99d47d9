"""Orientation fields: what a stack of scans says of the crystal at each point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.crystal import laue_group_of_tsl_symmetry
from electrode_grains.ebsd.orientations import (
    laue_group,
    quaternions_from_euler,
    reduce_to_fundamental_zone,
)
from electrode_grains.errors import SettingsError

SMALLEST_PHASE = 0.01


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
        scan has no solution: a confidence index of 0 or less, or angles that are not finite.
    """
    euler = scans["euler_angles"].to_numpy()
    confidence = scans["confidence_index"].to_numpy()
    group = laue_group(laue)
    field = np.full((5, *confidence.shape), np.nan, np.float32)
    field[4] = confidence
    for z, (angles, trust) in enumerate(zip(euler, confidence, strict=True)):
        indexed = np.isfinite(angles).all(axis=-1) & ~(trust <= 0)
        quaternions = reduce_to_fundamental_zone(quaternions_from_euler(angles[indexed]), group)
        field[:4, z, indexed] = quaternions.T
    return field


def symmetry_doubts(scans: xr.Dataset, laue: str) -> list[str]:
    """Compare the symmetry that the scans give their phases with the one that is used.

    Parameters
    ----------
    scans : xr.Dataset
        Stack with the variable `phase` (z, y, x) and the attribute `phases`.
    laue : str
        Laue group that all orientations are reduced with.

    Returns
    -------
    list of str
        A sentence for each phase of another Laue group that holds more than 1 % of the points.
    """
    phase = scans["phase"].to_numpy()
    listed = list(scans.attrs.get("phases") or ())
    doubts = []
    for entry in listed:
        # Scans of a single phase number it 0 or 1.
        share = 1.0 if len(listed) == 1 else float((phase == int(entry["id"])).mean())
        group = _group_of(entry)
        if share > SMALLEST_PHASE and group not in (None, laue):
            doubts.append(
                f"phase {entry['id']} ({entry.get('material_name', '')}, {share:.0%} of the "
                f"points) has Laue group {group}, but orientations are compared with {laue}"
            )
    return doubts


def _group_of(phase: Mapping[str, Any]) -> str | None:
    try:
        return laue_group_of_tsl_symmetry(str(phase.get("symmetry", "")))
    except SettingsError:
        return None
