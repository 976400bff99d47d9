"""Loops of the watershed against what their definition says of small images."""

import numpy as np
import pytest
from skimage import measure

from electrode_grains.grains import (
    boundary_agreement,
    equal_up_to_relabelling,
    matched_grain_scores,
)
from electrode_grains.grains.block_kernels import least_edges, spanning_edges
from electrode_grains.grains.labelling import (
    LEVELS,
    centre_distance,
    connected_pieces,
    measure_faces,
    touching_other_grains,
)
from electrode_grains.grains.particle_graph import find_other_bodies
from electrode_grains.grains.voids import _beside_outside


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


def test_grains_touch_other_grains_and_not_the_background():
    labels = np.array([[1, 0, 2, 2, 3, 0]])
    expected = [[False, False, False, True, True, False]]
    assert touching_other_grains(labels).tolist() == expected
    assert touching_other_grains(labels[:, ::-1].T).T.tolist() == [expected[0][::-1]]


def test_bodies_lie_as_far_from_the_centre_as_their_centroids():
    labels = np.zeros((3, 5, 9), np.int32)
    labels[1, 2, 3], labels[1, 2, 5], labels[0, 0, 8] = 1, 2, 3
    found = centre_distance(labels, np.array([0, 0, 0, 1], np.int32))
    assert found == pytest.approx([0.0, np.sqrt(1 + 4 + 16)])
    alone = centre_distance(np.where(labels == 3, 1, 0), np.array([0, 1], np.int32))
    assert alone.tolist() == [np.inf, pytest.approx(np.sqrt(21))]


@pytest.mark.parametrize(("least", "chosen"), [(9, 2), (10, 1), (11, 1)])
def test_the_most_central_body_has_a_tenth_of_the_largest_at_least(least, chosen):
    groups, sizes = np.array([0, 1, 2], np.int32), np.array([0, least, 100])
    counts = {}
    removed = find_other_bodies(
        groups, sizes, "most_central", counts, lambda: np.array([0.5, 1.0, 5.0])
    )
    assert removed.tolist() == [False, chosen != 1, chosen != 2]
    assert counts["other_particle_voxels"] == sizes[removed].sum()


def test_no_grain_found_has_no_precision():
    truth = np.array([[[1, 1, 2, 2]]])
    none = matched_grain_scores(0 * truth, truth)
    assert (none["precision"], none["recall"], none["f1"]) == (0, 0, 0)
    assert matched_grain_scores(truth, 0 * truth)["recall"] == 0


@pytest.mark.parametrize("corner", [(0, 0, 0), (2, 2, 2), (0, 1, 2)])
def test_what_touches_the_outside_over_a_corner_is_beside_it(corner):
    outside = np.zeros((5, 5, 5), bool)
    outside[tuple(1 + np.array(corner))] = True
    found = _beside_outside(outside)
    place = np.stack(np.mgrid[:5, :5, :5], -1)
    near = np.abs(place - (1 + np.array(corner))).max(-1) <= 1
    border = ((place == 0) | (place == 4)).any(-1)  # of the window
    assert np.array_equal(found, near | border)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("own", [None, (3, 2, 4), (2, 4, 5)])
def test_faces_are_counted_by_pair_level_and_direction(seed, own):
    """Of the first voxels along each axis to their next neighbours, against a loop."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, (3, 4, 5)).astype(np.int32)
    values = rng.integers(0, 11, labels.shape) / 10  # at the ends of bins and at 0 and 1
    found = measure_faces(labels, values, own)
    pairs = {}
    for voxel in np.ndindex(*(own or labels.shape)):
        for axis in range(3):
            beside = tuple(place + (axis == k) for k, place in enumerate(voxel))
            if beside[axis] >= labels.shape[axis]:
                continue
            pair = tuple(sorted((int(labels[voxel]), int(labels[beside]))))
            if pair[0] > 0 and pair[0] != pair[1]:
                greater = max(values[voxel], values[beside])
                pairs.setdefault(pair, []).append((greater, axis == 0))
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == sorted(pairs)
    for place, pair in enumerate(sorted(pairs)):
        faces = pairs[pair]
        assert found.faces[place] == len(faces) == found.levels[place].sum()
        assert found.between_slices[place] == sum(is_between for _, is_between in faces)
        assert found.total[place] == pytest.approx(sum(value for value, _ in faces), abs=1e-6)
        mean = (found.levels[place] * (np.arange(LEVELS) + 0.5)).sum() / LEVELS
        assert mean == pytest.approx(sum(v for v, _ in faces), abs=len(faces) * 0.51 / LEVELS)


@pytest.mark.parametrize("seed", range(3))
def test_pieces_are_those_of_scikit_image_in_the_order_of_their_first_voxels(seed):
    labels = np.random.default_rng(seed).integers(0, 3, (4, 5, 6))
    pieces, count = connected_pieces(labels)
    expected = measure.label(labels, background=0, connectivity=1)
    assert equal_up_to_relabelling(pieces, expected)
    assert count == expected.max() == pieces.max()
    firsts = [np.flatnonzero(pieces == piece)[0] for piece in range(1, count + 1)]
    assert firsts == sorted(firsts)
