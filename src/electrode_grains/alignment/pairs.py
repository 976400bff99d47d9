"""Registration of one slice to another with pyStackReg."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pystackreg import StackReg
from scipy import fft, ndimage
from skimage.filters import threshold_otsu
from skimage.transform import warp

from electrode_grains.alignment.transforms import center_motion, rigid_matrix, window_center

Image = NDArray[np.float64]
Matrix = NDArray[np.float64]

# Strains of the mode affine are found from the rigid motion, see strain.
MODES = {
    "translation": StackReg.TRANSLATION,
    "rigid_body": StackReg.RIGID_BODY,
    "affine": StackReg.RIGID_BODY,
}
LEAST_OVERLAP = 0.7
LARGEST_ROTATION = np.radians(10.0)
# Unrelated images of 20 to 110 pixels reached at most 3.1 times the inverse root.
NOISE_FACTOR = 3.5
LARGEST_FLOOR = 0.5
# Shifts that only a first guess finds, and the share of the best score that makes one worth trying.
FAR_PX, PROMISING = 3.0, 0.8
SURE = 0.8  # correlation that no wrong motion reaches
COARSE_FROM_PX = 64
# From pixels of a halved image to those of the image: pixel k covers 2 k and 2 k + 1.
DOUBLE = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]])
# Smoothing in pixels that shows the particle as one body, and the share of the height of the
# histogram's lower peak that its valley must stay below.
BODY_SIGMA_PX = 1.5
DEEPEST_VALLEY = 0.5


@dataclass(frozen=True)
class Pair:
    """How one slice lies on another.

    Attributes
    ----------
    step : ndarray of float64, shape (3, 3)
        Maps pixels (x, y, 1) of the reference to those of the moving slice.
    before, after : float
        Normalised cross-correlation without and with the step.
    coverage : float
        Share of the reference that the moved slice covers.
    at_bound : bool
        The step is as large as the search allows.
    """

    step: Matrix
    before: float
    after: float
    coverage: float
    at_bound: bool = False

    @property
    def significance(self) -> float:
        """Correlation, less where it was taken over a small overlap."""
        return self.after * float(np.sqrt(self.coverage))

    @property
    def improves(self) -> bool:
        """Whether moving the slice makes it fit better, or at least as well."""
        return self.after * _overlap_weight(self.coverage) >= self.before


def prepare_slices(
    stack: NDArray[np.float64], smoothing: float, mask_background: bool
) -> list[Image | None]:
    """Bring slices to zero mean and unit spread; None for one that shows nothing.

    Parameters
    ----------
    stack : ndarray of float64, shape (z, y, x)
        NaN where there is no value.
    smoothing : float
        Standard deviation in pixels of the Gaussian that calms the noise.
    mask_background : bool
        Give one value to what lies around the particle, whose texture is noise and differs from
        slice to slice. Left undone where most slices show no surroundings: where the histogram
        has no two peaks.
    """
    filled = [without_extremes(image) for image in stack]
    bodies = [None if image is None else particle_body(image) for image in filled]
    shown = sum(image is not None for image in filled)
    flatten = is_flattened(mask_background, sum(body is not None for body in bodies), shown)
    return [
        None if image is None else prepare_slice(image, body if flatten else None, smoothing)
        for image, body in zip(filled, bodies, strict=True)
    ]


def is_flattened(mask_background: bool, bodies: int, shown: int) -> bool:
    """Whether what lies around the particle is masked: in most slices that show something."""
    return mask_background and 2 * bodies > shown


def prepare_slice(image: Image, body: NDArray[np.bool_] | None, smoothing: float) -> Image:
    """A slice of zero mean and unit spread, with one value around the body, if there is any."""
    return _standardize(image if body is None else _flatten(image, body), smoothing)


def without_extremes(image: Image) -> Image | None:
    """Replace missing and extreme values, None where nothing differs."""
    finite = np.isfinite(image)
    if not finite.any():
        return None
    low, middle, high = np.percentile(image[finite], [1, 50, 99])
    if high - low <= 0:
        return None
    return np.asarray(np.clip(np.where(finite, image, middle), low, high), np.float64)


def particle_body(image: Image) -> NDArray[np.bool_] | None:
    """Pixels of the particle, None where the histogram has no valley."""
    smooth = ndimage.gaussian_filter(image, BODY_SIGMA_PX)
    threshold = float(threshold_otsu(smooth))  # type: ignore[no-untyped-call]
    counts, edges = np.histogram(smooth, bins=32)
    counts = ndimage.gaussian_filter1d(counts.astype(float), 1.0)
    at = int(np.clip(np.searchsorted(edges, threshold) - 1, 1, len(counts) - 2))
    valley = counts[at - 1 : at + 2].min()
    lower_peak = min(counts[:at].max(), counts[at:].max())
    return smooth > threshold if valley < DEEPEST_VALLEY * lower_peak else None


def _flatten(image: Image, inside: NDArray[np.bool_]) -> Image:
    if inside.all():
        return image
    weight = ndimage.gaussian_filter(inside.astype(float), 1.0)
    return np.asarray(image * weight + np.median(image[~inside]) * (1 - weight), np.float64)


def _standardize(image: Image, smoothing: float) -> Image:
    smooth = ndimage.gaussian_filter(image, smoothing)
    prepared: Image = (smooth - smooth.mean()) / max(float(smooth.std()), 1e-12)
    return prepared


def noise_correlation(shape: tuple[int, ...], smoothing: float) -> float:
    """Correlation that images of pure noise reach after registration.

    Noise smoothed with a Gaussian of width s has N / (4 pi s^2) independent values among N
    pixels; the best of all motions correlates up to three times the inverse root of that.
    """
    independent = shape[-1] * shape[-2] / max(1.0, 4 * np.pi * smoothing**2)
    return min(NOISE_FACTOR / float(np.sqrt(independent)), LARGEST_FLOOR)


def register_pair(
    reference: Image, moving: Image, mode: str, initial_guess: bool, coarse: bool = False
) -> Pair:
    """Find the motion that brings one slice onto another.

    Parameters
    ----------
    reference, moving : ndarray of float64, shape (y, x)
        Slices as `prepare_slices` returns them.
    mode : str
        A key of `MODES`, or "none".
    initial_guess : bool
        Look for jumps of many pixels by phase correlation first.
    coarse : bool
        Register at half the resolution, a fourth of the time, for motions that serve as checks.
    """
    stays = correlation(reference, moving, np.eye(3))
    if mode == "none":
        return Pair(np.eye(3), stays, stays, 1.0)
    center = window_center(reference.shape)
    best = _improve(reference, moving, _Candidate(np.eye(3), stays, 1.0), mode, coarse)
    if initial_guess and best.correlation < SURE:
        for shift in _far_shifts(reference, moving):
            start = _candidate(reference, moving, shift)
            if start.score > PROMISING * best.score:
                improved = _improve(reference, moving, start, mode, coarse)
                best = max(best, improved, key=lambda candidate: candidate.score)
    shift_x, shift_y, rotation = center_motion(best.step[None], center)[0]
    rows, columns = reference.shape
    return Pair(
        step=best.step,
        before=stays,
        after=best.correlation,
        coverage=best.coverage,
        at_bound=bool(
            abs(shift_x) > 0.45 * columns
            or abs(shift_y) > 0.45 * rows
            or abs(rotation) > 0.95 * LARGEST_ROTATION
        ),
    )


class _Candidate(NamedTuple):
    """A step that is tried, with its correlation and the share of the window that it covers."""

    step: Matrix
    correlation: float
    coverage: float

    @property
    def score(self) -> float:
        """Correlation, less over small overlaps."""
        return _overlap_weight(self.coverage) * self.correlation


def _candidate(reference: Image, moving: Image, step: Matrix) -> _Candidate:
    inside = _inside(step, reference.shape)
    return _Candidate(step, _correlation(reference, moving, step, inside), float(inside.mean()))


def _improve(
    reference: Image, moving: Image, start: _Candidate, mode: str, coarse: bool
) -> _Candidate:
    """What pyStackReg makes of a start, or the start where that is no better."""
    step = start.step @ _refine(reference, moving, start.step, mode, coarse)
    rotation = center_motion(step[None], window_center(reference.shape))[0, 2]
    if abs(rotation) >= LARGEST_ROTATION:
        return start
    return max(start, _candidate(reference, moving, step), key=lambda candidate: candidate.score)


def _far_shifts(reference: Image, moving: Image) -> list[Matrix]:
    """Shifts of many pixels that phase correlation and plain correlation propose.

    The first finds sharp detail, the second what is smooth or noisy. What lies near is found by
    the pyramid of pyStackReg anyway.
    """
    product = fft.rfft2(reference) * np.conj(fft.rfft2(moving))
    shifts = []
    for spectrum in (product / np.maximum(np.abs(product), 1e-12), product):
        surface = fft.irfft2(spectrum, s=reference.shape)
        peak = np.array(np.unravel_index(np.argmax(surface), surface.shape))
        y, x = (peak + np.array(surface.shape) // 2) % surface.shape - np.array(surface.shape) // 2
        if np.hypot(x, y) > FAR_PX:
            shifts.append(rigid_matrix(-float(x), -float(y), 0.0, (0.0, 0.0)))
    if len(shifts) == 2 and np.array_equal(shifts[0], shifts[1]):
        shifts.pop()
    return shifts


def _refine(reference: Image, moving: Image, start: Matrix, mode: str, coarse: bool) -> Matrix:
    """What pyStackReg adds to a start."""
    moved = moving if np.array_equal(start, np.eye(3)) else warp_image(moving, start)
    halves = coarse and min(reference.shape) >= COARSE_FROM_PX
    if not halves:
        return np.asarray(StackReg(MODES[mode]).register(reference, moved))
    step = StackReg(MODES[mode]).register(halved(reference), halved(moved))
    return np.asarray(DOUBLE @ step @ np.linalg.inv(DOUBLE))


def halved(image: Image) -> Image:
    """Means of four pixels each."""
    rows, columns = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    even = image[:rows, :columns]
    means: Image = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return means


def refine_shift(reference: Image, moving: Image, step: Matrix) -> Matrix:
    """Register the shift of a step again, with its rotation as it is."""
    shift = StackReg(StackReg.TRANSLATION).register(reference, warp_image(moving, step))
    refined: Matrix = step @ shift
    better = correlation(reference, moving, refined) >= correlation(reference, moving, step)
    return refined if better else step


def warp_image(image: Image, matrix: Matrix) -> Image:
    """Sample an image at matrix @ (x, y, 1) for every pixel (x, y); edges are repeated."""
    moved: Image = warp(  # type: ignore[no-untyped-call]
        image, matrix, order=1, mode="edge", preserve_range=True
    )
    return moved


def _inside(matrix: Matrix, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    y, x = _pixels(shape[-2], shape[-1])
    sx = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    sy = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    inside: NDArray[np.bool_] = (
        (sx > -0.5) & (sx < shape[-1] - 0.5) & (sy > -0.5) & (sy < shape[-2] - 0.5)
    )
    return inside


@lru_cache(maxsize=8)
def _pixels(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows as a column and columns as a row, which numpy broadcasts."""
    return np.arange(rows, dtype=float)[:, None], np.arange(columns, dtype=float)[None]


def _overlap_weight(coverage: float) -> float:
    """Weight of a correlation by the share of the window it was taken over.

    Small overlaps correlate by chance, with a spread of one over the root of their size. Large
    ones all weigh the same, lest the smaller of two motions be preferred for its overlap.
    """
    return min(1.0, float(np.sqrt(coverage / LEAST_OVERLAP)))


def covered_share(matrix: Matrix, shape: tuple[int, ...]) -> float:
    """Share of a window of shape (y, x) that a moved slice covers."""
    return float(_inside(matrix, shape).mean())


def correlation(reference: Image, moving: Image, matrix: Matrix) -> float:
    """Normalised cross-correlation where both images have pixels."""
    return _correlation(reference, moving, matrix, _inside(matrix, reference.shape))


def _correlation(
    reference: Image, moving: Image, matrix: Matrix, inside: NDArray[np.bool_]
) -> float:
    if np.array_equal(matrix, np.eye(3)):
        return _normalized_product(reference.ravel(), moving.ravel())
    if inside.mean() < 0.2:
        return -1.0
    return _normalized_product(reference[inside], warp_image(moving, matrix)[inside])


def _normalized_product(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    # Sums of products: BLAS would start threads, which cost more than these sums.
    norm = float(np.sqrt(np.einsum("i,i->", a, a) * np.einsum("i,i->", b, b)))
    return float(np.einsum("i,i->", a, b)) / norm if norm > 0 else 0.0
