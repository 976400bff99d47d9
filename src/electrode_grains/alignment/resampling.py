"""Moving the slices of a volume: once for each channel, masked where there is no source."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.alignment.transforms import SliceTransforms
from electrode_grains.errors import InputError, SettingsError


def apply_transforms(
    volume: NDArray[Any], transforms: SliceTransforms, order: int, fill: float | None = None
) -> NDArray[Any]:
    """Move each slice of a volume.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x) or (channel, z, y, x)
        Values as scanned.
    transforms : SliceTransforms
        One for each slice.
    order : int
        Order of the spline, 0 for nearest neighbour (labels, orientations).
    fill : float, optional
        Value of pixels without source; NaN for floating-point, 0 for whole numbers.

    Returns
    -------
    ndarray
        Same shape and dtype.

    Raises
    ------
    InputError
        If there is not one transform a slice, or whole numbers meet a spline.
    SettingsError
        If the order is not 0 to 5.

    Notes
    -----
    Missing values (NaN) are filled from their nearest neighbour before a spline runs and
    masked again after it, lest one of them spoil its surroundings. Where a spline leaves the
    range of a slice, beside sharp edges, its values are cut to that range. A slice that does not
    move keeps its values exactly. Pixels without source are the ones where nothing was measured:
    NaN in image quality, no orientation, class 0.
    """
    if volume.ndim not in (3, 4) or volume.shape[-3] != len(transforms.matrices):
        raise InputError(
            "a volume needs one transform for each of its slices",
            found=f"shape {volume.shape} and {len(transforms.matrices)} transforms",
        )
    floating = np.issubdtype(volume.dtype, np.floating)
    if order > 0 and not floating:
        raise InputError(
            "labels cannot be interpolated", found=f"order {order}", expected="order 0"
        )
    if order not in range(6):
        raise SettingsError("no such spline", found=f"order {order}", expected="order 0 to 5")
    # In the volume's own dtype: a float would round labels beyond 2^53.
    missing = volume.dtype.type(fill if fill is not None else (np.nan if floating else 0))
    moved = np.empty_like(volume)
    for z, matrix in enumerate(transforms.matrices):
        for channel in np.ndindex(volume.shape[:-3]):
            moved[(*channel, z)] = _move(volume[(*channel, z)], matrix, order, missing)
    return moved


def _move(
    image: NDArray[Any], matrix: NDArray[np.float64], order: int, missing: Any
) -> NDArray[Any]:
    if np.array_equal(matrix, np.eye(3)):
        finite = np.isfinite(image) if np.issubdtype(image.dtype, np.floating) else True
        return np.asarray(np.where(finite, image, missing), image.dtype)
    rows, columns = image.shape
    y, x = np.mgrid[:rows, :columns]
    sx = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    sy = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    nearest_y, nearest_x = np.rint(sy).astype(int), np.rint(sx).astype(int)
    inside = (nearest_y >= 0) & (nearest_y < rows) & (nearest_x >= 0) & (nearest_x < columns)
    nearest = image[np.clip(nearest_y, 0, rows - 1), np.clip(nearest_x, 0, columns - 1)]
    if order == 0:
        picked: NDArray[Any] = np.where(inside, nearest, missing).astype(image.dtype)
        return picked
    holes = ~np.isfinite(image)
    if holes.all():
        return np.full_like(image, missing)
    source = image
    if holes.any():
        index = ndimage.distance_transform_edt(holes, return_distances=False, return_indices=True)
        source = image[tuple(index)]
    interpolated = ndimage.map_coordinates(source, [sy, sx], order=order, mode="nearest")
    interpolated = interpolated.clip(source.min(), source.max())  # splines overshoot
    usable = inside & np.isfinite(nearest)
    moved: NDArray[Any] = np.where(usable, interpolated, missing).astype(image.dtype)
    return moved


def rotate_orientations(
    quaternions: NDArray[np.floating[Any]], transforms: SliceTransforms
) -> NDArray[np.float32]:
    """Turn crystals with the slice they lie in.

    Parameters
    ----------
    quaternions : ndarray of float, shape (z, y, x, 4)
        Orientations (sample to crystal, scalar first), already moved to the aligned frame.
    transforms : SliceTransforms
        Their in-plane rotations, turns and mirror images.

    Returns
    -------
    ndarray of float32, shape (z, y, x, 4)
        Orientations with respect to the aligned frame.

    Notes
    -----
    With R the rotation of aligned to scanned coordinates of a slice, a vector v of the
    aligned frame is R v in the scan's, so the orientation g becomes g R.
    """
    w, x, y, z = np.moveaxis(np.asarray(quaternions, float), -1, 0)
    a, b, c, d = transforms.lattice_turns.T[:, :, None, None]
    # Hamilton product with the turns of the lattices.
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=-1,
    ).astype(np.float32)
