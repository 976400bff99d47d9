"""Registration of the slices of a stack with pyStackReg."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pystackreg import StackReg
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from electrode_grains.alignment.transforms import (
    SliceTransforms,
    center_motion,
    remove_gauge,
    remove_trend,
    rigid_matrix,
    window_center,
)
from electrode_grains.problems import InputProblem, SettingsProblem

MODES = {"translation": StackReg.TRANSLATION, "rigid_body": StackReg.RIGID_BODY}
LEAST_OVERLAP = 0.7
LOOK_BACK = 4
# Unrelated images of 20 to 110 pixels reached at most 3.1 times the inverse root.
NOISE_FACTOR = 3.5
LARGEST_FLOOR = 0.5
LARGEST_ROTATION = np.radians(10.0)


def estimate_transforms(
    stack: ArrayLike,
    *,
    mode: str = "rigid_body",
    smoothing: float = 1.0,
    reference: str = "previous",
    detrend: str | None = None,
    initial_guess: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> SliceTransforms:
    """Estimate how each slice of a stack has drifted.

    Parameters
    ----------
    stack : array_like of float, shape (z, y, x)
        Image quality as scanned; NaN where there is none.
    mode : {"rigid_body", "translation"}
        Motions allowed.
    smoothing : float
        Standard deviation in pixels of the Gaussian that calms the noise before
        registration; the slices themselves are not smoothed.
    reference : {"previous", "first"}
        What each slice is registered to. "first" cannot accumulate errors but needs slices
        that resemble the first, so few of them.
    detrend : {None, "linear"}
        "linear" leaves uncorrected what is linear in z, see the notes.
    initial_guess : bool
        Look for jumps of many pixels by phase correlation before pyStackReg refines.
    progress : callable, optional
        Called with the number of slices done and their total.

    Returns
    -------
    SliceTransforms
        In a frame in which the slices lie in the window on average.

    Raises
    ------
    InputProblem
        If the stack is not three-dimensional or empty.
    SettingsProblem
        If the mode, reference or detrending is unknown, or the smoothing negative.

    Notes
    -----
    Each slice is registered to the one before [1]_. A pair whose correlation afterwards is
    that of noise, or no better than before, does not count: the slice tries up to three
    slices further back, so that one ruined slice neither moves nor cuts the rest. A slice
    that nothing matches takes the motion of the slice before, and is flagged.

    Motions accumulate along the stack, and small errors add up to a random walk: 0.2 to
    0.5 px after 40 slices of virtual polycrystals with grains of 8 to 12 px. Registering to
    several earlier slices too (1, 2 and 4 before) and solving for all motions made the walk
    1.6 to 2.8 times longer in six such stacks, presumably since the sections of a grain
    move the same way over several slices. So it is not offered.

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
    >>> body = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 48)), 2)
    >>> transforms = estimate_transforms([body[:, :40], body[:, 4:44]], mode="translation")
    >>> np.diff(transforms.shift_x).round(1).tolist()
    [-4.0]
    """
    values = np.asarray(stack, float)
    if values.ndim != 3 or values.size == 0:
        raise InputProblem("a stack has dimensions (z, y, x)", found=f"shape {values.shape}")
    _check_settings(mode, smoothing, reference, detrend)
    images = [_prepare(image, smoothing) for image in values]
    count, center = len(images), window_center(values.shape)
    floor = _noise_correlation(values.shape, smoothing)
    matrices = np.tile(np.eye(3), (count, 1, 1))
    before, after = np.full(count, np.nan), np.full(count, np.nan)
    flags: list[tuple[str, ...]] = [() for _ in images]
    if images[0] is None:
        flags[0] = ("no contrast: its place is unknown",)
    for z in range(1, count):
        match = _register_to_earlier(images, z, reference, mode, initial_guess, floor)
        matrices[z] = match.step @ matrices[match.reference]
        before[z], after[z], flags[z] = match.before, match.after, match.flags
        if progress is not None:
            progress(z, count - 1)
    matrices = remove_gauge(matrices, center)
    if detrend == "linear":
        matrices = remove_trend(matrices, center)
    overlap = np.array([_coverage(matrix, values.shape[1:]) for matrix in matrices])
    for z in np.flatnonzero(overlap < LEAST_OVERLAP).tolist():
        flags[z] += (f"covers only {overlap[z]:.0%} of the window",)
    return SliceTransforms(matrices, mode, before, after, overlap, tuple(flags), center)


def _check_settings(mode: str, smoothing: float, reference: str, detrend: str | None) -> None:
    known: tuple[tuple[str, object, tuple[object, ...]], ...] = (
        ("mode", mode, tuple(MODES)),
        ("reference", reference, ("previous", "first")),
        ("detrend", detrend, (None, "linear")),
    )
    for name, value, choices in known:
        if value not in choices:
            raise SettingsProblem(
                f"unknown {name} of the alignment",
                found=repr(value),
                expected=" or ".join(map(repr, choices)),
            )
    if not (np.isfinite(smoothing) and smoothing >= 0):
        raise SettingsProblem(
            "the smoothing must be 0 or positive",
            found=str(smoothing),
            expected="pixels, such as 1",
        )


def _prepare(image: NDArray[np.float64], smoothing: float) -> NDArray[np.float64] | None:
    """Bring an image to zero mean and unit spread, None where it shows nothing."""
    finite = np.isfinite(image)
    if not finite.any():
        return None
    low, middle, high = np.percentile(image[finite], [1, 50, 99])
    if high - low <= 0:
        return None
    filled = np.clip(np.where(finite, image, middle), low, high)
    smooth = ndimage.gaussian_filter(filled, smoothing)
    prepared: NDArray[np.float64] = (smooth - smooth.mean()) / max(float(smooth.std()), 1e-12)
    return prepared


def _noise_correlation(shape: tuple[int, ...], smoothing: float) -> float:
    """Correlation that images of pure noise reach after registration.

    Noise smoothed with a Gaussian of width s has N / (4 pi s^2) independent values among N
    pixels; the best of all motions correlates up to three times the inverse root of that.
    """
    independent = shape[-1] * shape[-2] / max(1.0, 4 * np.pi * smoothing**2)
    return min(NOISE_FACTOR / float(np.sqrt(independent)), LARGEST_FLOOR)


@dataclass(frozen=True)
class _Match:
    """A slice's motion against an earlier slice, with correlations before and after."""

    step: NDArray[np.float64]
    reference: int
    before: float = float("nan")
    after: float = float("nan")
    flags: tuple[str, ...] = ()


def _candidates(images: list[NDArray[np.float64] | None], z: int, reference: str) -> list[int]:
    """Earlier slices to register to, in the order of preference."""
    shown = [index for index in range(z) if images[index] is not None]
    return shown[:1] if reference == "first" else shown[-1 : -1 - LOOK_BACK : -1]


def _register_to_earlier(
    images: list[NDArray[np.float64] | None],
    z: int,
    reference: str,
    mode: str,
    initial_guess: bool,
    floor: float,
) -> _Match:
    """Register slice z to the first earlier slice that it matches."""
    moving = images[z]
    if moving is None:
        return _Match(
            np.eye(3), z - 1, flags=("no contrast: takes the motion of the slice before",)
        )
    earlier = _candidates(images, z, reference)
    preferred = 0 if reference == "first" else z - 1
    best = float("nan")
    for index in earlier:
        other = images[index]
        if other is None:
            continue
        step = _register_pair(other, moving, mode, initial_guess)
        unmoved = _correlation(other, moving, np.eye(3))
        reached = _correlation(other, moving, step)
        coverage = _coverage(step, moving.shape)
        significance = reached * float(np.sqrt(coverage))
        if reached * _trust(coverage) >= unmoved and significance > floor:
            flags = () if index == preferred else (f"registered to slice {index}, not {preferred}",)
            return _Match(step, index, unmoved, reached, flags)
        best = float(np.fmax(best, significance))
    if not earlier:
        return _Match(np.eye(3), z - 1, flags=("no earlier slice has contrast: starts the stack",))
    flags = (
        f"matches no earlier slice (correlation at most {best:.2f}, noise reaches {floor:.2f}): "
        "takes the motion of the slice before",
    )
    stays = _correlation(images[earlier[0]], moving, np.eye(3))
    return _Match(np.eye(3), z - 1, stays, stays, flags)


def _register_pair(
    reference: NDArray[np.float64], moving: NDArray[np.float64], mode: str, initial_guess: bool
) -> NDArray[np.float64]:
    """Map coordinates of the reference to those of the moving image."""
    starts = [np.eye(3)]
    if initial_guess:
        # Phase correlation finds sharp detail, plain correlation what is smooth or noisy.
        for normalization in ("phase", None):
            shift, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
                reference, moving, normalization=normalization
            )
            if np.hypot(*shift) >= 1:
                starts.append(rigid_matrix(-shift[1], -shift[0], 0.0, (0.0, 0.0)))
    center = window_center(reference.shape)
    best, best_score = np.eye(3), -np.inf
    for start in starts:
        moved = _warp(moving, start)
        refined = start @ StackReg(MODES[mode]).register(reference, moved)
        rotation = center_motion(refined[None], center)[0, 2]
        for candidate in (refined, start):
            trust = _trust(_coverage(candidate, reference.shape))
            score = trust * _correlation(reference, moving, candidate)
            plausible = candidate is start or abs(rotation) < LARGEST_ROTATION
            if plausible and score > best_score:
                best, best_score = candidate, score
    return best


def _warp(image: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample an image at matrix @ (x, y, 1) for every pixel (x, y); edges are repeated."""
    swap = matrix[[1, 0]][:, [1, 0, 2]]  # to (y, x)
    moved: NDArray[np.float64] = ndimage.affine_transform(
        image, swap[:, :2], offset=swap[:, 2], order=1, mode="nearest"
    )
    return moved


def _inside(matrix: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    sx = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    sy = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    inside: NDArray[np.bool_] = (
        (sx > -0.5) & (sx < shape[-1] - 0.5) & (sy > -0.5) & (sy < shape[-2] - 0.5)
    )
    return inside


def _trust(coverage: float) -> float:
    """Weight of a correlation by the share of the window it was taken over.

    Small overlaps correlate by chance, with a spread of one over the root of their size. Large
    ones all weigh the same, lest the smaller of two motions be preferred for its overlap.
    """
    return min(1.0, float(np.sqrt(coverage / LEAST_OVERLAP)))


def _coverage(matrix: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    return float(_inside(matrix, shape).mean())


def _correlation(
    reference: NDArray[np.float64] | None,
    moving: NDArray[np.float64] | None,
    matrix: NDArray[np.float64],
) -> float:
    """Normalised cross-correlation where both images have pixels."""
    if reference is None or moving is None:
        return float("nan")
    inside = _inside(matrix, reference.shape)
    if inside.mean() < 0.2:
        return -1.0
    a, b = reference[inside], _warp(moving, matrix)[inside]
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0
