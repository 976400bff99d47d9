"""Loops of the watershed against what their definition says of small images."""

import numpy as np
import pytest

from electrode_grains.grains import boundary_agreement
from electrode_grains.grains.block_kernels import least_edges, spanning_edges


def ranked(seed, shape=(5, 6, 7)):
    """An image with ties, its layers, basins of some voxels, and the inner ones of its block."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 4, shape).astype(np.float32)
    layer = rng.integers(0, 3, shape).astype(np.int32)
    basins = rng.integers(-1, 5, shape).astype(np.int64)
    is_inner = np.zeros(shape, bool)
    is_inner[1:-1, 1:-1, 1:-1] = True
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    return image.ravel(), layer.ravel(), basins.ravel(), np.flatnonzero(is_inner), strides


def edges_by_definition(image, layer, basins, inner, steps):
    """Least edge of each two basins: by its later voxel, then by its earlier one."""
    found = {}
    for voxel in inner:
        for near in voxel + steps:
            pair = tuple(sorted((int(basins[voxel]), int(basins[near]))))
            if pair[0] < 0 or pair[0] == pair[1]:
                continue
            low, high = sorted((int(voxel), int(near)), key=lambda v: (image[v], layer[v], v))
            key = (image[high], layer[high], high, image[low])
            key += (layer[low], low) if image[low] == image[high] else (low,)
            if pair not in found or key < found[pair][0]:
                found[pair] = key, (high, low)
    return {pair: edge for pair, (_, edge) in found.items()}


@pytest.mark.parametrize("seed", range(6))
def test_the_least_edge_between_two_basins_is_found_whatever_the_size_of_the_table(seed):
    image, layer, basins, inner, steps = ranked(seed)
    expected = edges_by_definition(image, layer, basins, inner, steps)
    for size in (4, 8, 16, 32, 64):
        keys, (greater, lesser) = np.full(size, -1, np.int64), np.empty((2, size), np.int32)
        count = least_edges(image, layer, basins, inner, steps, keys, greater, lesser)
        if 4 * len(expected) > 3 * size:
            assert count == -1
            continue
        assert count == len(expected)
        used = np.flatnonzero(keys >= 0)
        assert {
            (int(keys[k] >> 32), int(keys[k] & 0xFFFFFFFF)): (int(greater[k]), int(lesser[k]))
            for k in used
        } == expected


def test_edges_that_close_a_ring_span_nothing():
    first, second = np.array([0, 1, 0, 3, 2, 4]), np.array([1, 2, 2, 4, 3, 4])
    assert spanning_edges(first, second, 6).tolist() == [True, True, False, True, True, False]


@pytest.mark.parametrize("axis", [1, 2])
def test_a_drawn_line_is_met_within_the_tolerance_along_both_axes_of_its_slice_alone(axis):
    labels = np.ones((2, 9, 9), int)
    labels[:, 5:] = 2  # the faces of two grains: rows 4 and 5
    drawn = np.full((2, 9, 9), 2, np.uint8)
    drawn[0, 1] = 1
    drawn[1, 7] = 1
    if axis == 2:
        labels, drawn = labels.transpose(0, 2, 1), drawn.transpose(0, 2, 1)
    expected = {1: (0.0, 0.0), 2: (0.25, 0.5), 3: (0.75, 1.0), 4: (1.0, 1.0)}
    for tolerance, (precision, recall) in expected.items():
        found = boundary_agreement(labels, drawn, tolerance=tolerance)
        assert found["boundary_precision"] == precision
        assert found["boundary_recall"] == recall
    shifted = boundary_agreement(labels, np.where(drawn == 1, 2, drawn), tolerance=1)
    assert shifted["boundary_f1"] is None
