"""Slow drift of a stack: what registration cannot tell from structure or accumulated error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from electrode_grains.alignment.transforms import Matrices, center_motion, rigid_matrix

# Steps beyond so many robust standard deviations are jumps of the stage, not errors.
JUMP_SIGMAS = 6.0
MAD_TO_SIGMA = 1.4826
LARGEST_TREND_DEGREES = 2.0


def center_frame(matrices: NDArray[np.float64], center: tuple[float, float]) -> NDArray[np.float64]:
    """Move the aligned frame so that the slices lie in the window on average.

    Registration fixes slices only against each other; the frame is chosen so that the
    shift of the window's centre and the rotation are 0 on average over the slices.
    """
    centered = matrices
    for _ in range(3):  # rotations and shifts mix in second order
        x, y, rotation = center_motion(centered, center).mean(axis=0)
        centered = centered @ np.linalg.inv(rigid_matrix(x, y, rotation, center))
    return centered


def remove_trend(matrices: NDArray[np.float64], center: tuple[float, float]) -> NDArray[np.float64]:
    """Leave uncorrected what is linear in z: shift of the centre and rotation.

    Examples
    --------
    >>> drift = np.array([rigid_matrix(0.5 * z, -z, 0.0, (4.0, 4.0)) for z in range(5)])
    >>> bool(np.allclose(remove_trend(drift, (4.0, 4.0)), np.eye(3)))
    True
    """
    z = np.arange(len(matrices), dtype=float)
    if len(z) < 3:  # two slices are all trend
        return matrices
    straightened = matrices
    for _ in range(3):  # rotations and shifts mix in second order
        slope, offset = np.polyfit(z, center_motion(straightened, center), 1)
        trend = [
            rigid_matrix(x, y, rotation, center) for x, y, rotation in np.outer(z, slope) + offset
        ]
        straightened = straightened @ np.linalg.inv(np.array(trend))
    return straightened


def regularise_drift(
    matrices: Matrices,
    center: tuple[float, float],
    shift_correlation_length: float | None,
    rotation_correlation_length: float | None,
) -> tuple[Matrices, tuple[str, ...]]:
    r"""Take slow motion for accumulated error of registration, and remove it.

    Parameters
    ----------
    matrices : ndarray of float64, shape (n, 3, 3)
        Motions of the slices, each estimated against the one before.
    center : (float, float)
        Centre (x, y) of the window in pixels.
    shift_correlation_length, rotation_correlation_length : float, optional
        Slices after which a shift or rotation counts as accumulated error; None keeps all of it.

    Returns
    -------
    matrices : ndarray of float64, shape (n, 3, 3)
    notes : tuple of str
        What was removed, if it was more than errors explain.

    Notes
    -----
    Steps with independent errors of variance s^2 add up to a walk that grows without bound. If
    the stage itself returns to its place up to a jitter of variance d^2, the most probable
    motions q minimise

    .. math:: \sum_z (q_{z+1} - q_z - \Delta_z)^2 + \frac{1}{L^2} \sum_z q_z^2,
        \quad L = d / s,

    where the steps are measured ones. For rotations L is about 3: the jitter is some tenths of
    a degree, the error of a step a tenth. For shifts it is 10 and more, and stages do wander,
    so that shifts are kept by default. Jumps of more than six robust standard deviations are kept
    as they are: a sample that was mounted again does not return.
    """
    motions = center_motion(matrices, center)
    notes: list[str] = []
    for axis, length in (
        (0, shift_correlation_length),
        (1, shift_correlation_length),
        (2, rotation_correlation_length),
    ):
        if length is not None and len(motions) > 2:
            kept = _regularise(motions[:, axis], length)
            if axis == 2:
                notes += _large_trend(np.degrees(motions[:, axis] - kept))
            motions[:, axis] = kept
    moved = np.array([rigid_matrix(x, y, rotation, center) for x, y, rotation in motions])
    return moved, tuple(notes)


def _regularise(positions: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Positions without their slow part, jumps excepted."""
    steps = np.diff(positions)
    spread = MAD_TO_SIGMA * float(np.median(np.abs(steps - np.median(steps))))
    jumps = np.where(np.abs(steps - np.median(steps)) > JUMP_SIGMAS * spread, steps, 0.0)
    small = steps - jumps
    count = len(positions)
    # Normal equations of the sum above: tridiagonal, in the layout of a banded solver.
    diagonal = np.full(count, 2 + 1 / length**2)
    diagonal[[0, -1]] -= 1
    banded = np.vstack([np.r_[0, -np.ones(count - 1)], diagonal])
    right = np.r_[0, small] - np.r_[small, 0]
    kept = linalg.solveh_banded(banded, right)
    return np.asarray(kept + np.r_[0, np.cumsum(jumps)])


def _large_trend(removed: NDArray[np.float64]) -> list[str]:
    """A note if the removed rotation is no random walk of small errors."""
    steps = np.diff(removed)
    walk = float(steps.std()) * np.sqrt(len(removed))
    extent = float(np.ptp(removed))
    if extent > LARGEST_TREND_DEGREES and extent > 2 * walk:
        return [
            f"a slow rotation of {extent:.1f} degrees was taken for accumulated error; if the "
            "sample did turn, set rotation_correlation_length to null"
        ]
    return []
