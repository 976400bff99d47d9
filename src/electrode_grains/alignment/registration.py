"""Registration of the slices of a stack with pyStackReg."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pystackreg import StackReg
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from electrode_grains.alignment.transforms import (
    SliceTransforms,
    center_motion,
    remove_gauge,
    rigid_matrix,
    window_center,
)
from electrode_grains.problems import InputProblem, SettingsProblem

MODES = {"translation": StackReg.TRANSLATION, "rigid_body": StackReg.RIGID_BODY}
SMOOTHING_PX = 1.0
LEAST_OVERLAP = 0.7
LARGEST_ROTATION = np.radians(10.0)


def estimate_transforms(
    stack: ArrayLike,
    *,
    mode: str = "rigid_body",
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
        If the stack is not three-dimensional.
    SettingsProblem
        If the mode is unknown.

    Notes
    -----
    Each slice is registered to the one before; a pair that registration makes no better
    tries the slice before that one, and is flagged if this fails too. Motions accumulate
    along the stack, so small random errors add up to a random walk [1]_.

    References
    ----------
    .. [1] P. Thévenaz, U. E. Ruttimann, M. Unser, "A pyramid approach to subpixel
       registration based on intensity", IEEE Trans. Image Process. 7 (1998) 27-41.
    """
    values = np.asarray(stack, float)
    if values.ndim != 3:
        raise InputProblem("a stack has dimensions (z, y, x)", found=f"shape {values.shape}")
    if mode not in MODES:
        raise SettingsProblem("unknown mode", found=repr(mode), expected=" or ".join(MODES))
    images = [_prepare(image) for image in values]
    count = len(images)
    matrices = np.tile(np.eye(3), (count, 1, 1))
    before, after = np.full(count, np.nan), np.full(count, np.nan)
    flags: list[tuple[str, ...]] = [() for _ in images]
    for z in range(1, count):
        step, reference = np.eye(3), z - 1
        if images[z] is None:
            flags[z] = ("no contrast: takes the motion of the slice before",)
        else:
            step, reference, flags[z] = _register_to_earlier(images, z, mode, initial_guess)
            before[z] = _correlation(images[reference], images[z], np.eye(3))
            after[z] = _correlation(images[reference], images[z], step)
        matrices[z] = step @ matrices[reference]
        if progress is not None:
            progress(z, count - 1)
    matrices = remove_gauge(matrices, window_center(values.shape))
    overlap = np.array([_coverage(matrix, values.shape[1:]) for matrix in matrices])
    for z in np.flatnonzero(overlap < LEAST_OVERLAP).tolist():
        flags[z] += (f"covers only {overlap[z]:.0%} of the window",)
    return SliceTransforms(matrices, mode, before, after, overlap, tuple(flags))


def _prepare(image: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Bring an image to zero mean and unit spread, None where it shows nothing."""
    finite = np.isfinite(image)
    if not finite.any():
        return None
    low, middle, high = np.percentile(image[finite], [1, 50, 99])
    if high - low <= 0:
        return None
    filled = np.clip(np.where(finite, image, middle), low, high)
    smooth = ndimage.gaussian_filter(filled, SMOOTHING_PX)
    prepared: NDArray[np.float64] = (smooth - smooth.mean()) / max(float(smooth.std()), 1e-12)
    return prepared


def _register_to_earlier(
    images: list[NDArray[np.float64] | None], z: int, mode: str, initial_guess: bool
) -> tuple[NDArray[np.float64], int, tuple[str, ...]]:
    """Register slice z to the nearest earlier slice that accepts it."""
    moving = images[z]
    for index in range(z - 1, max(z - 3, -1), -1):
        reference = images[index]
        if reference is None or moving is None:
            continue
        step = _register_pair(reference, moving, mode, initial_guess)
        unmoved = _correlation(reference, moving, np.eye(3))
        if _correlation(reference, moving, step) >= unmoved:
            flags = () if index == z - 1 else (f"registered to slice {index}, not its neighbour",)
            return step, index, flags
    return np.eye(3), z - 1, ("registration made it no better: left where the slice before is",)


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
            score = _correlation(reference, moving, candidate)
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
