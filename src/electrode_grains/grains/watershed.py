"""Watershed from the exact h-minima of an image, as a minimum spanning forest.

The volume is a graph: voxels are vertices, faces between voxels are edges. Voxels are
totally ordered by (value, distance to the lower border of their plateau, index), edges by
their greater and then their lesser voxel. In this order the minimum spanning forest rooted
in the minima deeper than h is unique, and its trees are the grains: every voxel belongs to
the minimum from which the flood reaches it first. No result depends on the order in which
voxels are visited, nor on a queue.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.basins import Labels, fill_minima, flood

_LARGEST = 2**31 - 2  # voxel indices are int32


def flood_from_minima(
    image: ArrayLike, depth: float, mask: NDArray[np.bool_] | None = None
) -> Labels:
    r"""Split an image into the catchment basins of its minima deeper than a depth.

    Parameters
    ----------
    image : array_like of float32, shape (z, y, x)
        Landscape to flood, such as the probability of a grain boundary; one or two
        dimensions are accepted too. Float64 is kept as it is.
    depth : float
        The h of the h-minima transform, in the unit of the image: minima from which a
        pass at most this high leads to a lower minimum are no basins of their own.
    mask : ndarray of bool, shape of the image, optional
        Voxels to flood; the others are walls and get label 0.

    Returns
    -------
    ndarray of int32, shape of the image
        Basins from 1, numbered by their first voxel in memory order.

    Raises
    ------
    InputError
        If a voxel inside the mask is not finite, or shapes do not fit.
    SettingsError
        If the depth is negative or not finite.

    Notes
    -----
    Voxels are neighbours when they share a face. With the reconstruction by erosion

    .. math:: R(x) = \min_{y} \max\bigl(f(y) + h, \max_{\text{path } y \to x} f\bigr),

    the basins are those of the regional minima of R, flooded in the order of f. A minimum
    of depth exactly h is filled, and `depth` 0 keeps all regional minima. Sums f + h are
    rounded to the type of the image. On plateaus the flood advances by one voxel a step
    from every side. Voxel spacing plays no part, since only values are compared.

    `skimage.morphology.h_minima` differs: it marks residual plateaus, and finds three
    minima in the example below.

    References
    ----------
    .. [1] J. Cousty et al., "Watershed cuts: minimum spanning forests and the drop of water
       principle", IEEE Trans. Pattern Anal. Mach. Intell. 31 (2009) 1362.
    .. [2] P. Soille, "Morphological Image Analysis", 2nd ed., Springer, 2004, section 6.3.

    Examples
    --------
    >>> flood_from_minima([5, 0, 1, 0, 5, 0, 5], depth=3).tolist()
    [1, 1, 1, 1, 1, 2, 2]
    """
    landscape, step = _walled(image, depth, mask)
    basins, _ = flood(landscape, step)
    return _without_walls(basins, np.shape(image))


def h_minima_markers(
    image: ArrayLike, depth: float, mask: NDArray[np.bool_] | None = None
) -> Labels:
    """Mark the minima of an image that are deeper than a depth.

    Parameters
    ----------
    image : array_like of float32, shape (z, y, x)
        One or two dimensions are accepted too.
    depth : float
        The h of the h-minima transform.
    mask : ndarray of bool, shape of the image, optional
        Voxels to look at; the others get label 0.

    Returns
    -------
    ndarray of int32, shape of the image
        Regional minima of the reconstruction of f + h over f, numbered like the basins of
        `flood_from_minima`; 0 elsewhere.

    Raises
    ------
    InputError
        If a voxel inside the mask is not finite, or shapes do not fit.
    SettingsError
        If the depth is negative or not finite.

    Examples
    --------
    >>> h_minima_markers([5, 0, 1, 0, 5, 0, 5], depth=3).tolist()
    [0, 1, 1, 1, 0, 2, 0]
    """
    landscape, step = _walled(image, depth, mask)
    _, minima = flood(landscape, step)
    return _without_walls(fill_minima(landscape, minima, step), np.shape(image))


def _walled(
    image: ArrayLike, depth: float, mask: NDArray[np.bool_] | None
) -> tuple[NDArray[Any], Any]:
    """Check the image and surround it, and what the mask leaves out, by infinite walls."""
    values = np.asarray(image)
    if not 1 <= values.ndim <= 3 or values.size == 0 or values.dtype.kind not in "fiub":
        raise InputError(
            "the image cannot be flooded",
            found=f"shape {values.shape} of {values.dtype}",
            expected="real numbers, shape (z, y, x)",
        )
    if not (np.isfinite(depth) and depth >= 0):
        raise SettingsError(
            "the depth of minima is impossible", found=str(depth), expected="0 or more, finite"
        )
    if mask is not None and np.shape(mask) != values.shape:
        raise InputError(
            "mask and image have different shapes", found=f"{np.shape(mask)} and {values.shape}"
        )
    kind = np.float32 if np.can_cast(values.dtype, np.float32) else np.float64
    shape = (1,) * (3 - values.ndim) + values.shape
    padded = tuple(size + 2 for size in shape)
    if int(np.prod(padded)) > _LARGEST:
        raise InputError(
            "the image is too large to be flooded at once",
            found=f"{values.size} voxels",
            expected=f"at most {_LARGEST}",
            remedy="crop the volume to the particle",
        )
    landscape = np.full(padded, np.inf, kind)
    inner = landscape[1:-1, 1:-1, 1:-1]
    inner[...] = values.reshape(shape)
    finite = np.isfinite(inner)
    wanted = np.ones(shape, bool) if mask is None else np.asarray(mask, bool).reshape(shape)
    if not finite[wanted].all():
        bad = np.argwhere(wanted & ~finite)
        raise InputError(
            "the image to be flooded holds values that are not finite",
            where=f"voxel {tuple(bad[0].tolist())} (z, y, x)",
            found=f"{len(bad)} such voxels",
            expected="finite numbers",
            remedy="predict or interpolate these voxels, or leave them out by a mask",
        )
    inner[~wanted] = np.inf
    return landscape, kind(depth)


def _without_walls(padded: Labels, shape: tuple[int, ...]) -> Labels:
    return np.ascontiguousarray(padded[1:-1, 1:-1, 1:-1]).reshape(shape)
