"""Tiles of a level: what one pass over the whole image gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.boundary import UNet3D, tiles
from electrode_grains.boundary.tiles import count_tiles, divide_level, tiled_probabilities


def lively(channels, depth, norm):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = UNet3D(channels, 4, depth, norm)
        for _ in range(3):  # running means and variances far from 0 and 1
            network(2 + 3 * torch.randn(2, channels, 8, 16, 16))
    return network.eval()


@settings(max_examples=25, deadline=None)
@given(
    cells=st.tuples(*[st.integers(1, 7)] * 3),
    channels=st.integers(1, 3),
    depth=st.integers(1, 3),
    norm=st.sampled_from(["batch", "none"]),
    features=st.sampled_from([1, 3_000, 20_000]),
)
def test_tiles_give_what_one_pass_gives(cells, channels, depth, norm, features):
    network = lively(channels, depth, norm)
    sides = [count * network.pooling for count in cells]
    image = torch.from_numpy(np.random.default_rng(1).normal(size=(1, channels, *sides))).float()
    visited = []

    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(tiles, "_FEATURES", features)
        tiled = tiled_probabilities(network, image, lambda: visited.append(1))
        expected = count_tiles(network, sides)
        whole = network(image).softmax(dim=1)

    np.testing.assert_allclose(tiled.numpy(), whole.numpy(), atol=2e-6)  # rounding of float32
    assert len(visited) == expected or expected == 1


@settings(max_examples=100, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 60).map(lambda half: 2 * half)] * 3),
    width=st.integers(1, 5_000),
)
def test_tiles_cover_a_level_once_and_read_boxes_of_one_shape(shape, width):
    covered = np.zeros(shape, np.uint8)
    divided = divide_level(shape, width)

    for tile in divided:
        covered[tile.predicted] += 1
        assert all(side.start % 2 == 0 for side in (*tile.predicted, *tile.read, *tile.around))
        for axis, length in enumerate(shape):
            inner, read, around = (box[axis] for box in (tile.predicted, tile.read, tile.around))
            assert 0 <= read.start <= max(0, inner.start - 2)
            assert read.stop >= min(length, inner.stop + 2)
            assert around.start <= max(0, read.start - 2)
            assert around.stop >= min(length, read.stop + 2)

    assert (covered == 1).all()
    assert len({tuple(s.stop - s.start for s in tile.read) for tile in divided}) == 1


def test_tiles_hold_what_was_asked_and_come_in_pairs():
    divided = divide_level((96, 224, 240), width=12)
    voxels = [np.prod([side.stop - side.start for side in tile.predicted]) for tile in divided]

    assert max(voxels) * 12 <= 2_000_000
    assert len(divided) % 2 == 0
