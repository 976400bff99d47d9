"""Orientation decides where it is reliable on both sides of a face."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, sparse

from electrode_grains.crystal import LAUE_GROUPS
from electrode_grains.ebsd import OrientationField
from electrode_grains.ebsd.orientations import (
    laue_group,
    misorientation_angle,
    multiply,
    random_orientations,
)
from electrode_grains.errors import InputError
from electrode_grains.grains import (
    SegmentationSettings,
    cut_by_orientation,
    equal_up_to_relabelling,
    link_points,
    orientation_agreement,
    place_interfaces,
    segment_grains_with_report,
)
from electrode_grains.grains.agreement import check_agreement
from electrode_grains.grains.labelling import facing
from electrode_grains.grains.linking import LEAST_LINKED, bodies_inside

SETTINGS = SegmentationSettings(minima_depth=0.02, merge_boundary=0.5, minimum_voxels=8)
CUBIC = SETTINGS.replace(laue_group="m-3m")


def turned(degrees):
    half = np.radians(np.asarray(degrees)) / 2
    return np.stack([np.cos(half), np.sin(half), 0 * half, 0 * half], axis=-1)


@pytest.fixture(scope="module")
def polycrystal():
    """Voronoi grains that fill the window, every point an arbitrary equivalent of its grain's."""
    rng = np.random.default_rng(11)
    shape = (14, 24, 26)
    seeds = rng.random((40, 3)) * shape
    points = np.stack(np.mgrid[tuple(slice(n) for n in shape)], -1).reshape(-1, 1, 3)
    truth = (((points - seeds) ** 2).sum(-1).argmin(1) + 1).reshape(shape)
    group = laue_group("m-3m")
    field = multiply(group[rng.integers(0, 24, shape)], random_orientations(41, rng)[truth])
    noise = np.concatenate([np.ones((*shape, 1)), rng.normal(0, 0.004, (*shape, 3))], -1)
    return truth, multiply(noise / np.linalg.norm(noise, axis=-1, keepdims=True), field)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), laue=st.sampled_from(LAUE_GROUPS))
def test_links_are_those_of_the_misorientation(seed, laue):
    rng = np.random.default_rng(seed)
    shape = (4, 5, 6)
    base = random_orientations(3, rng)[rng.integers(0, 3, shape)]
    small = turned(rng.uniform(0, 10, shape))
    group = laue_group(laue)
    field = multiply(group[rng.integers(0, len(group), shape)], multiply(small, base))
    field[rng.random(shape) < 0.1] = np.nan
    index, links = np.arange(field[..., 0].size).reshape(shape), []
    for low, high in facing(3):
        near = misorientation_angle(field[low], field[high], laue) < np.radians(5)
        links.append(np.column_stack([index[low][near], index[high][near]]))
    first, second = np.concatenate(links).T
    graph = sparse.coo_matrix((np.ones(len(first)), (first, second)), shape=(index.size,) * 2)
    bodies = sparse.csgraph.connected_components(graph, directed=False)[1].reshape(shape)
    large = np.bincount(bodies.ravel())[bodies] >= LEAST_LINKED

    linked = link_points(OrientationField(field, laue_group=laue), settings=SETTINGS)

    assert np.array_equal(linked > 0, large)
    assert equal_up_to_relabelling(linked, np.where(large, bodies + 1, 0))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_no_region_holds_two_bodies_however_the_flood_ran(polycrystal, seed):
    _, field = polycrystal
    rng = np.random.default_rng(seed)
    flood = ndimage.zoom(rng.integers(0, 9, (7, 12, 13)), 2, order=0)

    cut, count = cut_by_orientation(flood, field, settings=CUBIC)

    linked = link_points(OrientationField(field, laue_group="m-3m"), settings=CUBIC)
    inside = (flood > 0) & (bodies_inside(flood > 0, linked) > 0)
    pairs = np.unique(np.column_stack([cut[inside], linked[inside]]), axis=0)
    assert len(pairs) == len(np.unique(pairs[:, 0]))
    assert np.array_equal(cut > 0, flood > 0)
    assert 0 < count <= len(np.unique(flood))


def test_a_network_that_sees_boundaries_everywhere_does_no_harm(polycrystal):
    truth, field = polycrystal
    boundary = np.random.default_rng(2).uniform(0.55, 0.98, truth.shape)
    probability = np.stack([boundary, 1 - boundary, 0 * boundary])

    for mode in ("combined", "orientation"):
        labels, report = segment_grains_with_report(
            probability, settings=CUBIC.replace(merge_mode=mode), orientations=field
        )

        assert equal_up_to_relabelling(labels, truth)
        assert report.interface_voxels_placed == 0
    assert orientation_agreement(labels, field, settings=CUBIC)["high_angle_recall"] == 1


def test_a_bent_grain_stays_one_and_a_bend_beyond_ten_degrees_is_cut():
    for total, expected in ((8, {1}), (40, {3, 4})):
        angle = np.broadcast_to(np.linspace(0, total, 64), (3, 6, 64))
        boundary = np.full(angle.shape, 0.9)
        probability = np.stack([boundary, 1 - boundary, 0 * boundary])
        basins = np.broadcast_to(np.arange(64) // 8 + 1, angle.shape).astype(np.int32)

        labels, _ = segment_grains_with_report(
            probability, settings=SETTINGS, orientations=turned(angle), basins=basins
        )

        assert labels.max() in expected


def test_a_reliable_voxel_stays_where_it_is():
    rng = np.random.default_rng(0)
    labels = ndimage.zoom(rng.integers(1, 5, (2, 4, 4)), 4, order=0)
    probability = rng.dirichlet(np.ones(3), labels.shape).transpose(3, 0, 1, 2)
    fixed = rng.random(labels.shape) < 0.5
    free, _ = place_interfaces(labels, probability, settings=SETTINGS)

    placed, moved = place_interfaces(labels, probability, settings=SETTINGS, fixed=fixed)

    names = {int(old): int(new) for old, new in zip(labels[fixed], placed[fixed], strict=True)}
    assert [names[int(old)] for old in labels[fixed]] == placed[fixed].tolist()
    assert 0 < moved < (labels.size - fixed.sum())
    assert not equal_up_to_relabelling(free, placed)


def test_united_grains_are_counted_and_warned_of(polycrystal):
    truth, field = polycrystal
    united = np.where(truth % 2 == 0, truth - 1, truth)

    right = orientation_agreement(truth, field, settings=CUBIC)
    wrong = orientation_agreement(united, field, settings=CUBIC)

    assert right["high_angle_recall"] == 1
    assert right["second_orientation_share"] == 0
    assert check_agreement(right) == ()
    neighbours = [(a, a + 1) for a in range(1, 40, 2)]
    assert wrong["high_angle_recall"] < 0.97
    assert wrong["second_orientation_share"] > 0.5 * len(neighbours) / 20
    assert "boundaries are missing" in check_agreement(wrong)[0]
    assert "second orientation" in check_agreement(wrong)[1]


def test_volumes_that_do_not_fit_are_refused(polycrystal):
    truth, field = polycrystal
    with pytest.raises(InputError, match=r"(?s)orientations and labels.*\(13, 24, 26\)"):
        cut_by_orientation(truth[1:], field, settings=CUBIC)
    with pytest.raises(InputError, match="orientations and labels"):
        orientation_agreement(truth[1:], field, settings=CUBIC)
    with pytest.raises(InputError, match="fixed voxels"):
        place_interfaces(truth, np.zeros((3, *truth.shape)), settings=CUBIC, fixed=truth[1:] > 0)
