"""Which slice each slice is registered to: neighbours that must agree, bad ones bridged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.pairs import Image, Matrix, Pair, register_pair
from electrode_grains.alignment.planes import PreparedPlanes
from electrode_grains.alignment.precision import confirm
from electrode_grains.alignment.transforms import rms_displacement
from electrode_grains.blocks import BlockExecutor

LOOK_BACK = 4
# A double step past a slice that correlates so many times better than its single steps.
OUTLIER_RATIO = 1.08
# Registrations that correlate less than this share of the usual are none.
USUAL_SHARE = 0.5
# Disagreement of three registrations that is more than noise: in pixels, and in medians.
LEAST_MISFIT_PX, MISFIT_MEDIANS = 1.0, 4.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Match:
    """A slice's motion against another one, with correlations before and after."""

    step: NDArray[np.float64]
    reference: int
    before: float = float("nan")
    after: float = float("nan")
    flags: tuple[str, ...] = ()
    between: bool = False  # placed midway between its neighbours


@dataclass
class Slices:
    """Prepared slices, and the registrations done so far."""

    images: Sequence[Image | None]
    mode: str
    initial_guess: bool
    floor: float
    center: tuple[float, float]
    done: dict[tuple[int, int], Pair] = field(default_factory=dict)
    checks: dict[tuple[int, int], Pair] = field(default_factory=dict)

    def shows(self, z: int) -> bool:
        """Whether a slice shows anything, without making its image."""
        images = self.images
        return images.shown[z] if isinstance(images, PreparedPlanes) else images[z] is not None

    def pair(self, reference: int, moving: int) -> Pair | None:
        """Registration of two slices, None if either shows nothing."""
        key = (reference, moving)
        if key not in self.done:
            first, second = self.images[reference], self.images[moving]
            if first is None or second is None:
                return None
            self.done[key] = register_pair(first, second, self.mode, self.initial_guess)
        return self.done[key]

    def check(self, reference: int, moving: int) -> Pair | None:
        """Registration at a distance of two that checks others, at half the resolution.

        Begun where the two steps lead, and looked for where that is not it.
        """
        key = (reference, moving)
        if key in self.done:
            return self.done[key]
        if key not in self.checks:
            first, second = self.images[reference], self.images[moving]
            if first is None or second is None:
                return None
            expected = self.expected(reference, moving)
            self.checks[key] = check_pair(first, second, expected, self.mode, self.initial_guess)
        return self.checks[key]

    def expected(self, reference: int, moving: int) -> Matrix | None:
        """Where two steps lead, None where one of them means nothing."""
        steps = self.done.get((reference, reference + 1)), self.done.get((moving - 1, moving))
        if not all(self.fits(pair) for pair in steps):
            return None
        one, other = (pair.step for pair in steps if pair is not None)
        return np.asarray(other @ one)

    def fits(self, pair: Pair | None) -> bool:
        """Whether a registration means something."""
        return pair is not None and pair.improves and pair.significance > self.floor


def check_pair(
    reference: Image, moving: Image, expected: Matrix | None, mode: str, initial_guess: bool
) -> Pair:
    """Registration at half the resolution, begun where steps lead, or else looked for."""
    confirmed = None if expected is None else confirm(reference, moving, expected, mode)
    return confirmed or register_pair(reference, moving, mode, initial_guess, coarse=True)


def register_ahead(
    slices: Slices, executor: BlockExecutor, report_progress: Progress, *, checks: bool
) -> None:
    """Have an executor compute the registrations of all slices to the one before.

    With `checks` those to the second one before too.
    """
    count = len(slices.images)

    def shown(apart: int) -> list[tuple[int, int]]:
        pairs = ((z - apart, z) for z in range(apart, count))
        return [(a, b) for a, b in pairs if slices.shows(a) and slices.shows(b)]

    how = (slices.mode, slices.initial_guess)
    tasks = ((slices.images[a], slices.images[b], *how) for a, b in shown(1))
    for key, pair in zip(shown(1), executor.map(register_pair, tasks), strict=True):
        slices.done[key] = pair
        report_progress(key[1], count - 1)
    if checks:
        expected = ((slices.images[a], slices.images[b], slices.expected(a, b), *how)
                    for a, b in shown(2))  # fmt: skip
        slices.checks |= dict(zip(shown(2), executor.map(check_pair, expected), strict=True))


def match_earlier(slices: Slices, reference: str, report_progress: Progress) -> list[Match]:
    """Register each slice to the one before, or to the first."""
    count = len(slices.images)
    matches = [_first_match(slices)]
    for z in range(1, count):
        matches.append(_match_to_earlier(slices, z, reference))
        report_progress(z, count - 1)
    return matches


def _first_match(slices: Slices) -> Match:
    blank = not slices.shows(0)
    return Match(np.eye(3), 0, flags=("no contrast: its place is unknown",) if blank else ())


def _match_to_earlier(slices: Slices, z: int, reference: str) -> Match:
    """Register slice z to the first earlier slice that it matches."""
    if not slices.shows(z):
        return Match(np.eye(3), z - 1, flags=("no contrast: takes the motion of the slice before",))
    shown = [index for index in range(z) if slices.shows(index)]
    candidates = shown[:1] if reference == "first" else shown[-1 : -1 - LOOK_BACK : -1]
    preferred = 0 if reference == "first" else z - 1
    best, stays = float("nan"), float("nan")
    for index in candidates:
        pair = slices.pair(index, z)
        assert pair is not None  # both slices have contrast
        if slices.fits(pair):
            flags = () if index == preferred else (f"registered to slice {index}, not {preferred}",)
            return Match(pair.step, index, pair.before, pair.after, flags + _bound_flags(pair))
        best = float(np.fmax(best, pair.significance))
        stays = pair.before if np.isnan(stays) else stays
    if not candidates:
        return Match(np.eye(3), z - 1, flags=("no earlier slice has contrast: starts the stack",))
    flags = (
        f"matches no earlier slice (correlation at most {best:.2f}, noise reaches "
        f"{slices.floor:.2f}): takes the motion of the slice before",
    )
    return Match(np.eye(3), z - 1, stays, stays, flags)


def _bound_flags(pair: Pair) -> tuple[str, ...]:
    return ("its motion is as large as the search allows",) if pair.at_bound else ()


def match_neighbours(slices: Slices, report_progress: Progress) -> list[Match]:
    """Register at distances of one and two, find bad slices and steps, and go around them."""
    count = len(slices.images)
    for z in range(1, count):
        slices.pair(z - 1, z)
        if z > 1:
            slices.check(z - 2, z)
        report_progress(z, count - 1)
    slices.floor = max(slices.floor, USUAL_SHARE * _usual_significance(slices))
    misfit = _misfits(slices)
    limit = max(LEAST_MISFIT_PX, MISFIT_MEDIANS * float(np.nanmedian([0.0, *misfit.values()])))
    bad = _bad_slices(slices, misfit, limit)
    matches = [_first_match(slices)]
    for z in range(1, count):
        if z in bad:
            matches.append(Match(np.eye(3), z - 1, flags=(bad[z],), between=True))
        else:
            good = [index for index in range(z) if index not in bad][-LOOK_BACK:]
            matches.append(_match_to_good(slices, z, good, misfit, limit))
    if 0 in bad and not matches[0].flags:
        matches[0] = Match(np.eye(3), 0, flags=(bad[0],))
    return matches


def match_unmoved(slices: Slices, report_progress: Progress) -> list[Match]:
    """Leave every slice where it is, with its correlation to the one before."""
    matches = [_first_match(slices)]
    for z in range(1, len(slices.images)):
        pair = slices.pair(z - 1, z)
        blank = ("no contrast",) * (not slices.shows(z))
        correlation = float("nan") if pair is None else pair.after
        matches.append(Match(np.eye(3), z - 1, correlation, correlation, blank))
        report_progress(z, len(slices.images) - 1)
    return matches


def _usual_significance(slices: Slices) -> float:
    """Median significance of the single steps, 0 if there is none."""
    steps = [slices.pair(z - 1, z) for z in range(1, len(slices.images))]
    known = [pair.significance for pair in steps if pair is not None]
    return float(np.median(known)) if known else 0.0


def _misfits(slices: Slices) -> dict[int, float]:
    """How far three registrations around each slice are from closing, in pixels.

    The rms, over the window, of where two steps lead and where the double step leads; NaN
    where a registration is missing.
    """
    misfits = {}
    for z in range(1, len(slices.images) - 1):
        pairs = slices.pair(z - 1, z), slices.pair(z, z + 1), slices.check(z - 1, z + 1)
        if all(slices.fits(pair) for pair in pairs):
            first, second, double = (pair.step for pair in pairs if pair is not None)
            apart = second @ first - double
            misfits[z] = rms_displacement(apart, slices.center)
        else:
            misfits[z] = float("nan")
    return misfits


def _bad_slices(slices: Slices, misfit: dict[int, float], limit: float) -> dict[int, str]:
    """Slices that do not belong where they are, with the reason."""
    bad: dict[int, str] = {}
    for z in range(len(slices.images)):
        if not slices.shows(z):
            bad[z] = "no contrast: lies midway between its neighbours"
        elif _is_outlier(slices, z):
            bad[z] = (
                "the slices around it resemble each other more than either resembles it: lies "
                "midway between them"
            )
        elif _is_inconsistent(z, misfit, limit):
            bad[z] = "registrations to its neighbours disagree: lies midway between them"
    return bad


def _is_outlier(slices: Slices, z: int) -> bool:
    """Whether a double step past a slice correlates better than single steps to it.

    Correlation falls with distance: that of double steps was at most .94 of the better single
    step on virtual particles and 1.04 on a real stack, and 1.14 and more around a torn slice.
    """
    last = len(slices.images) - 1
    beside = [(z - 1, z)] * (z > 0) + [(z, z + 1)] * (z < last)
    # The first and the last slice have a neighbour on one side: its next double step.
    past = (1, 3) if z == 0 else (last - 3, last - 1) if z == last else (z - 1, z + 1)
    if last < 3:
        return False
    known = [pair.significance for pair in (slices.pair(*ends) for ends in beside) if pair]
    double = slices.check(*past)
    return double is not None and bool(known) and double.significance > OUTLIER_RATIO * max(known)


def _is_inconsistent(z: int, misfit: dict[int, float], limit: float) -> bool:
    """Whether no triangle around a slice closes, at the ends though the next one does."""
    around = [misfit[index] for index in (z - 1, z, z + 1) if index in misfit]
    beyond = [misfit[index] for index in (z - 2, z + 2) if index in misfit]
    closes = any(value <= limit for value in around)
    sure = len(around) > 1 or any(value <= limit for value in beyond)
    return bool(around) and not closes and sure


def _match_to_good(
    slices: Slices, z: int, good: Sequence[int], misfit: dict[int, float], limit: float
) -> Match:
    """Motion of a good slice against the nearest good one before it."""
    for index in reversed(good):
        pair = slices.pair(index, z)
        if pair is None or not slices.fits(pair):
            continue
        flags = () if index == z - 1 else (f"registered to slice {index}, not {z - 1}",)
        step = pair.step
        if index == z - 1:
            detour = _detour(slices, z, misfit, limit)
            if detour is not None:
                step, flags = (
                    detour,
                    ("its step disagrees with those around: replaced by a detour",),
                )
        return Match(step, index, pair.before, pair.after, flags + _bound_flags(pair))
    if not good:
        return Match(np.eye(3), z - 1, flags=("no earlier slice is good: starts the stack",))
    return Match(
        np.eye(3),
        z - 1,
        flags=("matches no earlier slice: takes the motion of the slice before",),
    )


def _detour(
    slices: Slices, z: int, misfit: dict[int, float], limit: float
) -> NDArray[np.float64] | None:
    """Step from z - 1 to z by way of a third slice, if both triangles on the step are open."""
    triangles = [misfit.get(z - 1, float("nan")), misfit.get(z, float("nan"))]
    if not all(value > limit for value in triangles):
        return None
    double, before = slices.pair(z - 2, z), slices.pair(z - 2, z - 1)
    if double is None or before is None:
        return None
    return np.asarray(double.step @ np.linalg.inv(before.step))
