"""Strains of slices: stretch, shear and magnification that a scan should not have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.alignment.matching import Match, Slices
from electrode_grains.alignment.pairs import Image, Matrix, warp_image
from electrode_grains.alignment.precision import MARGIN_PX, sandwich
from electrode_grains.alignment.transforms import window_center

# A change of the strain beyond the median of the steps around it, in its errors and absolutely:
# what is less is the shape of grains.
STRAIN_ERRORS, LEAST_STRAIN = 5.0, 0.005
WINDOW = 7
BLUR_PX, BLURRED, ITERATIONS, SETTLED, NEGLIGIBLE = 2.5, 3, 12, 3e-4, 3e-3


def step_strain(
    reference: Image, moving: Image, step: Matrix
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far one slice is strained against another, beyond a rigid step.

    Parameters
    ----------
    reference, moving : ndarray of float64, shape (y, x)
    step : ndarray of float64, shape (3, 3)
        By registration.

    Returns
    -------
    strain, errors : ndarray of float64, shape (3,)
        Stretch along x, along y, and shear (half the change of the right angle) of the moving
        slice, and standard errors.

    Notes
    -----
    Gauss and Newton's method for the six parameters of an affine motion, started from the rigid
    one; the errors are those of `electrode_grains.alignment.precision.step_errors`.
    """
    center = np.array(window_center(reference.shape))
    affine = step
    errors = np.full(6, np.inf)
    blurred = [ndimage.gaussian_filter(image, BLUR_PX) for image in (reference, moving)]
    for iteration in range(ITERATIONS):
        # Blurred at first, since distortions may displace corners by more than a boundary's width.
        first, second = blurred if iteration < BLURRED else (reference, moving)
        found = sandwich(first, warp_image(second, affine), _affine_gradients)
        if found is None:
            return np.zeros(3), np.full(3, np.inf)
        change, errors = found
        refined = np.eye(3)
        refined[:2, :2] += change[2:].reshape(2, 2)
        refined[:2, 2] = change[:2] + center - refined[:2, :2] @ center
        affine = affine @ refined
        if iteration == 0 and np.abs(change[2:]).max() < NEGLIGIBLE:
            break  # as nearly always, and a look at it is enough
        if iteration >= BLURRED and np.abs(change[2:]).max() < SETTLED:
            break
    linear = np.linalg.inv(step[:2, :2]) @ affine[:2, :2]
    if np.abs(linear - np.eye(2)).max() > 0.3:  # it has run away
        return np.zeros(3), np.full(3, np.inf)
    strain = np.array([linear[0, 0] - 1, linear[1, 1] - 1, (linear[0, 1] + linear[1, 0]) / 2])
    shear_error = float(np.hypot(errors[3], errors[4])) / 2
    return strain, np.array([errors[2], errors[5], shear_error])


def _affine_gradients(image: Image) -> NDArray[np.float64]:
    """Change of an image by shifts and by the four numbers of a linear map: (6, y, x)."""
    along_y, along_x = np.gradient(image)
    y, x = np.indices(image.shape) - (np.array(image.shape)[:, None, None] - 1) / 2
    gradients = np.stack([along_x, along_y, x * along_x, y * along_x, x * along_y, y * along_y])
    gradients[:, :MARGIN_PX] = gradients[:, -MARGIN_PX:] = 0
    gradients[:, :, :MARGIN_PX] = gradients[:, :, -MARGIN_PX:] = 0
    return gradients


def significant_strains(slices: Slices, matches: Sequence[Match]) -> NDArray[np.float64]:
    """Strain of each slice against the one that it was registered to, 0 where not significant.

    Shape (n, 3). Grains that taper strain all slices alike, which the median of the steps around
    takes out.
    """
    strains = np.full((len(matches), 3), np.nan)
    errors = np.full_like(strains, np.inf)
    for z, match in enumerate(matches[1:], 1):
        reference, moving = slices.images[match.reference], slices.images[z]
        if not match.between and reference is not None and moving is not None:
            strains[z], errors[z] = step_strain(reference, moving, match.step)
    known = np.isfinite(strains).all(axis=1) & np.isfinite(errors).all(axis=1)
    significant = np.zeros_like(strains)
    if known.sum() < WINDOW // 2:
        return significant
    # mirrored: repeated, the first step would be its own neighbourhood and that of the second
    usual = ndimage.median_filter(strains[known], (WINDOW, 1), mode="mirror")
    excess = strains[known] - usual
    large = (np.abs(excess) > STRAIN_ERRORS * errors[known]) & (np.abs(excess) > LEAST_STRAIN)
    # Errors of the steps beside tell what their spread is where tiles do not.
    scatter = 1.4826 * np.median(np.abs(excess), axis=0)
    large &= np.abs(excess) > STRAIN_ERRORS * scatter
    significant[known] = np.where(large.any(axis=1, keepdims=True), excess, 0.0)
    return significant


def describe_strain(strain: NDArray[np.float64]) -> str:
    """A warning about the strain of one slice."""
    along_x, along_y, shear = 100 * strain
    return (
        f"distorted against the slice before: stretched by {along_x:+.1f} % along x and "
        f"{along_y:+.1f} % along y, sheared by {2 * shear:+.1f} %; mode: affine corrects it"
    )


def accumulated(strains: NDArray[np.float64], matches: Sequence[Match]) -> NDArray[np.float64]:
    """Strain of each slice against most slices, shape (n, 3)."""
    total = np.zeros_like(strains)
    for z, match in enumerate(matches):
        if z:
            total[z] = total[match.reference] + strains[z]
    centered: NDArray[np.float64] = total - np.median(total, axis=0)
    return centered


def strain_matrices(
    strains: NDArray[np.float64], center: tuple[float, float]
) -> NDArray[np.float64]:
    """Linear maps about a centre (x, y), shape (n, 3, 3)."""
    matrices = np.tile(np.eye(3), (len(strains), 1, 1))
    matrices[:, 0, 0] += strains[:, 0]
    matrices[:, 1, 1] += strains[:, 1]
    matrices[:, 0, 1] = matrices[:, 1, 0] = strains[:, 2]
    matrices[:, :2, 2] = np.array(center) - matrices[:, :2, :2] @ np.array(center)
    return matrices
