"""Volumes with their voxel spacing: plain arrays in, `xarray.DataArray` out, and back.

A volume has dimensions `(z, y, x)`, or `(channel, z, y, x)`, and carries the
positions of its voxel centres in nanometres as coordinates. Domain functions take
the bare array and `spacing = (dz, dy, dx)`; this module is the hinge between the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from electrode_grains.errors import InputError, SettingsError

if TYPE_CHECKING:
    import xarray as xr

Spacing = tuple[float, float, float]
AXES = ("z", "y", "x")
LARGEST_EDGE_NM = 10_000.0
# A length that differs by more from the others is nearer to them in another unit (um, pm).
LARGEST_ANISOTROPY = 1000**0.5
NOTABLE_ANISOTROPY = 10.0


def as_volume(
    values: ArrayLike, spacing: Sequence[float], name: str, channels: Sequence[str] | None = None
) -> xr.DataArray:
    """Attach voxel positions to an array.

    Parameters
    ----------
    values : array_like, shape (z, y, x) or (channel, z, y, x)
        Voxel values.
    spacing : sequence of 3 float
        Distance of voxel centres (dz, dy, dx) in nm.
    name : str
        Name of the quantity.
    channels : sequence of str, optional
        Names of the channels, for a volume of four dimensions.

    Returns
    -------
    xr.DataArray
        Dimensions `(z, y, x)` or `(channel, z, y, x)`; z, y, x in nm.

    Raises
    ------
    InputError
        If dimensions, channels or spacing do not fit each other.

    Examples
    --------
    >>> volume = as_volume(np.zeros((2, 3, 4)), (50, 50, 50), "image_quality")
    >>> spacing_of(volume)
    (50.0, 50.0, 50.0)
    """
    import xarray as xr  # half a second, which help and refusals of commands do without

    array = np.asarray(values)
    expected = 3 if channels is None else 4
    if array.ndim != expected:
        raise InputError(
            f"volume {name!r} has the wrong number of dimensions",
            found=f"shape {array.shape}",
            expected="(z, y, x)" if channels is None else "(channel, z, y, x)",
        )
    steps = tuple(float(step) for step in spacing)
    if len(steps) != 3 or not all(np.isfinite(step) and step > 0 for step in steps):
        raise InputError(
            f"volume {name!r} has an impossible voxel spacing",
            found=str(steps),
            expected="three positive lengths (dz, dy, dx) in nm",
        )
    coordinates: dict[str, ArrayLike] = {
        axis: np.arange(size) * step
        for axis, size, step in zip(AXES, array.shape[-3:], steps, strict=True)
    }
    if channels is not None:
        if len(channels) != len(array):
            raise InputError(
                f"volume {name!r} has {len(array)} channels but {len(channels)} names",
                found=", ".join(channels),
            )
        coordinates["channel"] = list(channels)
    volume = xr.DataArray(
        array,
        dims=AXES if channels is None else ("channel", *AXES),
        coords=coordinates,
        name=name,
        attrs={"spacing_nm": steps},
    )
    for axis in AXES:
        volume[axis].attrs["units"] = "nm"
    return volume


def spacing_notes(spacing: Sequence[float], where: str) -> tuple[str, ...]:
    """Refuse voxels whose edges are not in one unit, and note what should be looked at.

    Parameters
    ----------
    spacing : sequence of 3 float
        (dz, dy, dx) in nm, all positive.
    where : str
        Setting or option that a user can correct.

    Returns
    -------
    tuple of str
        A note where edges differ by a factor of more than 10, as those of lamellae may, and one
        where all are longer than 10 um, which no microscope of this kind has.

    Raises
    ------
    SettingsError
        If they differ by a factor of more than 31.6, the square root of 1000.

    Examples
    --------
    >>> spacing_notes((50, 4, 4), "spacing")
    ('the voxels of 50 x 4 x 4 nm (z, y, x) are 12.5 times as long as wide: check spacing',)
    """
    low, middle, high = sorted(spacing)
    shown = " x ".join(f"{step:g}" for step in spacing) + " nm (z, y, x)"
    ratio = high / low
    coarse = (f"the voxels of {shown} are longer than 10 um: check the unit of {where}",)
    notes = coarse if low > LARGEST_EDGE_NM else ()
    if ratio <= NOTABLE_ANISOTROPY:
        return notes
    if ratio <= LARGEST_ANISOTROPY:
        long = f"the voxels of {shown} are {ratio:.3g} times as long as wide: check {where}"
        return (*notes, long)
    odd, meant = (low, low * 1000) if middle / low > high / middle else (high, high / 1000)
    raise SettingsError(
        "the edges of the voxels are not in one unit",
        where=where,
        found=f"{shown}: one is {ratio:.3g} times another",
        expected=f"nanometres, which differ by a factor of {LARGEST_ANISOTROPY:.3g} at most",
        remedy=f"are these micrometres, or picometres? Then {odd:g} is {meant:g} nm",
    )


def spacing_of(volume: xr.DataArray) -> Spacing:
    """Voxel spacing (dz, dy, dx) in nm of a volume made by `as_volume`.

    Raises
    ------
    InputError
        If the volume carries no spacing.
    """
    try:
        dz, dy, dx = (float(step) for step in volume.attrs["spacing_nm"])
    except KeyError:
        raise InputError(
            f"volume {volume.name!r} carries no voxel spacing",
            expected="attribute spacing_nm = (dz, dy, dx)",
            remedy="make volumes with electrode_grains.volumes.as_volume",
        ) from None
    return dz, dy, dx
