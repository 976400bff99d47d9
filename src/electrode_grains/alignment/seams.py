"""Seams of a stack: slices from which on it is turned or mirrored, and slices that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.matching import Match, Slices
from electrode_grains.alignment.pairs import correlation, register_pair
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
# Excess of a step in slice spacings, see `step_excess`. Depths that scatter by 15 % of a spacing
# make a step seem so long in one of forty sound stacks of 32 slices: docs/alignment.md has the
# curve. Over one that only looks different orientations change as usual.
LONG, CHANGED = 0.95, 0.4
# Where the excess of all steps scatters by more, a spacing is not resolved: .2 to .4 on virtual
# particles, .8 on the stack of iron.
RESOLVED = 0.45
# Where it is not, orientations tell what is beyond all steps: of iron 4.3 scatters without a loss,
# 5.8 to 6.9 over five lost slices.
APART_SIGMAS = 5.0
# A copy of a slice lacks nothing to be that slice. What was scanned twice differs by noise, about
# half of what the steps beside it lack, and is nearly a spacing nearer: the sum of that share and
# of the excess was -.5 to 0 on virtual particles, -.17 and more where nothing is repeated.
COPIED, TWICE = 0.1, -0.2
REPEATS = -1.0  # slices missing before one that repeats the one before
# A symmetry restores at least so much of the drop.
RESTORED = 0.6
FARTHEST = 8  # slices apart, of the curve of correlation over distance
LEAST_MISSING = 0.6  # of a slice spacing, more than the usual one


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
            count = round(seam.missing)
            more = " or more" if count > FARTHEST - 3 else ""
            # One lost slice is no more than thickness does: it is told as what was seen.
            found = (
                f"about {count} slices{more} missing before it ({numbers})"
                if count > 1
                else f"looks {1 + seam.missing:.1f} slice spacings away from the one before "
                f"({numbers}): it is thicker, or a slice is missing"
            )
            warnings[seam.slice] = (
                f"{found}: if so, depths beyond it are too small; give them in depths.csv beside "
                "the scans, or, where the numbers of the slices leave it out, name it in "
                "missing_slices"
            )
    return warnings


def find_seams(
    slices: Slices, matches: Sequence[Match], changes: NDArray[np.float64] | None = None
) -> list[Seam]:
    """Steps over which the correlation falls out of line, with the likeliest reason.

    Parameters
    ----------
    slices : Slices
    matches : sequence of Match
    changes : ndarray of float64, shape (n,), optional
        `step_excess` of orientations; NaN where it is unknown.

    Notes
    -----
    A step is judged by the two beside it, against how such differences scatter up to eight
    slices away, and by its excess over all steps so near. Of a suspicious one, the seven turns and
    mirror images of the window are tried; if none restores the correlation, its decay with distance
    on both sides of the seam tells how far apart the slices are: four pairs across the seam are
    compared with the curve. Where orientations change over the step as usual, only the brightness
    changed.
    """
    steps = _correlations(slices, matches)
    bends = {
        z: steps[z] - (steps[z - 1] + steps[z + 1]) / 2
        for z in steps
        if z - 1 in steps and z + 1 in steps
    }
    excess = _Excess.of(_image_excess(slices, steps, len(matches)), changes)
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
        long = excess.missing(z)
        if (falls or long > LONG) and not excess.contradicts(z):
            explained = _explain_drop(slices, steps, seam, long)
            seams += [explained] if explained else []
        if excess.repeats(z, (1 - steps[z]) / max(1 - usual, 1e-9)):
            seams.append(replace(seam, missing=REPEATS))
    # The steps beside a repeated slice look poor beside it.
    beside = {seam.slice + k for seam in seams if seam.missing == REPEATS for k in (-1, 1)}
    return [s for s in seams if s.missing in (None, REPEATS) or s.slice not in beside]


@dataclass(frozen=True)
class _Excess:
    """Excess of all steps by images and, where they are known, by orientations, shape (n,)."""

    image: NDArray[np.float64]
    changed: NDArray[np.float64]
    resolved: bool
    apart: NDArray[np.bool_]

    @classmethod
    def of(cls, image: NDArray[np.float64], changes: NDArray[np.float64] | None) -> _Excess:
        resolved = _scatter(image) < RESOLVED
        if changes is None:
            return cls(image, image, resolved, np.zeros(len(image), bool))
        apart = changes > max(LONG, APART_SIGMAS * _scatter(changes))
        return cls(image, np.where(np.isnan(changes), image, changes), resolved, apart)

    def missing(self, z: int) -> float:
        """Slices that are missing by the excess alone, 0 where it cannot tell."""
        if self.apart[z]:
            return float(self.changed[z])
        return float(self.image[z]) if self.resolved else 0.0

    def contradicts(self, z: int) -> bool:
        """Whether images or orientations change over a step as over any."""
        return bool(self.image[z] < CHANGED or self.changed[z] < CHANGED)

    def repeats(self, z: int, share: float) -> bool:
        """Whether a slice is the one before, by its share of what the steps beside it lack."""
        mean = float(self.image[z] + self.changed[z]) / 2
        return share < COPIED or (self.resolved and share + mean < TWICE)


def step_excess(single: NDArray[np.float64], double: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""How much longer steps are than those around them, in slice spacings.

    Parameters
    ----------
    single, double : ndarray of float64, shape (n,)
        How far each slice is from being the one before it, and the one before that: 1 less a
        correlation, or the share of points that change. NaN where unknown.

    Returns
    -------
    ndarray of float64, shape (n,)
        About 1 over one lost slice, about -1 where a slice repeats the one before.

    Notes
    -----
    :math:`(d_1(z) - \tilde d_1) / (\tilde d_2 - \tilde d_1)`, medians over the steps up to eight
    slices away: noise adds the same to both distances, and what grows by a spacing is the unit.

    Examples
    --------
    >>> depth = np.array([0, 1, 2, 3, 5, 6, 7, 8, 9.0])
    >>> single, double = np.full((2, 9), np.nan)
    >>> single[1:], double[2:] = 0.25 + depth[1:] - depth[:-1], 0.25 + depth[2:] - depth[:-2]
    >>> step_excess(single, double).round(3).tolist()[1:]
    [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    excess = np.full(len(single), np.nan)
    for z in range(1, len(single)):
        around = slice(max(1, z - REACH), z + REACH + 1)
        others = np.delete(single, z)[max(1, z - REACH) : z + REACH]
        if np.isfinite(others).sum() >= LEAST_AROUND and np.isfinite(double[around]).any():
            usual = float(np.nanmedian(others))
            spacing = float(np.nanmedian(double[around])) - usual
            excess[z] = (single[z] - usual) / spacing if spacing > 0 else np.nan
    return excess


def _scatter(excess: NDArray[np.float64]) -> float:
    """Robust standard deviation, infinite where nothing is known."""
    known = excess[np.isfinite(excess)]
    if not known.size:
        return float("inf")
    return MAD_TO_SIGMA * float(np.median(np.abs(known - np.median(known))))


def _image_excess(slices: Slices, steps: Mapping[int, float], count: int) -> NDArray[np.float64]:
    """Excess of steps by the correlation, over double steps where two steps lead."""
    single, double = np.full((2, count), np.nan)
    for z, correlated in steps.items():
        single[z] = 1 - correlated
        first, second = slices.pair(z - 2, z - 1) if z - 1 in steps else None, slices.pair(z - 1, z)
        reference, moving = slices.images[z - 2], slices.images[z]
        if first and second and reference is not None and moving is not None:
            double[z] = 1 - correlation(reference, moving, second.step @ first.step)
    return step_excess(single, double)


def _correlations(slices: Slices, matches: Sequence[Match]) -> dict[int, float]:
    """Correlation of every slice with the one before, where both are good."""
    known = {}
    for z in range(1, len(matches)):
        pair = slices.pair(z - 1, z)
        if pair is not None and not (matches[z].between or matches[z - 1].between):
            known[z] = pair.after
    return known


def _explain_drop(
    slices: Slices, steps: Mapping[int, float], seam: Seam, excess: float
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
    if trials[best] - seam.correlation > RESTORED * drop:
        return replace(seam, symmetry=best)
    distance = _distance(slices, seam.slice, _decay(slices, steps, seam.slice))
    if distance is not None and distance - 1 >= LEAST_MISSING:
        return replace(seam, missing=distance - 1)
    return replace(seam, missing=min(excess, FARTHEST)) if excess > LONG else None


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
