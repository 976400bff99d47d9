"""Whether lattices turn with their slices, told before anything is aligned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.evidence import LatticeTurns
from electrode_grains.alignment.lattice import LatticeField, lattice_turn
from electrode_grains.alignment.pairs import prepare_slices, register_pair
from electrode_grains.alignment.planes import PlaneSource, Window
from electrode_grains.alignment.precision import step_errors
from electrode_grains.alignment.transforms import center_motion, window_center

LARGEST_WINDOW_PX = 256  # of the middle of each slice, in which lattices are compared
MOST_STEPS = 200  # evenly spread ones of longer stacks
MOST_REGISTERED = 20  # those that the lattice turns most
SMOOTHING_PX = 0.6


def turned_steps(
    image_quality: PlaneSource,
    lattice: LatticeField,
    progress: Callable[[int, int], None] | None = None,
) -> LatticeTurns:
    """Turns of the slices that their lattices turn most, and those of their images.

    Parameters
    ----------
    image_quality : ndarray of float, or what reads its planes, shape (z, y, x)
        As scanned.
    lattice : LatticeField
        Of the same points.
    progress : callable, optional
        Called with the number of slices compared, and their total.

    Returns
    -------
    LatticeTurns
        Of the middle 256 by 256 points of each slice against the one before; image rotations of
        the 20 steps that lattices turn most, NaN for others.

    Notes
    -----
    How far lattices turn, though not to which side, is the same in each frame of a maker, so that
    few registrations find the steps that tell the frames from each other.
    """
    _, *window = _middle(image_quality.shape)
    seen = replace(
        lattice,
        quaternions=Window(lattice.quaternions, *window),
        reliable=Window(lattice.reliable, *window),
    )
    images = Window(image_quality, *window)
    count = images.shape[0] - 1
    measured = np.full((count, 8), np.nan)
    compared = np.unique(np.linspace(1, count, min(count, MOST_STEPS)).astype(int)) if count else ()
    for done, z in enumerate(compared):
        if progress is not None:
            progress(done, len(compared))
        turn = lattice_turn(seen, z - 1, z, np.eye(3))
        if turn is not None:
            measured[z - 1, :6] = [*turn.turn, *turn.error]
    size = np.where(np.isfinite(measured[:, 2]), np.abs(measured[:, 2]), -1)
    most = np.argsort(-size, kind="stable")[:MOST_REGISTERED]
    for step in sorted(int(k) for k in most if size[k] >= 0):
        measured[step, 6:] = _image_rotation(np.stack([images[step], images[step + 1]]))
    return LatticeTurns(measured[:, :3], measured[:, 3:6], measured[:, 6], measured[:, 7])


def _middle(shape: Sequence[int]) -> tuple[slice, slice, slice]:
    def middle(size: int) -> slice:
        start = max(0, (size - LARGEST_WINDOW_PX) // 2)
        return slice(start, start + LARGEST_WINDOW_PX)

    return slice(None), middle(shape[1]), middle(shape[2])


def _image_rotation(pair: NDArray[np.floating]) -> tuple[float, float]:
    """Rotation of the second image against the first in radians, and its standard error."""
    first, second = prepare_slices(pair.astype(float), SMOOTHING_PX, mask_background=True)
    if first is None or second is None:
        return float("nan"), float("nan")
    step = register_pair(first, second, "rigid_body", initial_guess=True).step
    rotation = center_motion(step[None], window_center(first.shape))[0, 2]
    return float(rotation), float(step_errors(first, second, step)[2])
