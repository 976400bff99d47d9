"""The flood by block gives the labels of the flood in core."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from electrode_grains.blocks import SerialExecutor, ThreadExecutor
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import flood_by_block, flood_from_minima


def by_block(image, depth, edge, mask=None, executor=None):
    labels = np.full(image.shape, -1, np.int32)
    flood = flood_by_block(
        image, depth, labels, executor=executor or SerialExecutor(), block_edge=edge, mask=mask
    )
    assert flood.basins == labels.max()
    return labels


def sha256(labels):
    return hashlib.sha256(labels.tobytes()).hexdigest()


def smooth_noise(shape, levels=None, seed=5):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 2.5)
    noise = (noise - noise.min()) / np.ptp(noise)
    return np.float32(noise if levels is None else np.round(noise * levels) / levels)


@pytest.mark.parametrize("edge", [17, 25, 31, 48, 100])
@pytest.mark.parametrize("levels", [None, 20])
def test_labels_have_the_digest_of_those_in_core(edge, levels):
    image = smooth_noise((52, 60, 101), levels)

    assert sha256(by_block(image, 0.05, edge)) == sha256(flood_from_minima(image, 0.05))


@given(
    shape=st.tuples(*[st.integers(1, 8)] * 3),
    levels=st.sampled_from([1, 2, 3, 8]),
    depth=st.sampled_from([0.0, 0.2, 0.5]),
    edge=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.3]),
)
def test_plateaus_walls_and_ties_are_flooded_as_in_core(shape, levels, depth, edge, seed, share):
    generator = np.random.default_rng(seed)
    image = np.float32(generator.integers(0, levels + 1, shape) / levels)
    mask = generator.random(shape) >= share

    np.testing.assert_array_equal(
        by_block(image, depth, edge, mask), flood_from_minima(image, depth, mask)
    )


def test_a_grain_through_all_blocks_is_one_basin():
    image = np.ones((20, 20, 20), np.float32)
    path = [(z, y, x) for z in range(0, 20, 2) for y in range(20) for x in (0, 19)]
    for z, y, x in path:  # a meander
        image[z, y, x] = image[z, y, :].min()
        image[z, y, :] = 0.1
    image[:, 0, 0] = 0.1

    labels = by_block(image, 0.05, 5)

    np.testing.assert_array_equal(labels, flood_from_minima(image, 0.05))
    assert len({labels[tuple(box)] for box in np.argwhere(image < 0.5)}) == 1


def test_a_plateau_that_winds_through_blocks_is_shared_as_in_core():
    image = np.full((3, 30, 30), 9.0, np.float32)
    image[1, ::2] = 5
    image[1, 1::4, -1] = image[1, 3::4, 0] = 5  # a corridor of equal height
    image[1, 0, 0], image[1, -2, -1] = 1, 2

    np.testing.assert_array_equal(by_block(image, 0.5, 7), flood_from_minima(image, 0.5))


def test_threads_give_the_same_labels():
    image = smooth_noise((40, 41, 42))

    np.testing.assert_array_equal(
        by_block(image, 0.03, 16, executor=ThreadExecutor(3)), flood_from_minima(image, 0.03)
    )


def test_integers_and_float64_are_compared_as_in_core():
    image = np.random.default_rng(3).integers(0, 5, (9, 9, 9))

    for kind in (np.uint8, np.int64, np.float64):
        np.testing.assert_array_equal(
            by_block(image.astype(kind), 1, 4), flood_from_minima(image.astype(kind), 1)
        )


def test_nothing_to_flood_gives_no_basin():
    assert not by_block(np.ones((4, 4, 4)), 0.1, 3, np.zeros((4, 4, 4), bool)).any()


def test_a_voxel_that_is_not_finite_is_named_by_its_place_in_the_volume():
    image = np.ones((6, 6, 6))
    image[5, 4, 3] = np.nan

    with pytest.raises(InputError, match=r"\(5, 4, 3\)"):
        by_block(image, 0.1, 4)


def test_impossible_arguments_are_refused():
    with pytest.raises(SettingsError, match="-1"):
        by_block(np.ones((2, 2, 2)), -1, 2)
    with pytest.raises(InputError, match="mask"):
        by_block(np.ones((2, 2, 2)), 0.1, 2, np.ones((2, 2, 3), bool))
    with pytest.raises(InputError, match="shape"):
        by_block(np.ones((2, 2)), 0.1, 2)
