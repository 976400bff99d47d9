"""How sure registrations are, from how parts of the window disagree."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.pairs import (
    DOUBLE,
    Image,
    Matrix,
    Pair,
    correlation,
    covered_share,
    halved,
    warp_image,
)
from electrode_grains.alignment.transforms import rigid_matrix, rms_displacement, window_center

# Tiles along each side, each with a few grains, whose disagreement tells the error.
TILES = 6
MARGIN_PX = 3
# How the six numbers of an affine motion change an image: its slope along x (0) or y (1), times
# powers of x and y.
SLOPE = np.array([0, 1, 0, 0, 1, 1])
POWER_X, POWER_Y = np.array([0, 0, 1, 0, 1, 0]), np.array([0, 0, 0, 1, 0, 1])
AFFINE = np.eye(6)
# Newton's step that leaves a registration where it is, and the loss of correlation at the full
# resolution that an optimum at half of it may have.
SETTLED_PX, WORSE = 0.5, 0.01
RIGID = np.array([[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 0, -1, 1, 0]], float)


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
    found = sandwich(reference, warp_image(moving, step), RIGID)
    return np.full(3, np.inf) if found is None else found[1]


def confirm(reference: Image, moving: Image, step: Matrix, mode: str) -> Pair | None:
    """Registration from a step that is nearly right, at half the resolution.

    One step of Newton's, in a tenth of the time of a registration; None where it leads away from
    where it began, or to a clearly lower correlation.
    """
    half = np.linalg.inv(DOUBLE) @ step @ DOUBLE
    first, second = halved(reference), halved(moving)
    found = sandwich(first, warp_image(second, half), RIGID[: 2 if mode == "translation" else 3])
    if found is None:
        return None
    center = window_center(reference.shape)
    shift_x, shift_y, rotation = np.append(found[0], 0.0)[:3] * (2, 2, 1)
    refined = step @ rigid_matrix(shift_x, shift_y, rotation, center)
    if rms_displacement(refined - step, center) > SETTLED_PX:
        return None
    after = correlation(reference, moving, refined)
    if after < correlation(reference, moving, step) - WORSE:
        return None
    stays = correlation(reference, moving, np.eye(3))
    return Pair(refined, stays, after, covered_share(refined, reference.shape))


def sandwich(
    reference: Image, moved: Image, parameters: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Newton's step of the parameters of a motion, and their standard errors.

    Parameters
    ----------
    reference, moved : ndarray of float64, shape (y, x)
    parameters : ndarray of float64, shape (k, 6)
        What each parameter adds to the six numbers of an affine motion about the centre: shifts
        along x and y, then the linear map row by row (`RIGID`, `AFFINE`).

    Returns
    -------
    step, errors : ndarray of float64, shape (k,)
        None where the images have nothing in common.

    Notes
    -----
    The image changes by its slope along x or y, times 1, x or y. The sums of such products over
    the window and over tiles are moments of a few images: small matrix products.
    """
    first, second = reference - reference.mean(), moved - moved.mean()
    second = second * float((first * second).sum() / max(float((second**2).sum()), 1e-12))
    slopes, others, difference = _slopes(first), _slopes(second), first - second
    powers_y, powers_x, tiles_y, tiles_x = _coordinates(*reference.shape)
    moments = np.array([[powers_y @ (a * b) @ powers_x.T for b in others] for a in slopes])
    curvature = moments[
        SLOPE[:, None], SLOPE, POWER_Y[:, None] + POWER_Y, POWER_X[:, None] + POWER_X
    ]
    curvature = parameters @ curvature @ parameters.T
    curvature = (curvature + curvature.T) / 2
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return None
    scores = np.array(
        [
            tiles_y @ ((a + b) / 2 * difference) @ tiles_x.T
            for a, b in zip(slopes, others, strict=True)
        ]
    ).reshape(2, 2, TILES, 2, TILES)
    sums = scores[SLOPE, POWER_Y, :, POWER_X].reshape(6, TILES**2).T @ parameters.T
    inverse = np.linalg.inv(curvature)
    covariance = inverse @ (sums.T @ sums) @ inverse * TILES**2 / (TILES**2 - len(parameters))
    return inverse @ sums.sum(axis=0), np.sqrt(np.diag(covariance))


def _slopes(image: Image) -> tuple[Image, Image]:
    """Slopes along x and y, 0 at the margin."""
    inner, m = np.s_[MARGIN_PX:-MARGIN_PX], MARGIN_PX
    along_x, along_y = np.zeros_like(image), np.zeros_like(image)
    along_x[inner, inner] = (image[inner, m + 1 : 1 - m] - image[inner, m - 1 : -1 - m]) / 2
    along_y[inner, inner] = (image[m + 1 : 1 - m, inner] - image[m - 1 : -1 - m, inner]) / 2
    return along_x, along_y


@lru_cache(maxsize=8)
def _coordinates(rows: int, columns: int) -> tuple[NDArray[np.float64], ...]:
    """Powers 0 to 2 of y and x from the centre, and powers 0 and 1 within each tile."""
    powers, tiles = [], []
    for size in (rows, columns):
        powers.append((np.arange(size) - (size - 1) / 2) ** np.arange(3)[:, None])
        tile = np.arange(size) * TILES // size == np.arange(TILES)[:, None]
        tiles.append((powers[-1][:2, None] * tile).reshape(2 * TILES, size))
    return (*powers, *tiles)
