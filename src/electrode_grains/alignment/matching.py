"""Registration of the slices of a stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.alignment.drift import forget_drift, remove_gauge, remove_trend
from electrode_grains.alignment.pairs import (
    LEAST_OVERLAP,
    MODES,
    Image,
    Pair,
    covered_share,
    noise_correlation,
    prepare_slices,
    register_pair,
)
from electrode_grains.alignment.transforms import (
    Matrices,
    SliceTransforms,
    center_motion,
    rigid_matrix,
    rms_displacement,
    window_center,
)
from electrode_grains.errors import InputError, SettingsError

LOOK_BACK = 4
REFERENCES = ("previous", "first", "neighbours")
SMOOTHING_PX = 0.6
ROTATION_MEMORY = 4.0
# A double step past a slice that correlates so many times better than its single steps.
STRANGER = 1.08
# Registrations that correlate less than this share of the usual are none.
USUAL_SHARE = 0.5
# Disagreement of three registrations that is more than noise: in pixels, and in medians.
LEAST_MISFIT_PX, MISFIT_MEDIANS = 1.0, 4.0


def estimate_transforms(
    stack: ArrayLike,
    *,
    mode: str = "rigid_body",
    reference: str = "neighbours",
    smoothing: float = SMOOTHING_PX,
    flatten_surroundings: bool = True,
    rotation_memory: float | None = ROTATION_MEMORY,
    shift_memory: float | None = None,
    detrend: str | None = None,
    initial_guess: bool = True,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SliceTransforms:
    """Estimate how each slice of a stack has drifted.

    Parameters
    ----------
    stack : array_like of float, shape (z, y, x)
        Image quality as scanned; NaN where there is none.
    mode : {"rigid_body", "translation"}
        Motions allowed.
    reference : {"neighbours", "previous", "first"}
        What each slice is registered to. "neighbours" registers each pair of slices at a
        distance of one and of two and has them agree, so that no bad slice moves others;
        "previous" takes half the time. "first" cannot accumulate errors but needs slices that
        resemble the first, so few of them.
    smoothing : float
        Standard deviation in pixels of the Gaussian that calms the noise before
        registration; the slices themselves are not smoothed.
    flatten_surroundings : bool
        Register by the particle alone, if the slices show one before a background.
    rotation_memory, shift_memory : float, optional
        Number of slices after which an estimated rotation, or shift, is taken for accumulated
        error and given up, see `forget_drift`; None keeps all.
    detrend : {None, "linear"}
        "linear" leaves uncorrected what is linear in z, see the notes.
    initial_guess : bool
        Look for jumps of many pixels by phase correlation before pyStackReg refines.
    strict : bool
        Refuse a stack with flagged slices.
    progress : callable, optional
        Called with the number of slices done and their total.

    Returns
    -------
    SliceTransforms
        In a frame in which the slices lie in the window on average.

    Raises
    ------
    InputError
        If the stack is not three-dimensional or empty; under `strict` if a slice is flagged.
    SettingsError
        If the mode, reference or detrending is unknown, or a number makes no sense.

    Notes
    -----
    Each slice is registered to the one before [1]_. A pair whose correlation afterwards is
    that of noise, or no better than before, does not count: the slice tries up to three
    slices further back, so that one ruined slice neither moves nor cuts the rest. A slice
    that nothing matches takes the motion of the slice before, and is flagged.

    With "neighbours", three registrations between three slices must close: two steps make the
    double step. A slice around which no triangle closes is bad, and so is one that the slices
    around it resemble less than each other; it is bridged, and placed midway between them. A
    single step that does not close
    though its slices do elsewhere is replaced by a detour. Double steps serve these checks
    only: the sections of a grain move the same way over several slices, so that errors over two
    slices are larger than those of two steps; averaging them in made the cumulated error of
    six virtual stacks 1.1 to 1.4 times as large, with triple steps up to 1.8 times.

    A constant drift and a stack of grains that all lean one way look the same in the
    images. By default the apparent motion is taken for drift and removed, which holds for
    equiaxed grains; `detrend="linear"` takes its linear part for structure and keeps it,
    fit for lamellae or columns that cross the stack at an angle.

    References
    ----------
    .. [1] P. Thévenaz, U. E. Ruttimann, M. Unser, "A pyramid approach to subpixel
       registration based on intensity", IEEE Trans. Image Process. 7 (1998) 27-41.

    Examples
    --------
    >>> from scipy import ndimage
    >>> body = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 48)), 2)
    >>> transforms = estimate_transforms([body[:, :40], body[:, 4:44]], mode="translation")
    >>> np.diff(transforms.shift_x).round(1).tolist()
    [-4.0]
    """
    values = np.asarray(stack, float)
    if values.ndim != 3 or values.size == 0:
        raise InputError("a stack has dimensions (z, y, x)", found=f"shape {values.shape}")
    _check_settings(mode, smoothing, reference, detrend, rotation_memory, shift_memory)
    center = window_center(values.shape)
    slices = _Slices(
        images=prepare_slices(values, smoothing, flatten_surroundings),
        mode=mode,
        initial_guess=initial_guess,
        floor=noise_correlation(values.shape, smoothing),
        center=center,
    )
    tell = progress or (lambda done, total: None)
    if reference == "neighbours":
        matches = _match_neighbours(slices, tell)
    else:
        matches = _match_earlier(slices, reference, tell)
    matrices = np.tile(np.eye(3), (len(values), 1, 1))
    for z, match in enumerate(matches[1:], 1):
        matrices[z] = match.step @ matrices[match.reference]
    _place_between(matrices, matches, center)
    matrices, notes = forget_drift(matrices, center, shift_memory, rotation_memory)
    matrices = remove_gauge(matrices, center)
    if detrend == "linear":
        matrices = remove_trend(matrices, center)
    transforms = _result(matrices, mode, matches, values.shape, center, notes)
    if strict:
        _refuse_flagged(transforms)
    return transforms


def _check_settings(
    mode: str,
    smoothing: float,
    reference: str,
    detrend: str | None,
    rotation_memory: float | None,
    shift_memory: float | None,
) -> None:
    known: tuple[tuple[str, object, tuple[object, ...]], ...] = (
        ("mode", mode, tuple(MODES)),
        ("reference", reference, REFERENCES),
        ("detrend", detrend, (None, "linear")),
    )
    for name, value, choices in known:
        if value not in choices:
            raise SettingsError(
                f"unknown {name} of the alignment",
                found=repr(value),
                expected=" or ".join(map(repr, choices)),
            )
    if not (np.isfinite(smoothing) and smoothing >= 0):
        raise SettingsError(
            "the smoothing must be 0 or positive",
            found=str(smoothing),
            expected="pixels, such as 0.6",
        )
    for name, memory in (("rotation_memory", rotation_memory), ("shift_memory", shift_memory)):
        if memory is not None and not (np.isfinite(memory) and memory > 0):
            raise SettingsError(
                "the memory of the drift must be positive",
                found=f"{name} = {memory}",
                expected="a number of slices, or None",
            )


@dataclass(frozen=True)
class _Match:
    """A slice's motion against another one, with correlations before and after."""

    step: NDArray[np.float64]
    reference: int
    before: float = float("nan")
    after: float = float("nan")
    flags: tuple[str, ...] = ()
    between: bool = False  # placed midway between its neighbours


@dataclass
class _Slices:
    """Prepared slices, and the registrations done so far."""

    images: list[Image | None]
    mode: str
    initial_guess: bool
    floor: float
    center: tuple[float, float]
    done: dict[tuple[int, int], Pair] = field(default_factory=dict)

    def pair(self, reference: int, moving: int) -> Pair | None:
        """Registration of two slices, None if either shows nothing."""
        first, second = self.images[reference], self.images[moving]
        if first is None or second is None:
            return None
        key = (reference, moving)
        if key not in self.done:
            self.done[key] = register_pair(first, second, self.mode, self.initial_guess)
        return self.done[key]

    def fits(self, pair: Pair | None) -> bool:
        """Whether a registration means something."""
        return pair is not None and pair.gains and pair.significance > self.floor


def _match_earlier(
    slices: _Slices, reference: str, tell: Callable[[int, int], None]
) -> list[_Match]:
    count = len(slices.images)
    matches = [_first_match(slices)]
    for z in range(1, count):
        matches.append(_match_to_earlier(slices, z, reference))
        tell(z, count - 1)
    return matches


def _first_match(slices: _Slices) -> _Match:
    blank = slices.images[0] is None
    return _Match(np.eye(3), 0, flags=("no contrast: its place is unknown",) if blank else ())


def _match_to_earlier(slices: _Slices, z: int, reference: str) -> _Match:
    """Register slice z to the first earlier slice that it matches."""
    if slices.images[z] is None:
        return _Match(
            np.eye(3), z - 1, flags=("no contrast: takes the motion of the slice before",)
        )
    shown = [index for index in range(z) if slices.images[index] is not None]
    candidates = shown[:1] if reference == "first" else shown[-1 : -1 - LOOK_BACK : -1]
    preferred = 0 if reference == "first" else z - 1
    best, stays = float("nan"), float("nan")
    for index in candidates:
        pair = slices.pair(index, z)
        assert pair is not None  # both slices have contrast
        if slices.fits(pair):
            flags = () if index == preferred else (f"registered to slice {index}, not {preferred}",)
            return _Match(pair.step, index, pair.before, pair.after, flags + _bound_flags(pair))
        best = float(np.fmax(best, pair.significance))
        stays = pair.before if np.isnan(stays) else stays
    if not candidates:
        return _Match(np.eye(3), z - 1, flags=("no earlier slice has contrast: starts the stack",))
    flags = (
        f"matches no earlier slice (correlation at most {best:.2f}, noise reaches "
        f"{slices.floor:.2f}): takes the motion of the slice before",
    )
    return _Match(np.eye(3), z - 1, stays, stays, flags)


def _bound_flags(pair: Pair) -> tuple[str, ...]:
    return ("its motion is as large as the search allows",) if pair.at_bound else ()


def _match_neighbours(slices: _Slices, tell: Callable[[int, int], None]) -> list[_Match]:
    """Register at distances of one and two, find bad slices and steps, and go around them."""
    count = len(slices.images)
    for z in range(1, count):
        slices.pair(z - 1, z)
        if z > 1:
            slices.pair(z - 2, z)
        tell(z, count - 1)
    slices.floor = max(slices.floor, USUAL_SHARE * _usual_significance(slices))
    misfit = _misfits(slices)
    limit = max(LEAST_MISFIT_PX, MISFIT_MEDIANS * float(np.nanmedian([0.0, *misfit.values()])))
    bad = _bad_slices(slices, misfit, limit)
    matches = [_first_match(slices)]
    for z in range(1, count):
        if z in bad:
            matches.append(_Match(np.eye(3), z - 1, flags=(bad[z],), between=True))
        else:
            good = [index for index in range(z) if index not in bad][-LOOK_BACK:]
            matches.append(_match_to_good(slices, z, good, misfit, limit))
    if 0 in bad and not matches[0].flags:
        matches[0] = _Match(np.eye(3), 0, flags=(bad[0],))
    return matches


def _usual_significance(slices: _Slices) -> float:
    """Median significance of the single steps, 0 if there is none."""
    steps = [slices.pair(z - 1, z) for z in range(1, len(slices.images))]
    known = [pair.significance for pair in steps if pair is not None]
    return float(np.median(known)) if known else 0.0


def _misfits(slices: _Slices) -> dict[int, float]:
    """How far three registrations around each slice are from closing, in pixels.

    The rms, over the window, of where two steps lead and where the double step leads; NaN
    where a registration is missing.
    """
    misfits = {}
    for z in range(1, len(slices.images) - 1):
        pairs = slices.pair(z - 1, z), slices.pair(z, z + 1), slices.pair(z - 1, z + 1)
        if all(slices.fits(pair) for pair in pairs):
            first, second, double = (pair.step for pair in pairs if pair is not None)
            apart = second @ first - double
            misfits[z] = rms_displacement(apart, slices.center)
        else:
            misfits[z] = float("nan")
    return misfits


def _bad_slices(slices: _Slices, misfit: dict[int, float], limit: float) -> dict[int, str]:
    """Slices that do not belong where they are, with the reason."""
    bad: dict[int, str] = {}
    for z, image in enumerate(slices.images):
        if image is None:
            bad[z] = "no contrast: lies midway between its neighbours"
        elif _is_stranger(slices, z):
            bad[z] = (
                "the slices around it resemble each other more than either resembles it: lies "
                "midway between them"
            )
        elif _is_unsettled(z, misfit, limit):
            bad[z] = "registrations to its neighbours disagree: lies midway between them"
    return bad


def _is_stranger(slices: _Slices, z: int) -> bool:
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
    double = slices.pair(*past)
    return double is not None and bool(known) and double.significance > STRANGER * max(known)


def _is_unsettled(z: int, misfit: dict[int, float], limit: float) -> bool:
    """Whether no triangle around a slice closes, at the ends though the next one does."""
    around = [misfit[index] for index in (z - 1, z, z + 1) if index in misfit]
    beyond = [misfit[index] for index in (z - 2, z + 2) if index in misfit]
    closes = any(value <= limit for value in around)
    sure = len(around) > 1 or any(value <= limit for value in beyond)
    return bool(around) and not closes and sure


def _match_to_good(
    slices: _Slices, z: int, good: Sequence[int], misfit: dict[int, float], limit: float
) -> _Match:
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
        return _Match(step, index, pair.before, pair.after, flags + _bound_flags(pair))
    if not good:
        return _Match(np.eye(3), z - 1, flags=("no earlier slice is good: starts the stack",))
    return _Match(
        np.eye(3),
        z - 1,
        flags=("matches no earlier slice: takes the motion of the slice before",),
    )


def _detour(
    slices: _Slices, z: int, misfit: dict[int, float], limit: float
) -> NDArray[np.float64] | None:
    """Step from z - 1 to z by way of a third slice, if both triangles on the step are open."""
    triangles = [misfit.get(z - 1, float("nan")), misfit.get(z, float("nan"))]
    if not all(value > limit for value in triangles):
        return None
    double, before = slices.pair(z - 2, z), slices.pair(z - 2, z - 1)
    if double is None or before is None:
        return None
    return np.asarray(double.step @ np.linalg.inv(before.step))


def _place_between(
    matrices: Matrices, matches: Sequence[_Match], center: tuple[float, float]
) -> None:
    """Place runs of bad slices evenly between the good ones around them."""
    motions = center_motion(matrices, center)
    good = [z for z, match in enumerate(matches) if not match.between]
    for z, match in enumerate(matches):
        if match.between and good:
            x, y, rotation = (float(np.interp(z, good, motions[good, axis])) for axis in range(3))
            matrices[z] = rigid_matrix(x, y, rotation, center)


def _result(
    matrices: Matrices,
    mode: str,
    matches: Sequence[_Match],
    shape: tuple[int, ...],
    center: tuple[float, float],
    notes: tuple[str, ...],
) -> SliceTransforms:
    overlap = np.array([covered_share(matrix, shape[1:]) for matrix in matrices])
    flags = [
        match.flags + ((f"covers only {share:.0%} of the window",) if share < LEAST_OVERLAP else ())
        for match, share in zip(matches, overlap, strict=True)
    ]
    return SliceTransforms(
        matrices,
        mode,
        np.array([match.before for match in matches]),
        np.array([match.after for match in matches]),
        overlap,
        tuple(flags),
        center,
        np.array([match.reference for match in matches]),
        notes,
    )


def _refuse_flagged(transforms: SliceTransforms) -> None:
    flagged = [f"slice {z}: {'; '.join(f)}" for z, f in enumerate(transforms.flags) if f]
    if flagged:
        raise InputError(
            f"{len(flagged)} slices could not be aligned beyond doubt:\n  " + "\n  ".join(flagged),
            expected="no flagged slice, since the alignment is strict",
            remedy="look at these slices, leave them out, or switch strict off",
        )
