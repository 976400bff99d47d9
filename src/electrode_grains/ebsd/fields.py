"""Orientation fields: what a stack of scans says of the crystal at each point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.crystal import LaueGroup, laue_group_of_phase
from electrode_grains.ebsd import orientations as crystals
from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.pseudo_group import Operator

SMALLEST_PHASE = 0.01


def orientations_of_stack(
    scans: xr.Dataset, laue_group: LaueGroup, operators: tuple[Operator, ...] = ()
) -> OrientationField:
    """Orientations of every point of a stack, in the fundamental zone.

    Parameters
    ----------
    scans : xr.Dataset
        Stack with variables `euler_angles` (z, y, x, angle; radians, Bunge) and
        `confidence_index` (z, y, x).
    laue_group : LaueGroup
        Symmetry that orientations are compared with.
    operators : tuple of Operator
        Pseudo-symmetry that is given.

    Returns
    -------
    OrientationField
        Shape (z, y, x); unknown where the scan has no solution: a confidence index of 0 or
        less, or angles that are not finite.
    """
    euler = scans["euler_angles"].to_numpy()
    confidence = scans["confidence_index"].to_numpy()
    group = crystals.laue_group(laue_group)
    quaternions = np.full((*confidence.shape, 4), np.nan, np.float32)
    for angles, trust, plane in zip(euler, confidence, quaternions, strict=True):
        indexed = np.isfinite(angles).all(axis=-1) & ~(trust <= 0)
        plane[indexed] = crystals.reduce_to_fundamental_zone(
            crystals.quaternions_from_euler(angles[indexed]), group
        )
    return OrientationField(quaternions, confidence, laue_group=laue_group, operators=operators)


def stack_orientations(scans: xr.Dataset, laue: LaueGroup) -> NDArray[np.float32]:
    """Quaternions and confidence index of every point of a stack, shape (5, z, y, x).

    The stored form of `orientations_of_stack`.
    """
    return orientations_of_stack(scans, laue).to_channels()


def check_symmetry(scans: xr.Dataset, laue_group: LaueGroup) -> list[str]:
    """Compare the symmetry that the scans give their phases with the one that is used.

    Parameters
    ----------
    scans : xr.Dataset
        Stack with the variable `phase` (z, y, x) and the attribute `phases`.
    laue_group : LaueGroup
        Laue group that all orientations are reduced with.

    Returns
    -------
    list of str
        A sentence for each phase of another Laue group that holds more than 1 % of the points.
    """
    phase = scans["phase"].to_numpy()
    listed = list(scans.attrs.get("phases") or ())
    return symmetry_warnings(
        listed, [float((phase == int(entry["id"])).mean()) for entry in listed], laue_group
    )


def symmetry_warnings(
    phases: Sequence[Mapping[str, Any]], shares: Sequence[float], laue_group: LaueGroup
) -> list[str]:
    """The warnings of `check_symmetry`, from the share of all points that each phase has."""
    warnings = []
    for entry, counted in zip(phases, shares, strict=True):
        # Scans of a single phase number it 0 or 1.
        share = 1.0 if len(phases) == 1 else counted
        group = laue_group_of_phase(entry)
        if share > SMALLEST_PHASE and group not in (None, laue_group):
            warnings.append(
                f"phase {entry['id']} ({entry.get('material_name', '')}, {share:.0%} of the "
                f"points) has Laue group {group}, but orientations are compared with {laue_group}"
            )
    return warnings
