import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import flood_from_minima, h_minima_markers

CROSS = ndimage.generate_binary_structure(3, 1)
SMALL = st.tuples(*[st.integers(1, 5)] * 3)


def smooth_noise(shape, sigma, seed):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


def same_partition(one, other):
    pairs = set(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def minima_by_definition(image, depth):
    """Regional minima of the reconstruction by erosion of f + h over f."""
    filled = reconstruction(image + image.dtype.type(depth), image, "erosion", CROSS)
    filled = filled.astype(image.dtype)
    plateaus = np.zeros(image.shape, np.int32)
    count = 0
    for value in np.unique(filled):
        level, found = ndimage.label(filled == value, CROSS)
        plateaus[level > 0] = level[level > 0] + count
        count += found
    beside = ndimage.minimum_filter(filled, footprint=CROSS, mode="nearest")
    lower = np.zeros(count + 1, bool)
    np.logical_or.at(lower, plateaus, beside < filled)
    return ndimage.label(~lower[plateaus], CROSS)[0]


def forest_by_kruskal(image, depth):
    """Basins by joining voxels over all edges in their order, one after the other."""
    flat = image.ravel()
    index = np.arange(flat.size).reshape(image.shape)
    edges = []
    for axis in range(3):
        a = np.moveaxis(index, axis, 0)[:-1].ravel()
        b = np.moveaxis(index, axis, 0)[1:].ravel()
        edges += zip(a.tolist(), b.tolist(), strict=True)
    # Values are all different, so that values alone order the edges.
    edges.sort(key=lambda e: (max(flat[e[0]], flat[e[1]]), min(flat[e[0]], flat[e[1]])))
    parent = list(range(flat.size))

    def find(v):
        while parent[v] != v:
            v = parent[v]
        return v

    for u, v in edges:
        a, b = sorted((find(u), find(v)), key=lambda r: flat[r])
        if a != b and max(flat[u], flat[v]) <= flat[b] + image.dtype.type(depth):
            parent[b] = a
    roots = np.array([find(v) for v in range(flat.size)])
    _, first, inverse = np.unique(roots, return_index=True, return_inverse=True)
    return (first.argsort().argsort() + 1)[inverse].reshape(image.shape)


def test_two_minima_deeper_than_three_where_scikit_image_finds_three():
    image = [5, 0, 1, 0, 5, 0, 5]

    assert h_minima_markers(image, 3).tolist() == [0, 1, 1, 1, 0, 2, 0]
    assert flood_from_minima(image, 3).max() == 2


@settings(max_examples=150, deadline=None)
@given(image=SMALL.flatmap(lambda s: arrays(np.float32, s, elements=st.integers(0, 6))),
       depth=st.integers(0, 5))  # fmt: skip
def test_markers_are_the_regional_minima_of_the_reconstruction(image, depth):
    found, expected = h_minima_markers(image, depth), minima_by_definition(image, depth)

    assert same_partition(found, expected)
    assert np.array_equal(found > 0, expected > 0)


@settings(max_examples=50, deadline=None)
@given(shape=SMALL, seed=st.integers(0, 2**16), depth=st.floats(0, 1))
def test_markers_of_real_valued_images_are_exact(shape, seed, depth):
    for kind in (np.float32, np.float64):
        image = np.random.default_rng(seed).random(shape).astype(kind)

        found, expected = h_minima_markers(image, depth), minima_by_definition(image, depth)

        assert same_partition(found, expected)
        assert np.array_equal(found > 0, expected > 0)


@settings(max_examples=50, deadline=None)
@given(shape=SMALL, seed=st.integers(0, 2**16), depth=st.floats(0, 1))
def test_basins_are_the_minimum_spanning_forest(shape, seed, depth):
    count = int(np.prod(shape))
    image = np.random.default_rng(seed).permutation(count).reshape(shape).astype(np.float32)
    depth = np.float32(depth * count)

    assert np.array_equal(flood_from_minima(image, depth), forest_by_kruskal(image, depth))


@settings(max_examples=60, deadline=None)
@given(image=SMALL.flatmap(lambda s: arrays(np.float32, s, elements=st.integers(0, 4))),
       depth=st.integers(0, 3))  # fmt: skip
def test_every_basin_is_connected_and_holds_one_marker(image, depth):
    basins, markers = flood_from_minima(image, depth), h_minima_markers(image, depth)

    assert basins.min() == 1
    assert np.array_equal(basins[markers > 0], markers[markers > 0])
    for label in range(1, basins.max() + 1):
        assert ndimage.label(basins == label, CROSS)[1] == 1
        assert (markers == label).any()


@given(seed=st.integers(0, 2**16), scale=st.sampled_from([0.25, 4.0]))
@settings(max_examples=15, deadline=None)
def test_basins_follow_the_unit_of_the_image(seed, scale):
    image = np.random.default_rng(seed).random((4, 5, 6)).astype(np.float32)

    scaled = flood_from_minima(scale * image, scale * 0.2)

    assert np.array_equal(scaled, flood_from_minima(image, 0.2))


def test_smooth_images_give_the_basins_of_scikit_image():
    image = smooth_noise((30, 40, 50), 2.5, 7)

    found = flood_from_minima(image, 0.05)
    expected = watershed(image, h_minima_markers(image, 0.05))

    assert found.max() > 20
    # A voxel that two basins reach at its own height may go to either of them.
    assert (found != expected).mean() < 0.003


def test_basins_turn_with_the_volume():
    image = smooth_noise((12, 14, 16), 1.5, 3)

    turned = flood_from_minima(image.transpose(2, 0, 1)[:, ::-1], 0.02)
    back = turned[:, ::-1].transpose(1, 2, 0)

    assert same_partition(back, flood_from_minima(image, 0.02))


def test_a_wide_plateau_is_shared_from_both_sides():
    image = np.array([[[0, 0, 1, 1, 1, 1, 0, 0]]], np.float32)

    assert flood_from_minima(image, 0.5).tolist() == [[[1, 1, 1, 1, 2, 2, 2, 2]]]


def test_walls_of_a_mask_keep_basins_apart():
    image = np.zeros((1, 1, 5), np.float32)
    image[0, 0, 2] = np.nan  # outside the mask nothing is read

    assert flood_from_minima(image, 0.1, np.isfinite(image)).tolist() == [[[1, 1, 0, 2, 2]]]


def test_a_constant_image_is_one_basin():
    assert (flood_from_minima(np.full((3, 4, 5), 0.5, np.float32), 0) == 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_with_their_place(bad):
    image = np.zeros((3, 4, 5), np.float32)
    image[1, 2, 3] = bad

    with pytest.raises(InputError, match=r"\(1, 2, 3\)"):
        flood_from_minima(image, 0.1)
    with pytest.raises(InputError, match="1 such voxels"):
        h_minima_markers(image, 0.1)


@pytest.mark.parametrize("depth", [-0.1, np.nan, np.inf])
def test_impossible_depths_are_refused(depth):
    with pytest.raises(SettingsError, match=str(depth)):
        flood_from_minima(np.zeros((2, 2, 2)), depth)


def test_images_that_are_no_volumes_are_refused():
    with pytest.raises(InputError, match=r"shape \(0, 2, 2\)"):
        flood_from_minima(np.zeros((0, 2, 2)), 0.1)
    with pytest.raises(InputError, match="complex"):
        flood_from_minima(np.zeros((2, 2, 2), complex), 0.1)
    with pytest.raises(InputError, match=r"\(1, 2, 2\) and \(2, 2, 2\)"):
        flood_from_minima(np.zeros((2, 2, 2)), 0.1, np.ones((1, 2, 2), bool))
