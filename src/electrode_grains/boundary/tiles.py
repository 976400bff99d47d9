"""Evaluate the network over a window larger than the caches: level by level, tile by tile."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval as fold_normalisation

from electrode_grains.boundary.network import UNet3D

Box = tuple[slice, slice, slice]

HALO = 2  # voxels that the two convolutions of a level look to either side
# oneDNN computes a convolution over a batch; over a single small window PyTorch unfolds it instead,
# which takes up to ten times as long.
BATCH = 2
_FEATURES = 2_000_000  # of a tile at the width of its level: some megabytes, about a cache


@dataclass(frozen=True)
class Tile:
    """Part of a level, in voxels along z, y, x.

    Attributes
    ----------
    predicted : (slice, slice, slice)
        Voxels whose features the tile gives.
    read : (slice, slice, slice)
        Voxels that two convolutions look at for them.
    around : (slice, slice, slice)
        Voxels that two more convolutions look at.
    """

    predicted: Box
    read: Box
    around: Box


def divide_level(shape: Sequence[int], width: int) -> list[Tile]:
    """Cut a level into tiles that all read boxes of the same shape.

    Parameters
    ----------
    shape : (int, int, int)
        Voxels of the level along z, y, x.
    width : int
        Feature channels of the level.

    Returns
    -------
    list of Tile
        Each voxel is predicted once; a pooling cell lies in one tile.

    Examples
    --------
    >>> first, second, *_ = divide_level((8, 8, 100), width=16)
    >>> first.predicted[2], first.read[2]
    (slice(0, 50, None), slice(0, 54, None))
    >>> second.predicted[2], second.read[2], second.around[2]
    (slice(50, 100, None), slice(46, 100, None), slice(42, 100, None))
    """
    counts, sides = [1, 1, 1], list(shape)
    while _is_too_large(sides, counts, width) and max(sides) > 2 * HALO:
        axis = sides.index(max(sides))
        counts[axis] *= 2
        sides[axis] = -(-shape[axis] // (2 * counts[axis])) * 2
    axes = [
        [
            tuple(_widened(start, side, length, halo) for halo in (0, HALO, 2 * HALO))
            for start in range(0, length, side)
        ]
        for side, length in zip(sides, shape, strict=True)
    ]
    tiles = []
    for cut in product(*axes):
        (z, z_read, z_around), (y, y_read, y_around), (x, x_read, x_around) = cut
        tiles.append(Tile((z, y, x), (z_read, y_read, x_read), (z_around, y_around, x_around)))
    return tiles


def _is_too_large(sides: Sequence[int], counts: Sequence[int], width: int) -> bool:
    return max(counts) == 1 or sides[0] * sides[1] * sides[2] * width > _FEATURES


def count_tiles(network: UNet3D, shape: Sequence[int]) -> int:
    """Count the tiles that `tiled_probabilities` visits; 1 where one pass is small enough."""
    if shape[0] * shape[1] * shape[2] * network.base_width <= _FEATURES:
        return 1
    return 2 * len(divide_level(shape, network.base_width))


def tiled_probabilities(
    network: UNet3D, image: Tensor, report_tile: Callable[[], None] | None = None
) -> Tensor:
    """Predict what one pass over the image would, with memory for its coarser levels only.

    Parameters
    ----------
    network : UNet3D
        In evaluation mode; its normalisation must not depend on the window.
    image : Tensor of float32, shape (1, in_channels, z, y, x)
        Sides are multiples of the network's pooling.
    report_tile : callable, optional
        Called after each tile at full resolution, `count_tiles` times.

    Returns
    -------
    Tensor of float32, shape (1, 3, z, y, x)
        Class probabilities, equal to those of a pass but for the rounding of float32.

    Notes
    -----
    A pass in windows needs a halo of the receptive radius, 23 voxels at depth 2 and 51 at depth 3,
    since a window forgets the coarse levels of its neighbours. Here each level is finished over the
    whole image before the next, so that a tile needs no more than what two convolutions see. The
    features of the encoder at full resolution are computed twice instead of kept.

    Examples
    --------
    >>> network, image = UNet3D(base_width=2, depth=1).eval(), torch.zeros(1, 1, 6, 8, 10)
    >>> tuple(tiled_probabilities(network, image).shape)
    (1, 3, 6, 8, 10)
    """
    with torch.inference_mode():
        fused = _without_normalisation(network)
        return _Levels(fused, report_tile or (lambda: None)).probabilities(image)


class _Levels:
    """Walks down and up the levels of a network."""

    def __init__(self, network: UNet3D, report_tile: Callable[[], None]) -> None:
        self._network = network
        self._report_tile = report_tile

    def probabilities(self, image: Tensor) -> Tensor:
        network, shape = self._network, image.shape[2:]
        tiles = divide_level(shape, network.base_width)
        encode = network.encoder[0]

        def encode_again(batch: Sequence[Tile]) -> Tensor:
            features = encode(_read(image, [tile.around for tile in batch]))
            places = [_within(tile.read, tile.around) for tile in batch]
            # Batches keep their memory format where single images would lose it.
            return torch.cat([features[i : i + 1, :, *place] for i, place in enumerate(places)])

        pooled = _fill(
            tiles,
            lambda batch: encode(_read(image, [tile.read for tile in batch])),
            finish=network.pool,
            report_tile=self._report_tile,
        )
        below = self._decoded(1, pooled)
        return _fill(
            tiles,
            lambda batch: self._up(0, encode_again(batch), below, batch),
            finish=lambda features: network.head(features).float().softmax(dim=1),
            report_tile=self._report_tile,
        )

    def _decoded(self, level: int, features: Tensor) -> Tensor:
        """Features of the decoder at a level, of the encoder at the coarsest."""
        encode = self._network.encoder[level]
        tiles = divide_level(features.shape[2:], self._network.base_width * 2**level)
        encoded = _fill(tiles, lambda batch: encode(_read(features, [t.read for t in batch])))
        if level == len(self._network.encoder) - 1:
            return encoded
        below = self._decoded(level + 1, self._network.pool(encoded))
        return _fill(
            tiles,
            lambda batch: self._up(level, _read(encoded, [t.read for t in batch]), below, batch),
        )

    def _up(self, level: int, passed_on: Tensor, below: Tensor, batch: Sequence[Tile]) -> Tensor:
        place = len(self._network.decoder) - 1 - level
        coarse = _read(below, [_scaled(tile.read, 2) for tile in batch])
        upsampled = self._network.upsample[place](coarse)
        decoded: Tensor = self._network.decoder[place](torch.cat([passed_on, upsampled], dim=1))
        return decoded


def _fill(
    tiles: Sequence[Tile],
    features_of: Callable[[Sequence[Tile]], Tensor],
    finish: Callable[[Tensor], Tensor] | None = None,
    report_tile: Callable[[], None] | None = None,
) -> Tensor:
    """Compute tile after tile into one tensor, pooled where `finish` pools."""
    shape = [side.stop for side in tiles[-1].predicted]
    result: Tensor | None = None
    for start in range(0, len(tiles), BATCH):
        batch = tiles[start : start + BATCH]
        features = features_of(batch)
        for place, tile in enumerate(batch):
            inner = _within(tile.predicted, tile.read)
            part = features[place : place + 1, :, *inner]
            part = finish(part) if finish else part
            scale = (inner[0].stop - inner[0].start) // part.shape[2]
            if result is None:
                result = torch.empty(
                    (1, part.shape[1], *[side // scale for side in shape]),
                    dtype=part.dtype,
                    memory_format=torch.channels_last_3d,
                )
            result[:, :, *_scaled(tile.predicted, scale)] = part
            if report_tile:
                report_tile()
    assert result is not None  # a level has at least one tile
    return result


def _read(features: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Cut boxes of one shape out of features, as a batch."""
    return torch.cat([features[:, :, *box] for box in boxes]).contiguous(
        memory_format=torch.channels_last_3d
    )


def _scaled(box: Box, scale: int) -> Box:
    z, y, x = (slice(side.start // scale, side.stop // scale) for side in box)
    return z, y, x


def _within(box: Box, around: Box) -> Box:
    z, y, x = (
        slice(side.start - outer.start, side.stop - outer.start)
        for side, outer in zip(box, around, strict=True)
    )
    return z, y, x


def _widened(start: int, side: int, length: int, halo: int) -> slice:
    """A part of an axis with its halo, which is moved at the ends so that all are equally long."""
    if halo == 0:
        return slice(start, min(length, start + side))
    size = min(length, side + 2 * halo)
    first = min(max(0, start - halo), length - size)
    return slice(first, first + size)


def _without_normalisation(network: UNet3D) -> UNet3D:
    """A copy whose convolutions have taken in the batch normalisation that follows them."""
    fused = copy.deepcopy(network)
    for block in [*fused.encoder, *fused.decoder]:
        for place, layer in enumerate(block):
            if isinstance(layer, nn.BatchNorm3d):
                block[place - 1] = fold_normalisation(block[place - 1], layer)
                block[place] = nn.Identity()
    inner_last: UNet3D = fused.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return inner_last
