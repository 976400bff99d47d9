"""Registration of one slice to another with pyStackReg."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pystackreg import StackReg
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.registration import phase_cross_correlation

from electrode_grains.alignment.transforms import center_motion, rigid_matrix, window_center

Image = NDArray[np.float64]
Matrix = NDArray[np.float64]

MODES = {"translation": StackReg.TRANSLATION, "rigid_body": StackReg.RIGID_BODY}
LEAST_OVERLAP = 0.7
LARGEST_ROTATION = np.radians(10.0)
# Unrelated images of 20 to 110 pixels reached at most 3.1 times the inverse root.
NOISE_FACTOR = 3.5
LARGEST_FLOOR = 0.5
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
    filled = [_fill(image) for image in stack]
    thresholds = [None if image is None else _particle_threshold(image) for image in filled]
    shown = sum(image is not None for image in filled)
    flatten = mask_background and 2 * sum(t is not None for t in thresholds) > shown
    slices: list[Image | None] = []
    for image, threshold in zip(filled, thresholds, strict=True):
        if image is not None and flatten and threshold is not None:
            image = _flatten(image, threshold)
        slices.append(None if image is None else _standardize(image, smoothing))
    return slices


def _fill(image: Image) -> Image | None:
    """Replace missing and extreme values, None where nothing differs."""
    finite = np.isfinite(image)
    if not finite.any():
        return None
    low, middle, high = np.percentile(image[finite], [1, 50, 99])
    if high - low <= 0:
        return None
    return np.asarray(np.clip(np.where(finite, image, middle), low, high), np.float64)


def _particle_threshold(image: Image) -> float | None:
    """Value between surroundings and particle, None where the histogram has no valley."""
    smooth = ndimage.gaussian_filter(image, BODY_SIGMA_PX)
    threshold = float(threshold_otsu(smooth))  # type: ignore[no-untyped-call]
    counts, edges = np.histogram(smooth, bins=32)
    counts = ndimage.gaussian_filter1d(counts.astype(float), 1.0)
    at = int(np.clip(np.searchsorted(edges, threshold) - 1, 1, len(counts) - 2))
    valley = counts[at - 1 : at + 2].min()
    lower_peak = min(counts[:at].max(), counts[at:].max())
    return threshold if valley < DEEPEST_VALLEY * lower_peak else None


def _flatten(image: Image, threshold: float) -> Image:
    inside = ndimage.gaussian_filter(image, BODY_SIGMA_PX) > threshold
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


def register_pair(reference: Image, moving: Image, mode: str, initial_guess: bool) -> Pair:
    """Find the motion that brings one slice onto another.

    Parameters
    ----------
    reference, moving : ndarray of float64, shape (y, x)
        Slices as `prepare_slices` returns them.
    mode : str
        A key of `MODES`, or "none".
    initial_guess : bool
        Look for jumps of many pixels by phase correlation first.
    """
    if mode == "none":
        stays = correlation(reference, moving, np.eye(3))
        return Pair(np.eye(3), stays, stays, 1.0)
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
        refined = start @ StackReg(MODES[mode]).register(reference, warp_image(moving, start))
        rotation = center_motion(refined[None], center)[0, 2]
        for candidate in (refined, start):
            trust = _overlap_weight(covered_share(candidate, reference.shape))
            score = trust * correlation(reference, moving, candidate)
            plausible = candidate is start or abs(rotation) < LARGEST_ROTATION
            if plausible and score > best_score:
                best, best_score = candidate, score
    shift_x, shift_y, rotation = center_motion(best[None], center)[0]
    rows, columns = reference.shape
    return Pair(
        step=best,
        before=correlation(reference, moving, np.eye(3)),
        after=correlation(reference, moving, best),
        coverage=covered_share(best, reference.shape),
        at_bound=bool(
            abs(shift_x) > 0.45 * columns
            or abs(shift_y) > 0.45 * rows
            or abs(rotation) > 0.95 * LARGEST_ROTATION
        ),
    )


def refine_shift(reference: Image, moving: Image, step: Matrix) -> Matrix:
    """Register the shift of a step again, with its rotation as it is."""
    shift = StackReg(StackReg.TRANSLATION).register(reference, warp_image(moving, step))
    refined: Matrix = step @ shift
    better = correlation(reference, moving, refined) >= correlation(reference, moving, step)
    return refined if better else step


def warp_image(image: Image, matrix: Matrix) -> Image:
    """Sample an image at matrix @ (x, y, 1) for every pixel (x, y); edges are repeated."""
    swap = matrix[[1, 0]][:, [1, 0, 2]]  # to (y, x)
    moved: Image = ndimage.affine_transform(
        image, swap[:, :2], offset=swap[:, 2], order=1, mode="nearest"
    )
    return moved


def _inside(matrix: Matrix, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    sx = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    sy = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    inside: NDArray[np.bool_] = (
        (sx > -0.5) & (sx < shape[-1] - 0.5) & (sy > -0.5) & (sy < shape[-2] - 0.5)
    )
    return inside


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
    inside = _inside(matrix, reference.shape)
    if inside.mean() < 0.2:
        return -1.0
    a, b = reference[inside], warp_image(moving, matrix)[inside]
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0
