"""Volumes with their voxel spacing: plain arrays in, `xarray.DataArray` out, and back.

A volume has dimensions `(z, y, x)`, or `(channel, z, y, x)`, and carries the
positions of its voxel centres in nanometres as coordinates. Domain functions take
the bare array and `spacing = (dz, dy, dx)`; this module is the hinge between the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from electrode_grains.errors import InputError

Spacing = tuple[float, float, float]
AXES = ("z", "y", "x")


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
