"""Apply a network to a volume of any size, window by window."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray

from electrode_grains.boundary.compute import (
    autocast,
    limited_threads,
    resolve_device,
)
from electrode_grains.boundary.division import halves, is_tiled, largest_window, plan_windows
from electrode_grains.boundary.network import UNet3D
from electrode_grains.boundary.settings import Augmentation, Precision, PredictionSettings
from electrode_grains.boundary.symmetries import AxisSymmetry, axis_symmetries
from electrode_grains.boundary.tiles import Box, count_tiles, tiled_probabilities
from electrode_grains.boundary.windows import Shape, measured_part, pad_to_lattice
from electrode_grains.classes import BACKGROUND_CHANNEL, CHANNELS
from electrode_grains.errors import ComputationError, InputError

Progress = Callable[[int, int], None]


def predict_class_probabilities(
    network: UNet3D,
    contrast: NDArray[np.float32],
    *,
    settings: PredictionSettings | None = None,
    halo: int | None = None,
    report_progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Predict the probability of each class in each voxel of a volume.

    Parameters
    ----------
    network : UNet3D
        Trained network; its mode is left as it was.
    contrast : NDArray of float32, shape (channel, z, y, x) or (z, y, x)
        Normalised contrast; NaN in all channels where nothing was measured.
    settings : PredictionSettings, optional
        Windows, symmetries to average over, number format, device.
    halo : int, optional
        Voxels read around those a window predicts; the network's receptive
        radius by default, which is also the least.
    report_progress : callable, optional
        Called with (parts done, parts in all); parts take about equally long.

    Returns
    -------
    NDArray of float32, shape (3, z, y, x)
        Boundary, interior, background; their sum is 1. What was not measured is background.

    Raises
    ------
    InputError
        If the volume has other channels than the network or is not finite.
    SettingsError
        If the window is empty, the halo too small, or a name is unknown.
    ComputationError
        If the network returns values that are not finite.

    Notes
    -----
    Windows start on the pooling lattice and overlap by a halo of at least the
    receptive radius. Every voxel then sees what it would see in one pass over
    the whole volume: the result does not depend on the windows, but for the
    rounding of float32. On a processor a window is computed in tiles, level by
    level, which needs a sixth of the memory.

    Examples
    --------
    >>> network = UNet3D(base_width=2, depth=1)
    >>> probability = predict_class_probabilities(network, np.zeros((5, 6, 7), np.float32))
    >>> probability.shape, bool(np.allclose(probability.sum(axis=0), 1))
    ((3, 5, 6, 7), True)
    """
    settings = settings or PredictionSettings()
    volume, measured = measured_part(contrast)
    symmetries = _symmetries(settings.test_time_augmentation)
    result = np.zeros((len(CHANNELS), *volume.shape[1:]), dtype=np.float32)
    largest = largest_window(network, settings.device)
    plans = [
        plan_windows(
            network,
            symmetry.apply(volume).shape[1:],
            window_shape=_turned(settings.window_shape, symmetry),
            halo=halo,
            largest=largest,
        )
        for symmetry in symmetries
    ]
    total = sum(_count_parts(network, plan, settings.device) for plan in plans)
    parts = count(1)

    def report_part() -> None:
        if report_progress is not None:
            report_progress(min(next(parts), total), total)

    for symmetry, plan in zip(symmetries, plans, strict=True):
        turned_result = symmetry.apply(result)  # a view: blocks add up in place
        blocks = predict_blocks(
            network,
            symmetry.apply(volume),
            plan,
            precision=settings.precision,
            device=settings.device,
            threads=settings.threads,
            report_part=report_part,
        )
        for box, block in blocks:
            turned_result[:, *box] += block
    if len(symmetries) > 1:
        result /= result.sum(axis=0)
    if measured is not None:
        result[:, ~measured] = 0
        result[BACKGROUND_CHANNEL, ~measured] = 1
    return result


def predict_slices(
    network: UNet3D,
    contrast: NDArray[np.float32],
    slices: Sequence[int],
    *,
    settings: PredictionSettings | None = None,
) -> NDArray[np.float32]:
    """Predict single slices as a pass over the whole volume would.

    Parameters
    ----------
    network : UNet3D
        Trained network.
    contrast : NDArray of float32, shape (channel, z, y, x) or (z, y, x)
        Normalised contrast, finite.
    slices : sequence of int
        Slice numbers, from 0.
    settings : PredictionSettings, optional
        As in `predict_class_probabilities`.

    Returns
    -------
    NDArray of float32, shape (3, slices, y, x)
        Boundary, interior, background.

    Notes
    -----
    Reads no more slices than can influence the answer. With test-time augmentation
    the lattice of a slab that was turned over differs from that of the whole volume,
    so that the agreement holds without it.

    Examples
    --------
    >>> network = UNet3D(base_width=2, depth=1)
    >>> predict_slices(network, np.zeros((9, 4, 4), np.float32), [2, 7]).shape
    (3, 2, 4, 4)
    """
    volume = np.asarray(contrast, dtype=np.float32)
    volume = volume[None] if volume.ndim == 3 else volume
    lattice, radius = network.pooling, network.receptive_radius
    predicted = []
    for z in slices:
        start = max(0, (z - radius) // lattice * lattice)
        slab = volume[:, start : z + radius + 1]
        predicted.append(
            predict_class_probabilities(network, slab, settings=settings)[:, z - start]
        )
    return np.stack(predicted, axis=1)


def predict_blocks(
    network: UNet3D,
    contrast: NDArray[np.float32],
    windows: list[tuple[Box, Box]],
    *,
    precision: Precision = "float32",
    device: str = "cpu",
    threads: int | None = None,
    report_part: Callable[[], None] | None = None,
) -> Iterator[tuple[Box, NDArray[np.float32]]]:
    """Predict window after window, for results that are stored block by block.

    Parameters
    ----------
    network : UNet3D
        Trained network.
    contrast : array of float32, shape (channel, z, y, x)
        Anything that returns arrays when sliced.
    windows : list of (read, predicted)
        As `plan_windows` returns them.
    precision, device, threads
        As in `PredictionSettings`.
    report_part : callable, optional
        Called after each part of a window.

    Yields
    ------
    box : (slice, slice, slice)
        Voxels along z, y, x that the block covers.
    block : NDArray of float32, shape (3, ...)
        Their class probabilities.

    Raises
    ------
    InputError
        If the volume has other channels than the network.
    ComputationError
        If the network returns values that are not finite.
    """
    if contrast.shape[0] != network.in_channels:
        raise InputError(
            "contrast and network differ in their channels",
            found=f"{contrast.shape[0]} in the volume",
            expected=f"{network.in_channels}",
        )
    if network.depends_on_window and len(windows) > 1:
        warnings.warn(
            "group normalisation depends on the window: probabilities change by about 0.01 "
            f"with the division into {len(windows)} windows",
            stacklevel=2,
        )
    place = resolve_device(device)
    modes = [(module, module.training) for module in network.modules()]
    network.eval().to(place)
    try:
        pending = windows[::-1]
        while pending:
            read, predicted = pending.pop()
            try:
                # Threads are limited per window, so that a caller's own work between two is not.
                with limited_threads(threads):
                    block = _predict_window(
                        network, contrast[:, *read], precision, place, report_part or _say_nothing
                    )
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                pending += halves(network, read, predicted)
                continue
            if not np.isfinite(block).all():
                raise ComputationError(
                    "the network returns values that are not finite",
                    where=f"window at z, y, x = {tuple(side.start for side in read)}",
                    remedy="train again with a lower learning rate, or predict in float32",
                )
            inner = tuple(
                slice(inside.start - outside.start, inside.stop - outside.start)
                for outside, inside in zip(read, predicted, strict=True)
            )
            yield predicted, block[:, *inner]
    finally:
        for module, training in modes:
            module.training = training


def _predict_window(
    network: UNet3D,
    window: NDArray[np.float32],
    precision: Precision,
    device: torch.device,
    report_part: Callable[[], None],
) -> NDArray[np.float32]:
    padded = pad_to_lattice(np.asarray(window), network.pooling, repeat_edge=True)
    image = torch.from_numpy(np.ascontiguousarray(padded))[None].to(device)
    with torch.inference_mode(), autocast(precision, device):
        if is_tiled(network, device) and count_tiles(network, padded.shape[1:]) > 1:
            probability = tiled_probabilities(network, image, report_part)
        else:
            scores = network(image.to(memory_format=torch.channels_last_3d))
            probability = scores.float().softmax(dim=1)
            report_part()
    depth, height, width = window.shape[1:]
    cut: NDArray[np.float32] = probability[0, :, :depth, :height, :width].cpu().numpy()
    return cut


def _count_parts(network: UNet3D, windows: list[tuple[Box, Box]], device: str) -> int:
    """Number of times that `predict_blocks` reports a part."""
    if not is_tiled(network, resolve_device(device)):
        return len(windows)
    lattice = network.pooling
    shapes = (
        [-(-(side.stop - side.start) // lattice) * lattice for side in read] for read, _ in windows
    )
    return sum(count_tiles(network, shape) for shape in shapes)


def _say_nothing() -> None:
    pass


def _is_out_of_memory(error: Exception) -> bool:
    """Graphics cards have an exception of their own; the CPU's tells by its text alone."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "allocate memory" in str(error)


def _symmetries(augmentation: Augmentation) -> tuple[AxisSymmetry, ...]:
    if augmentation is False:
        return (AxisSymmetry((0, 1, 2), ()),)
    cell = (1, 2, 2) if augmentation == "in_plane" else (1, 1, 1)
    return axis_symmetries(cell, (1.0, 1.0, 1.0))


def _turned(window_shape: Shape | None, symmetry: AxisSymmetry) -> Shape | None:
    if window_shape is None:
        return None
    depth, height, width = (window_shape[axis] for axis in symmetry.order)
    return depth, height, width
