"""Strains of slices: stretch, shear and magnification that a scan should not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.alignment.matching import Match, Slices
from electrode_grains.alignment.pairs import (
    COARSE_FROM_PX,
    DOUBLE,
    Image,
    Matrix,
    halved,
    warp_image,
)
from electrode_grains.alignment.precision import AFFINE, sandwich
from electrode_grains.alignment.transforms import window_center

# A change of the strain beyond the median of the steps around it, in its errors and absolutely:
# what is less is the shape of grains.
STRAIN_ERRORS, LEAST_STRAIN = 5.0, 0.005
WINDOW = 7
BLUR_PX, BLURRED, ITERATIONS, SETTLED, NEGLIGIBLE = 2.5, 3, 12, 3e-4, 3e-3
# A look at half the resolution: where it ends, and the share of what counts that is a suspicion.
ROUGHLY, SUSPECT = 2e-3, 0.6

StepStrain = Callable[[Image, Image, Matrix], tuple[NDArray[np.float64], NDArray[np.float64]]]


def step_strain(
    reference: Image, moving: Image, step: Matrix, quickly: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far one slice is strained against another, beyond a rigid step.

    Parameters
    ----------
    reference, moving : ndarray of float64, shape (y, x)
    step : ndarray of float64, shape (3, 3)
        By registration.
    quickly : bool
        Blur once only, and end where the strain changes little.

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
    blurs, settled = (1, ROUGHLY) if quickly else (BLURRED, SETTLED)
    blurred = [ndimage.gaussian_filter(image, BLUR_PX) for image in (reference, moving)]
    for iteration in range(ITERATIONS):
        # Blurred at first, since distortions may displace corners by more than a boundary's width.
        first, second = blurred if iteration < blurs else (reference, moving)
        found = sandwich(first, warp_image(second, affine), AFFINE)
        if found is None:
            return np.zeros(3), np.full(3, np.inf)
        change, errors = found
        refined = np.eye(3)
        refined[:2, :2] += change[2:].reshape(2, 2)
        refined[:2, 2] = change[:2] + center - refined[:2, :2] @ center
        affine = affine @ refined
        if iteration == 0 and np.abs(change[2:]).max() < NEGLIGIBLE:
            break  # as nearly always, and a look at it is enough
        if iteration >= blurs and np.abs(change[2:]).max() < settled:
            break
    linear = np.linalg.inv(step[:2, :2]) @ affine[:2, :2]
    if np.abs(linear - np.eye(2)).max() > 0.3:  # it has run away
        return np.zeros(3), np.full(3, np.inf)
    strain = np.array([linear[0, 0] - 1, linear[1, 1] - 1, (linear[0, 1] + linear[1, 0]) / 2])
    shear_error = float(np.hypot(errors[3], errors[4])) / 2
    return strain, np.array([errors[2], errors[5], shear_error])


def significant_strains(slices: Slices, matches: Sequence[Match]) -> NDArray[np.float64]:
    """Strain of each slice against the one that it was registered to, 0 where not significant.

    Shape (n, 3). Grains that taper strain all slices alike, which the median of the steps around
    takes out.
    """
    strains, errors = _step_strains(slices, matches, _look)
    # A look is enough where no slice stands out by half of what counts, as nearly always.
    if not _excess(strains, errors, SUSPECT).any():
        return np.zeros_like(strains)
    return _excess(*_step_strains(slices, matches, step_strain), 1.0)


def _step_strains(
    slices: Slices, matches: Sequence[Match], measure: StepStrain
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Strain and errors of each step, shapes (n, 3); NaN and infinite where there is none."""
    strains = np.full((len(matches), 3), np.nan)
    errors = np.full_like(strains, np.inf)
    for z, match in enumerate(matches[1:], 1):
        reference, moving = slices.images[match.reference], slices.images[z]
        if not match.between and reference is not None and moving is not None:
            strains[z], errors[z] = measure(reference, moving, match.step)
    return strains, errors


def _look(
    reference: Image, moving: Image, step: Matrix
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The strain at half the resolution, in a third of the time."""
    if min(reference.shape) < COARSE_FROM_PX:
        return step_strain(reference, moving, step)
    step = np.linalg.inv(DOUBLE) @ step @ DOUBLE
    return step_strain(halved(reference), halved(moving), step, quickly=True)


def _excess(
    strains: NDArray[np.float64], errors: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    """Excess of each strain over those around, 0 where it is below a share of what counts."""
    known = np.isfinite(strains).all(axis=1) & np.isfinite(errors).all(axis=1)
    significant = np.zeros_like(strains)
    if known.sum() < WINDOW // 2:
        return significant
    # mirrored: repeated, the first step would be its own neighbourhood and that of the second
    usual = ndimage.median_filter(strains[known], (WINDOW, 1), mode="mirror")
    excess = strains[known] - usual
    size = np.abs(excess) / share
    large = (size > STRAIN_ERRORS * errors[known]) & (size > LEAST_STRAIN)
    # Errors of the steps beside tell what their spread is where tiles do not.
    scatter = 1.4826 * np.median(np.abs(excess), axis=0)
    large &= size > STRAIN_ERRORS * scatter
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
