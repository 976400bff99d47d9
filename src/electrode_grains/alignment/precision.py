"""Standard errors of registrations, from how parts of the window disagree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.pairs import Image, Matrix, warp_image

# Tiles along each side, each with a few grains, whose disagreement tells the error.
TILES = 6
MARGIN_PX = 3


def step_errors(reference: Image, moving: Image, step: Matrix) -> NDArray[np.float64]:
    r"""Standard errors of a registration: shift along x, y (pixels) and rotation (radians).

    Notes
    -----
    At its optimum the gradient of the squared difference vanishes as a whole, but not in each
    part of the window, where noise and the change of grains from slice to slice pull their own
    way. With scores :math:`g_k` of tiles and the curvature :math:`H`, the covariance is
    :math:`H^{-1} (\sum_k g_k g_k^T) H^{-1}`, which is right for errors that are correlated
    within a tile [1]_. The curvature is taken from the products of both images' gradients, to
    which noise of either does not add.

    References
    ----------
    .. [1] K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear
       models", Biometrika 73 (1986) 13-22.
    """
    found = sandwich(reference, warp_image(moving, step), _motion_gradients)
    return np.full(3, np.inf) if found is None else found[1]


def sandwich(
    reference: Image, moved: Image, gradients: Callable[[Image], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Newton's step of the parameters of a motion, and their standard errors.

    `gradients` returns the changes of an image by each of the k parameters, shape (k, y, x). None
    where the images have nothing in common.
    """
    first, second = reference - reference.mean(), moved - moved.mean()
    second = second * float((first * second).sum() / max(float((second**2).sum()), 1e-12))
    slopes = [gradients(image) for image in (first, second)]
    curvature = np.einsum("iyx,jyx->ij", *slopes)
    curvature = (curvature + curvature.T) / 2
    scores = (slopes[0] + slopes[1]) / 2 * (first - second)
    rows, columns = reference.shape
    row, column = np.arange(rows) * TILES // rows, np.arange(columns) * TILES // columns
    tile = (row[:, None] * TILES + column).ravel()
    sums = np.stack([np.bincount(tile, score.ravel(), TILES**2) for score in scores], 1)
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return None
    inverse = np.linalg.inv(curvature)
    count = len(curvature)
    covariance = inverse @ (sums.T @ sums) @ inverse * TILES**2 / (TILES**2 - count)
    return inverse @ sums.sum(axis=0), np.sqrt(np.diag(covariance))


def _motion_gradients(image: Image) -> NDArray[np.float64]:
    """Change of an image by a shift along x, y and a rotation about its centre: (3, y, x)."""
    along_y, along_x = np.gradient(image)
    y, x = np.indices(image.shape) - (np.array(image.shape)[:, None, None] - 1) / 2
    gradients = np.stack([along_x, along_y, x * along_y - y * along_x])
    gradients[:, :MARGIN_PX] = gradients[:, -MARGIN_PX:] = 0
    gradients[:, :, :MARGIN_PX] = gradients[:, :, -MARGIN_PX:] = 0
    return gradients
