"""Random training windows that cross an annotated slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from electrode_grains.boundary.settings import RotationMode
from electrode_grains.boundary.symmetries import (
    Triple,
    axis_symmetries,
    cut_rotated,
    random_isometry,
)
from electrode_grains.classes import CLASSES, CODES_IN_WORDS
from electrode_grains.errors import InputError, SettingsError

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Window:
    """A cutout for one training step.

    Attributes
    ----------
    image : NDArray of float32, shape (channel, z, y, x)
        Contrast.
    target : NDArray of int64, shape (z, y, x)
        Channel of the true class; 0 where nothing is annotated.
    mask : NDArray of bool, shape (z, y, x)
        True for annotated voxels, of which there is at least one.
    voxel : (int, int, int)
        Annotated voxel (z, y, x) of the volume around which the window was drawn.
    """

    image: NDArray[np.float32]
    target: NDArray[np.int64]
    mask: NDArray[np.bool_]
    voxel: Shape


@dataclass(frozen=True)
class IntensityJitter:
    """How much the grey values of a window vary from draw to draw.

    Attributes
    ----------
    gain : float
        Standard deviation of the logarithm of the factor.
    offset : float
        Standard deviation of the summand, in units of normalised contrast.
    noise : float
        Largest standard deviation of white noise, in units of normalised contrast.
    """

    gain: float = 0.1
    offset: float = 0.1
    noise: float = 0.1

    def apply(self, image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Vary an image; its input stays as it is."""
        gain = np.float32(np.exp(self.gain * rng.normal()))
        offset = np.float32(self.offset * rng.normal())
        varied = image * gain + offset
        if self.noise > 0:
            deviation = np.float32(self.noise * rng.random())
            varied += deviation * rng.standard_normal(image.shape, dtype=np.float32)
        return varied


class WindowSampler:
    """Draws windows from a volume of which a few slices are annotated.

    Parameters
    ----------
    contrast : NDArray of float32, shape (channel, z, y, x) or (z, y, x)
        Normalised contrast, finite.
    annotation : NDArray of uint8, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    window_shape : (int, int, int)
        Voxels along z, y, x; cut to the volume where it is smaller.
    rotation : {"quarter_turns", "arbitrary", "none"}
        Quarter turns and reflections that keep the shape of window and voxels, or
        any rotation with or without reflection, as in the paper, or neither.
    jitter : IntensityJitter, optional
        Variation of the grey values; none by default.
    channel_dropout : float
        Share of windows that lose all channels but the first, as where orientations are missing.
    spacing : (float, float, float)
        Voxel spacing along z, y, x, in any unit.

    Raises
    ------
    InputError
        If volumes disagree, are not finite, or hold no annotated voxel.
    SettingsError
        If the window is empty or the rotation unknown.

    Notes
    -----
    A window is drawn around an annotated voxel chosen uniformly, so that one
    without an annotated voxel never comes up.

    Examples
    --------
    >>> annotation = np.zeros((8, 16, 16), dtype=np.uint8)
    >>> annotation[3] = 2
    >>> sampler = WindowSampler(np.zeros((8, 16, 16), dtype=np.float32), annotation,
    ...                         window_shape=(4, 8, 8))
    >>> window = sampler.draw(np.random.default_rng(5))
    >>> window.image.shape, bool(window.mask.any())
    ((1, 4, 8, 8), True)
    """

    def __init__(
        self,
        contrast: NDArray[np.float32],
        annotation: NDArray[np.integer],
        *,
        window_shape: Shape = (24, 80, 80),
        rotation: RotationMode = "quarter_turns",
        jitter: IntensityJitter | None = None,
        channel_dropout: float = 0.0,
        spacing: Triple = (1.0, 1.0, 1.0),
    ) -> None:
        self._contrast = as_channels(contrast)
        self._annotation = checked_annotation(annotation, self._contrast.shape[1:])
        if rotation not in get_args(RotationMode):
            raise SettingsError(
                "unknown rotation of training windows",
                found=repr(rotation),
                expected=" or ".join(get_args(RotationMode)),
            )
        if len(window_shape) != 3 or min(window_shape) < 1:
            raise SettingsError(
                "a training window needs three positive sides (z, y, x)", found=str(window_shape)
            )
        depth, height, width = np.minimum(window_shape, self._annotation.shape)
        self.window_shape: Shape = (int(depth), int(height), int(width))
        self._rotation = rotation
        self._jitter = jitter
        self._channel_dropout = channel_dropout
        self._spacing = spacing
        self._symmetries = axis_symmetries(self.window_shape, spacing)
        self._annotated = np.flatnonzero(self._annotation)
        if self._annotated.size == 0:
            raise InputError(
                "no voxel is annotated, so that there is nothing to train on",
                found=f"only zeros in an annotation of shape {self._annotation.shape}",
                expected="at least one slice with classes 1, 2 or 3",
            )

    def draw(self, rng: np.random.Generator) -> Window:
        """Draw a window.

        Parameters
        ----------
        rng : numpy.random.Generator
            Random number generator.

        Returns
        -------
        Window
            With at least one annotated voxel.
        """
        chosen = self._annotated[rng.integers(self._annotated.size)]
        z, y, x = (int(index) for index in np.unravel_index(chosen, self._annotation.shape))
        if self._rotation == "arbitrary":
            image, annotation = self._cut_rotated((z, y, x), rng)
        else:
            image, annotation = self._cut_straight((z, y, x), rng)
        if self._jitter is not None:
            image = self._jitter.apply(image, rng)
        if self._channel_dropout and rng.random() < self._channel_dropout:
            image = np.concatenate([image[:1], np.zeros_like(image[1:])])
        mask = annotation > 0
        target = np.where(mask, annotation.astype(np.int64) - 1, 0)
        return Window(np.ascontiguousarray(image), target, mask, (z, y, x))

    def _cut_straight(
        self, voxel: Shape, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        box = []
        for index, side, length in zip(
            voxel, self.window_shape, self._annotation.shape, strict=True
        ):
            first, last = max(0, index - side + 1), min(index, length - side)
            start = int(rng.integers(first, last + 1))
            box.append(slice(start, start + side))
        image = self._contrast[:, *box]
        annotation = self._annotation[tuple(box)]
        if self._rotation == "quarter_turns":
            symmetry = self._symmetries[rng.integers(len(self._symmetries))]
            image, annotation = symmetry.apply(image), symmetry.apply(annotation)
        return image, annotation

    def _cut_rotated(
        self, voxel: Shape, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        isometry = random_isometry(rng)
        place_z, place_y, place_x = (int(index) for index in rng.integers(self.window_shape))
        geometry: dict[str, Any] = {
            "pivot": voxel,
            "place": (place_z, place_y, place_x),
            "shape": self.window_shape,
            "spacing": self._spacing,
        }
        image = np.stack(
            [
                cut_rotated(channel, isometry, interpolation=1, **geometry)
                for channel in self._contrast
            ]
        )
        return image, cut_rotated(self._annotation, isometry, interpolation=0, **geometry)


def pad_to_lattice(array: NDArray[Any], pooling: int, *, repeat_edge: bool) -> NDArray[Any]:
    """Lengthen the last three axes at their end to multiples of the pooling.

    Parameters
    ----------
    array : NDArray, shape (..., z, y, x)
        Image, classes or mask.
    pooling : int
        Number to which each side becomes a multiple.
    repeat_edge : bool
        Fill with the outermost voxels (images) instead of zeros (classes, masks).

    Returns
    -------
    NDArray, shape (..., z', y', x')
        The array itself where nothing is missing.

    Examples
    --------
    >>> pad_to_lattice(np.ones((3, 4, 6)), 4, repeat_edge=True).shape
    (4, 4, 8)
    """
    missing = [-side % pooling for side in array.shape[-3:]]
    if not any(missing):
        return array
    padding = [(0, 0)] * (array.ndim - 3) + [(0, count) for count in missing]
    return np.pad(array, padding, mode="edge") if repeat_edge else np.pad(array, padding)


def measured_part(
    contrast: NDArray[np.floating],
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Tell the voxels of a contrast volume that were measured from those that were not.

    Parameters
    ----------
    contrast : NDArray of float, shape (channel, z, y, x) or (z, y, x)
        Normalised contrast; NaN in all channels where nothing was measured.

    Returns
    -------
    volume : NDArray of float32, shape (channel, z, y, x)
        Finite; 0, the middle of the contrast, where nothing was measured.
    measured : NDArray of bool, shape (z, y, x), or None
        None where every voxel was measured.

    Raises
    ------
    InputError
        If the number of axes is neither three nor four, a value is infinite, or only some
        channels of a voxel are NaN.

    Examples
    --------
    >>> volume, measured = measured_part(np.array([[[1.0, np.nan]]]))
    >>> volume.tolist(), measured.tolist()
    ([[[[1.0, 0.0]]]], [[[True, False]]])
    """
    volume = np.asarray(contrast, dtype=np.float32)
    nan = np.isnan(volume)
    unmeasured: NDArray[np.bool_] = np.all(nan, axis=0) if volume.ndim == 4 else nan
    if not unmeasured.any():
        return as_channels(volume), None
    return as_channels(np.where(unmeasured, np.float32(0), volume)), ~unmeasured


def measured_classes(
    contrast: NDArray[np.floating], annotation: NDArray[np.integer]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Check contrast and annotation, and forget annotations of what was not measured.

    Parameters
    ----------
    contrast, annotation
        As in `train_boundary_network`.

    Returns
    -------
    volume : NDArray of float32, shape (channel, z, y, x)
        Finite.
    classes : NDArray of uint8, shape (z, y, x)
        0 where nothing was annotated, or nothing measured.
    """
    volume, measured = measured_part(contrast)
    classes = checked_annotation(annotation, volume.shape[1:])
    return volume, classes if measured is None else np.where(measured, classes, np.uint8(0))


def as_channels(contrast: NDArray[np.floating]) -> NDArray[np.float32]:
    """Give a contrast volume its channel axis and check that it is finite.

    Parameters
    ----------
    contrast : NDArray of float, shape (channel, z, y, x) or (z, y, x)
        Normalised contrast.

    Returns
    -------
    NDArray of float32, shape (channel, z, y, x)
        A view where the dtype allows it.

    Raises
    ------
    InputError
        If the number of axes is neither three nor four, or a value is not finite.
    """
    volume = np.asarray(contrast, dtype=np.float32)
    if volume.ndim == 3:
        volume = volume[None]
    if volume.ndim != 4 or volume.size == 0:
        raise InputError(
            "contrast has the wrong number of axes",
            found=f"shape {np.shape(contrast)}",
            expected="(channel, z, y, x) or (z, y, x)",
        )
    finite = np.isfinite(volume)
    if not finite.all():
        first = tuple(int(index) for index in np.argwhere(~finite)[0])
        raise InputError(
            "contrast holds values that are not finite",
            where=f"channel, z, y, x = {first}",
            found=f"{volume.size - np.count_nonzero(finite)} such voxels",
            remedy="pass it through normalize_contrast first",
        )
    return volume


def checked_annotation(
    annotation: NDArray[np.integer], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Check shape and classes of an annotation volume.

    Parameters
    ----------
    annotation : NDArray of int, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    shape : tuple of int
        Shape of the contrast volume without its channels.

    Returns
    -------
    NDArray of uint8, shape (z, y, x)
        The same classes.

    Raises
    ------
    InputError
        If the shape differs or a class is unknown.
    """
    classes = np.asarray(annotation)
    if classes.shape != tuple(shape):
        raise InputError(
            "annotation and contrast differ in shape",
            found=f"annotation {classes.shape}, contrast {tuple(shape)} (z, y, x)",
            remedy="resample the annotation with the transforms of its slices",
        )
    unknown = ~np.isin(classes, range(len(CLASSES)))
    if unknown.any():
        z, y, x = (int(index) for index in np.argwhere(unknown)[0])
        raise InputError(
            "the annotation holds an unknown class",
            where=f"z, y, x = {z}, {y}, {x}",
            found=str(classes[z, y, x]),
            expected=CODES_IN_WORDS,
        )
    return classes.astype(np.uint8)
