"""What must not change cells and grains, and what must change them in a known way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import cKDTree

from electrode_grains.errors import SettingsError
from electrode_grains.tessellation import (
    ArchitectureSettings,
    generate_particle,
    join_fragments,
    laguerre_labels,
    nearest_cell,
)
from electrode_grains.tessellation.laguerre import CellArchitecture, scatter_seeds, voxel_points
from electrode_grains.tessellation.particle import _neighbours, _relax, _unite

few = settings(max_examples=20)
chance = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@few
@given(rng=chance)
def test_equal_weights_give_the_nearest_seed(rng):
    seeds, points = rng.random((12, 3)), rng.random((60, 3))
    found = nearest_cell(points, seeds, np.full(12, 0.3))
    assert (found == cKDTree(seeds).query(points)[1]).all()


@few
@given(rng=chance, constant=st.floats(-5, 5), scale=st.floats(0.1, 50))
def test_cells_follow_their_seeds(rng, constant, scale):
    seeds, weights, points = rng.random((12, 3)), rng.random(12) * 0.1, rng.random((60, 3))
    cells = nearest_cell(points, seeds, weights)
    order, shift = rng.permutation(12), rng.uniform(-9, 9, 3)
    assert (order[nearest_cell(points, seeds[order], weights[order])] == cells).all()
    assert (nearest_cell(points + shift, seeds + shift, weights) == cells).all()
    assert (nearest_cell(points, seeds, weights + constant) == cells).all()
    assert (nearest_cell(points * scale, seeds * scale, weights * scale**2) == cells).all()
    assert (nearest_cell(points[:, ::-1], seeds[:, ::-1], weights) == cells).all()


def test_a_weight_moves_the_plane_between_two_cells_by_its_share():
    # |x|^2 - w = |x - 10|^2 at x = 5 + w / 20.
    points = np.array([[6.99, 3, -2], [7.01, 3, -2]])
    assert nearest_cell(points, [[0, 0, 0], [10, 0, 0]], [40, 0]).tolist() == [0, 1]


def test_a_cell_can_be_empty():
    labels = laguerre_labels([[0, 0, 0], [10, 0, 0]], [200, 0], (3, 3, 11), (1, 1, 1))
    assert (labels == 1).all()


@few
@given(rng=chance)
def test_voxels_lie_where_spacing_and_axis_order_say(rng):
    shape, spacing = (3, 4, 5), (30.0, 20.0, 10.0)
    seeds, weights = rng.uniform(0, 70, (6, 3)), rng.uniform(0, 300, 6)
    labels = laguerre_labels(seeds, weights, shape, spacing)
    for z, y, x in np.ndindex(shape):
        power = ((seeds - [10 * x, 20 * y, 30 * z]) ** 2).sum(axis=1) - weights
        assert power[labels[z, y, x] - 1] == pytest.approx(power.min())
    assert voxel_points(shape, spacing)[[0, 1, 5, 20]].tolist() == [
        [0, 0, 0], [10, 0, 0], [0, 20, 0], [0, 0, 30],
    ]  # fmt: skip


@pytest.mark.parametrize(("seeds", "weights"), [(np.empty((0, 3)), []), (np.eye(3), [1.0, 2.0])])
def test_seeds_without_weights_are_refused_with_both_counts(seeds, weights):
    with pytest.raises(SettingsError, match=f"{len(seeds)} seeds and {len(weights)} weights"):
        nearest_cell(np.zeros((1, 3)), seeds, weights)


@few
@given(rng=chance)
def test_a_linear_warp_maps_points_linearly(rng):
    # Displacements (x, y, z) that are linear in place are interpolated exactly.
    slope, step, origin = rng.uniform(-0.3, 0.3, (3, 3)), 5.0, (-10.0, -20.0, -30.0)
    z, y, x = np.indices((14, 12, 10)) * step
    nodes = np.stack([x + origin[0], y + origin[1], z + origin[2]])
    warp = np.einsum("ij,jzyx->izyx", slope, nodes).astype(np.float32)
    seeds, weights, points = rng.uniform(-8, 8, (9, 3)), rng.random(9), rng.uniform(-8, 8, (40, 3))
    owner = np.array([3, 3, 1, 2, 2, 1, 4, 5, 5], np.int32)
    cells = CellArchitecture(seeds, weights, owner, warp, step, origin)
    moved = points @ (np.eye(3) + slope).T
    power = ((moved[:, None] - seeds) ** 2).sum(axis=2) - weights
    chosen = power[np.arange(40), cells.cell_at(points)]
    np.testing.assert_allclose(chosen, power.min(axis=1), atol=1e-3)
    assert (cells.grain_at(points) == owner[cells.cell_at(points)]).all()


def test_relaxation_lowers_the_energy_of_lloyd_and_leaves_empty_cells():
    rng = np.random.default_rng(1)
    lower, upper = np.zeros(3), np.array([10.0, 20.0, 30.0])
    seeds = np.vstack([rng.uniform(lower, upper, (40, 3)), [[500.0, 0, 0]]])
    relaxed = _relax(seeds, np.zeros(41), lower, upper, 8, rng)
    points = rng.uniform(lower, upper, (5000, 3))
    before, after = ((cKDTree(each).query(points)[0] ** 2).mean() for each in (seeds, relaxed))
    assert after < 0.85 * before
    assert relaxed[-1].tolist() == [500, 0, 0]
    assert ((relaxed[:-1] >= lower) & (relaxed[:-1] <= upper)).all()


@few
@given(rng=chance, count=st.integers(1, 40), share=st.sampled_from([0.0, 0.1, 0.3]))
def test_unions_are_pairs_of_neighbours_and_as_many_as_asked_for(rng, count, share):
    seeds = rng.random((count, 3))
    grains = _unite(seeds, share, rng)
    members = np.bincount(grains)[1:]
    assert members.min() == 1 or share > 0
    assert members.max() <= 2
    neighbours = _neighbours(seeds)
    pairs = [np.flatnonzero(grains == grain + 1) for grain in np.flatnonzero(members == 2)]
    assert all(b in neighbours[a] and a in neighbours[b] for a, b in pairs)
    wanted = round(share * count)
    assert len(pairs) == wanted if count >= 20 or share == 0 else len(pairs) <= wanted


@few
@given(rng=chance)
def test_seeds_fill_a_box_without_preference(rng):
    lower, upper = np.array([-3.0, 5.0, 0.0]), np.array([7.0, 25.0, 30.0])
    seeds = scatter_seeds(lower, upper, 10.0, 0.5, rng)
    assert len(seeds) == 600
    assert cKDTree(seeds).query(seeds, 2)[0][:, 1].min() >= 0.5 * 10 ** (1 / 3)
    share = (seeds - lower) / (upper - lower)
    assert ((share >= 0) & (share <= 1)).all()
    # Standard error of a mean of 600 uniform shares: 0.29 / sqrt(600) = 0.012.
    assert np.abs(share.mean(axis=0) - 0.5).max() < 0.07


@few
@given(rng=chance, background=st.booleans())
def test_joined_grains_are_connected_and_leave_no_hole(rng, background):
    labels = rng.integers(0 if background else 1, 6, (3, 6, 7)).astype(np.int32) * 30_000
    joined = join_fragments(labels)
    present = np.unique(joined)
    first = present.min()
    assert (present == np.arange(first, first + len(present))).all()
    assert all(ndimage.label(joined == grain)[1] == 1 for grain in present[present > 0])
    assert (joined[labels == 0] == 0).all()
    if not background:
        assert (joined > 0).all()
    assert (join_fragments(joined) == joined).all()


def test_chips_that_touch_each_other_most_leave_no_hole():
    labels = np.array([[[2, 2, 2, 1, 1, 2, 2], [3, 3, 3, 1, 1, 3, 3]]], np.int32)
    joined = join_fragments(labels)
    assert joined.tolist() == [[[2, 2, 2, 1, 1, 1, 1], [3, 3, 3, 1, 1, 1, 1]]]


def test_an_empty_window_stays_empty_and_a_lone_grain_whole():
    assert not join_fragments(np.zeros((2, 3, 4), np.int32)).any()
    assert (join_fragments(np.full((2, 3, 4), 90_000, np.int32)) == 1).all()


def test_a_particle_follows_its_seed_and_has_no_hole():
    small = ArchitectureSettings(mean_diameter_nm=200.0, diameter_shape_nm=1500.0)
    made = [
        generate_particle((12, 20, 24), (40, 30, 20), np.random.default_rng(seed), small)
        for seed in (5, 5, 6)
    ]
    assert (made[0] == made[1]).all()
    assert (made[0] != made[2]).any()
    assert all(grains.min() == 1 for grains in made)
