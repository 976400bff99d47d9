"""Seams of a stack: slices from which on it is turned or mirrored, and slices that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.matching import Match, Slices
from electrode_grains.alignment.pairs import register_pair
from electrode_grains.alignment.symmetries import (
    WORDS,
    Symmetry,
    named_symmetry,
    possible_symmetries,
    set_upright,
    symmetry_matrix,
)

MAD_TO_SIGMA = 1.4826
REACH = 8  # slices on each side by which a step is judged
# Steps whose correlation lies so far below those around are looked at, and the least drop.
SUSPECT_SIGMAS, LEAST_DROP = 4.0, 0.01
# A symmetry restores at least so much of the drop.
RESTORED = 0.6
FARTHEST = 8  # slices apart, of the curve of correlation over distance
LEAST_MISSING = 0.6  # of a slice spacing, more than the usual one
DOUBLED_SHARE, DOUBLED_SIGMAS = 0.5, 6.0


@dataclass(frozen=True)
class Seam:
    """A step of a stack that is none of one slice spacing.

    Attributes
    ----------
    slice : int
        The slice after the step.
    correlation, usual : float
        Correlation over the step, and of the steps around it.
    symmetry : str, optional
        What happened to the slices from here on.
    missing : float, optional
        Estimated number of slices that are missing before this one; -1 where it repeats the
        slice before.
    """

    slice: int
    correlation: float
    usual: float
    symmetry: Symmetry | None = None
    missing: float | None = None


def seam_warnings(seams: Sequence[Seam]) -> dict[int, str]:
    """A warning with its remedy for the slice after each seam."""
    warnings = {}
    state = np.eye(2)  # of the slices so far, against those at the beginning
    for seam in seams:
        numbers = f"correlation {seam.correlation:.2f}, usually {seam.usual:.2f}"
        if seam.symmetry is not None:
            relative = symmetry_matrix(seam.symmetry, (0.0, 0.0))[:2, :2]
            state, before = relative @ state, state
            absolute = named_symmetry(state)
            if absolute is None:
                warnings[seam.slice] = f"from here on upright again ({numbers})"
                continue
            since = "" if np.array_equal(before, np.eye(2)) else " against the first slices"
            warnings[seam.slice] = (
                f"from slice {seam.slice} on {WORDS[absolute]}{since} ({numbers}): look at it, and "
                f"undo it by the setting undo: [{{first: {seam.slice}, symmetry: {absolute}}}]"
            )
        elif seam.missing is not None and seam.missing < 0:
            warnings[seam.slice] = f"repeats the slice before ({numbers}): leave one of them out"
        elif seam.missing is not None:
            count = max(1, round(seam.missing))
            amount = f"{count} slice{'s' * (count > 1)}{' or more' * (count > FARTHEST - 3)}"
            warnings[seam.slice] = (
                f"about {amount} missing before it ({numbers}): name the slices that are lost, or "
                "depths beyond it are too small"
            )
    return warnings


def find_seams(slices: Slices, matches: Sequence[Match]) -> list[Seam]:
    """Steps over which the correlation falls out of line, with the likeliest reason.

    Notes
    -----
    A step is judged by the steps up to eight slices away, by median and median absolute
    deviation. Of a suspicious one, the seven turns and mirror images of the window are tried; if
    none restores the correlation, its decay with distance on both sides of the seam tells how
    far apart the slices are: four pairs across the seam are compared with the curve.
    """
    steps = _correlations(slices, matches)
    seams = []
    for z, value in steps.items():
        around = [steps[k] for k in range(z - REACH, z + REACH + 1) if k != z and k in steps]
        if len(around) < 4:
            continue
        usual = float(np.median(around))
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(np.array(around) - usual)))
        alone = all(steps.get(k, usual) > usual - SUSPECT_SIGMAS * sigma for k in (z - 1, z + 1))
        if value < usual - max(SUSPECT_SIGMAS * sigma, LEAST_DROP):
            seam = _explain_drop(slices, steps, Seam(z, value, usual), alone)
            if seam is not None:
                seams.append(seam)
        elif value > usual + max(DOUBLED_SIGMAS * sigma, LEAST_DROP):
            curve = _decay(slices, steps, z)
            if len(curve) > 1 and value - usual > DOUBLED_SHARE * (curve[0] - curve[1]) * 2:
                seams.append(Seam(z, value, usual, missing=-1.0))
    return seams


def _correlations(slices: Slices, matches: Sequence[Match]) -> dict[int, float]:
    """Correlation of every slice with the one before, where both are good."""
    known = {}
    for z in range(1, len(matches)):
        pair = slices.pair(z - 1, z)
        if pair is not None and not (matches[z].between or matches[z - 1].between):
            known[z] = pair.after
    return known


def _explain_drop(
    slices: Slices, steps: Mapping[int, float], seam: Seam, alone: bool
) -> Seam | None:
    """The likeliest reason for a drop of the correlation; None for a mere fluctuation."""
    reference, moving = slices.images[seam.slice - 1], slices.images[seam.slice]
    if reference is None or moving is None:
        return None
    trials = {
        symmetry: register_pair(reference, set_upright(moving, symmetry), "rigid_body", True).after
        for symmetry in possible_symmetries(moving.shape)
    }
    best = max(trials, key=lambda symmetry: trials[symmetry])
    drop = seam.usual - seam.correlation
    if trials[best] - seam.correlation > RESTORED * drop and drop > 2 * LEAST_DROP:
        return Seam(seam.slice, seam.correlation, seam.usual, symmetry=best)
    if not alone:  # a bad slice, not a gap
        return None
    distance = _distance(slices, seam.slice, _decay(slices, steps, seam.slice))
    if distance is None or distance - 1 < LEAST_MISSING:
        return None
    return Seam(seam.slice, seam.correlation, seam.usual, missing=distance - 1)


def _registered(slices: Slices, first: int, second: int) -> float:
    """Correlation of two slices after registration, NaN where one shows nothing."""
    pair = slices.pair(first, second)
    return float("nan") if pair is None else pair.after


def _decay(slices: Slices, steps: Mapping[int, float], seam: int) -> NDArray[np.float64]:
    """Median correlation at distances of 1, 2, ... slices, of pairs that cross no seam."""
    curve = []
    for distance in range(1, FARTHEST + 1):
        before = [(k - distance, k) for k in range(seam - 1, seam - 1 - REACH, -2)]
        after = [(k, k + distance) for k in range(seam, seam + REACH, 2)]
        inside = [
            (a, b)
            for a, b in before + after
            if a >= 0 and b < len(slices.images) and all(k in steps for k in range(a + 1, b + 1))
        ]
        values = [_registered(slices, *pair) for pair in inside[:3] + inside[-3:]]
        if not values:
            break
        curve.append(float(np.nanmedian(values)))
    return np.minimum.accumulate(np.array(curve))


def _distance(slices: Slices, seam: int, curve: NDArray[np.float64]) -> float | None:
    """Distance over a seam in slice spacings, by the curve of correlation over distance."""
    if len(curve) < 3:
        return None
    last = len(slices.images) - 1
    crossing = [
        (extra, _registered(slices, a, b))
        for extra, a, b in (
            (0, seam - 1, seam),
            (1, seam - 2, seam),
            (1, seam - 1, seam + 1),
            (2, seam - 2, seam + 1),
        )
        if a >= 0 and b <= last
    ]
    tried = np.arange(1.0, len(curve) + 1.05, 0.1)
    distances = np.arange(1, len(curve) + 1)
    misfit = np.zeros_like(tried)
    for extra, value in crossing:
        expected = np.interp(tried + extra, distances, curve)
        misfit += np.nan_to_num((expected - value) ** 2)
    return float(tried[np.argmin(misfit)])
