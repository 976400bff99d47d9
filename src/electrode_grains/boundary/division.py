"""Divide a volume into windows that a network predicts one after another."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import torch

from electrode_grains.boundary.compute import resolve_device
from electrode_grains.boundary.network import UNet3D
from electrode_grains.boundary.tiles import Box
from electrode_grains.boundary.windows import Shape
from electrode_grains.errors import ComputationError, SettingsError

# Voxels of a window; about 1 GB at a base width of 16.
_LARGEST_WINDOW = 2_500_000  # in one pass
_LARGEST_TILED_WINDOW = 16_000_000
_MEMORY_SHARE = 0.5  # of what a graphics card has free


def plan_windows(
    network: UNet3D,
    shape: tuple[int, ...],
    *,
    window_shape: Shape | None = None,
    halo: int | None = None,
    largest: int | None = None,
) -> list[tuple[Box, Box]]:
    """Divide a volume into windows that together predict each voxel once.

    Parameters
    ----------
    network : UNet3D
        Gives the pooling lattice and the receptive radius.
    shape : (int, int, int)
        Shape of the volume.
    window_shape : (int, int, int), optional
        Voxels that a window predicts; by default as many as `largest` allows.
    halo : int, optional
        As in `predict_class_probabilities`.
    largest : int, optional
        Voxels that a default window may hold, its halo included; by default as many as a
        processor predicts within about 1 GB.

    Returns
    -------
    list of (read, predicted)
        Boxes of the volume: what a window reads, and the voxels it answers for.

    Raises
    ------
    SettingsError
        If the halo is too small, or the window is empty.

    Examples
    --------
    >>> network = UNet3D(base_width=2, depth=1)
    >>> windows = plan_windows(network, (8, 16, 80), window_shape=(8, 16, 40))
    >>> [(read[2], predicted[2]) for read, predicted in windows]
    [(slice(0, 50, None), slice(0, 40, None)), (slice(30, 80, None), slice(40, 80, None))]
    """
    pooling = network.pooling
    margin = network.receptive_radius if halo is None else halo
    if margin < network.receptive_radius:
        raise SettingsError(
            "the halo is smaller than what the network looks at",
            found=f"{margin} voxels",
            expected=f"{network.receptive_radius} voxels or more",
            remedy="leave the halo out to use the receptive radius",
        )
    margin = -(-margin // pooling) * pooling
    largest = largest_window(network, "cpu") if largest is None else largest
    wanted = _default_window(shape, margin, largest) if window_shape is None else window_shape
    per_axis = [
        _divide_axis(length, side, margin, pooling)
        for length, side in zip(shape, wanted, strict=True)
    ]
    return [((z[0], y[0], x[0]), (z[1], y[1], x[1])) for z, y, x in product(*per_axis)]


def is_tiled(network: UNet3D, device: torch.device) -> bool:
    """Tiles fit the caches of a processor; a normalisation over the window has to see it whole."""
    return device.type == "cpu" and not network.depends_on_window


def largest_window(network: UNet3D, device: str) -> int:
    """Voxels of a default window: more where a graphics card has the memory."""
    place = resolve_device(device)
    if place.type != "cuda":
        return _LARGEST_TILED_WINDOW if is_tiled(network, place) else _LARGEST_WINDOW
    free, _ = torch.cuda.mem_get_info(place)
    return max(_LARGEST_WINDOW, _LARGEST_WINDOW * int(free * _MEMORY_SHARE / 2**30))


def halves(network: UNet3D, read: Box, predicted: Box) -> list[tuple[Box, Box]]:
    """Cut a window that does not fit into memory, on the lattice, the second half first."""
    pooling = network.pooling
    sides = [inside.stop - inside.start for inside in predicted]
    axis = int(np.argmax(sides))
    if sides[axis] <= pooling:
        raise ComputationError(
            "not even a single cell of the network's lattice fits into memory",
            where=f"window at z, y, x = {tuple(side.start for side in predicted)}",
            found=f"{tuple(side.stop - side.start for side in read)} voxels with their halo",
            remedy="predict on the CPU, or train a network of smaller base_width or depth",
        )
    warnings.warn(
        f"a window of {tuple(sides)} voxels does not fit into memory and is predicted in halves",
        stacklevel=2,
    )
    margin = -(-network.receptive_radius // pooling) * pooling
    outside, inside = read[axis], predicted[axis]
    middle = inside.start + -(-sides[axis] // (2 * pooling)) * pooling
    halves: list[tuple[Box, Box]] = []
    for start, stop in ((middle, inside.stop), (inside.start, middle)):
        around = slice(max(outside.start, start - margin), min(outside.stop, stop + margin))
        halves.append((_with(read, axis, around), _with(predicted, axis, slice(start, stop))))
    return halves


def _with(box: Box, axis: int, side: slice) -> Box:
    z, y, x = (side if place == axis else own for place, own in enumerate(box))
    return z, y, x


def _divide_axis(length: int, side: int, margin: int, pooling: int) -> list[tuple[slice, slice]]:
    """Cut an axis into parts of at most `side` voxels, about equal in size."""
    if side < 1:
        raise SettingsError("an empty window predicts nothing", found=f"{side} voxels")
    if side >= length:
        return [(slice(0, length), slice(0, length))]
    parts = -(-length // side)
    # Whole cells of the lattice: a window may predict up to one cell more than asked.
    core = -(-length // (parts * pooling)) * pooling
    return [
        (
            slice(max(0, start - margin), min(length, start + core + margin)),
            slice(start, min(length, start + core)),
        )
        for start in range(0, length, core)
    ]


def _default_window(shape: tuple[int, ...], margin: int, largest: int) -> Shape:
    """Halve the longest axis until the window, halo included, fits in memory."""
    cores = [int(side) for side in shape]
    read = list(cores)
    while np.prod(read) > largest and max(cores) > 2 * margin:
        longest = int(np.argmax(cores))
        cores[longest] = -(-cores[longest] // 2)
        read[longest] = min(shape[longest], cores[longest] + 2 * margin)
    return cores[0], cores[1], cores[2]
