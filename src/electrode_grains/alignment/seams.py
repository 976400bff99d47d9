"""Seams of a stack: slices from which on it is turned or mirrored, and slices that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
LEAST_AROUND = 4
# Steps whose correlation lies so far below those beside them are looked at, if what they lack
# to 1 is so many times that of those beside them. On virtual particles that is 1.9 at most where
# nothing is lost, since slices differ in thickness; 1.0 to 2.6 for one lost slice, 2.1 and more
# for several.
SUSPECT_SIGMAS, LEAST_SIGMA, WORSE = 2.5, 0.003, 2.0
REPEATED_SIGMAS = 5.0  # by which a step is better than those beside it
DISAGREEING_SIGMAS = 5.0  # of the share of points that agree
# A symmetry restores at least so much of the drop.
RESTORED = 0.6
FARTHEST = 8  # slices apart, of the curve of correlation over distance
LEAST_MISSING = 0.6  # of a slice spacing, more than the usual one
DOUBLED = 0.5  # of what the steps beside it lack to 1


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


def find_seams(
    slices: Slices, matches: Sequence[Match], agreement: NDArray[np.float64] | None = None
) -> list[Seam]:
    """Steps over which the correlation falls out of line, with the likeliest reason.

    Notes
    -----
    A step is judged by the two beside it, against how such differences scatter up to eight
    slices away. Of a suspicious one, the seven turns and mirror images of the window are tried;
    if none restores the correlation, its decay with distance on both sides of the seam tells how
    far apart the slices are: four pairs across the seam are compared with the curve. Where
    orientations agree over the step as usual (`agreement`, shape (n,)), only the brightness
    changed.
    """
    steps = _correlations(slices, matches)
    bends = {
        z: steps[z] - (steps[z - 1] + steps[z + 1]) / 2
        for z in steps
        if z - 1 in steps and z + 1 in steps
    }
    seams = []
    for z, bend in bends.items():
        near = [bends[k] for k in range(z - REACH, z + REACH + 1) if k in bends and k != z]
        if len(near) < LEAST_AROUND:
            continue
        # The steps beside a seam bend the other way, by half: medians do not mind them.
        sigma = max(MAD_TO_SIGMA * float(np.median(np.abs(near))), LEAST_SIGMA)
        usual = steps[z] - bend
        seam = Seam(z, steps[z], usual)
        falls = bend < -SUSPECT_SIGMAS * sigma and 1 - steps[z] > WORSE * (1 - usual)
        if falls and (agreement is None or _disagrees(agreement, z)):
            explained = _explain_drop(slices, steps, seam)
            seams += [explained] if explained else []
        # Beside a seam one of the neighbours is as usual.
        beside = max(steps[z - 1], steps[z + 1])
        if bend > REPEATED_SIGMAS * sigma and 1 - steps[z] < DOUBLED * (1 - beside):
            seams.append(replace(seam, missing=-1.0))
    return seams


def _disagrees(agreement: NDArray[np.float64], z: int) -> bool:
    """Whether orientations, too, agree less over a step than over those around it."""
    near = np.delete(agreement, z)[max(0, z - REACH) : z + REACH]
    usual = float(np.nanmedian(near))
    sigma = MAD_TO_SIGMA * float(np.nanmedian(np.abs(near - usual)))
    return not agreement[z] > usual - max(DISAGREEING_SIGMAS * sigma, LEAST_SIGMA)


def _correlations(slices: Slices, matches: Sequence[Match]) -> dict[int, float]:
    """Correlation of every slice with the one before, where both are good."""
    known = {}
    for z in range(1, len(matches)):
        pair = slices.pair(z - 1, z)
        if pair is not None and not (matches[z].between or matches[z - 1].between):
            known[z] = pair.after
    return known


def _explain_drop(slices: Slices, steps: Mapping[int, float], seam: Seam) -> Seam | None:
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
    if trials[best] - seam.correlation > RESTORED * drop:
        return replace(seam, symmetry=best)
    distance = _distance(slices, seam.slice, _decay(slices, steps, seam.slice))
    if distance is None or distance - 1 < LEAST_MISSING:
        return None
    return replace(seam, missing=distance - 1)


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
