import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.tessellation import (
    PowerDiagram,
    Roughness,
    fit_volumes,
    laguerre_labels,
    voxel_points,
)

few = settings(max_examples=15, deadline=None)
chance = st.integers(0, 2**32 - 1).map(np.random.default_rng)
SHAPE, SPACING = (19, 24, 41), (30.0, 20.0, 10.0)
EXTENT = np.array([410.0, 480.0, 570.0])


def metrics(count, rng, spread=0.4):
    turn = np.linalg.qr(rng.standard_normal((count, 3, 3)))[0]
    axes = np.exp(spread * rng.standard_normal((count, 3)))
    return (turn * axes[:, None]) @ turn.transpose(0, 2, 1)


def drawn(rng, count=25, rough=False):
    heights = Roughness.draw(rng.uniform(0, 4000, count), 60.0, rng) if rough else None
    return PowerDiagram.of(
        rng.uniform(0, 1, (count, 3)) * EXTENT,
        rng.uniform(0, 8000, count),
        metrics(count, rng),
        heights,
    )


@few
@given(rng=chance)
def test_voxels_have_the_cell_of_least_cost(rng):
    cells, origin = drawn(rng), rng.uniform(-50, 50, 3)
    points = voxel_points(SHAPE, SPACING) + origin
    away = points[:, None] - cells.seeds
    cost = np.einsum("pni,nij,pnj->pn", away, cells.matrices, away) - cells.weights
    labels = cells.rasterize(SHAPE, SPACING, origin)
    assert (labels.ravel() == cost.argmin(axis=1) + 1).all()


@few
@given(rng=chance)
def test_blocks_lose_no_rough_cell(rng):
    cells = drawn(rng, rough=True)
    everyone = cells.cell_at(voxel_points(SHAPE, SPACING)).reshape(SHAPE) + 1
    # The two sum in another order: a voxel may lie on an interface to rounding.
    assert (cells.rasterize(SHAPE, SPACING) != everyone).sum() <= 1


@few
@given(rng=chance)
def test_identities_make_a_laguerre_tessellation(rng):
    seeds, weights = rng.uniform(0, 1, (30, 3)) * EXTENT, rng.uniform(0, 9000, 30)
    labels = PowerDiagram.of(seeds, weights).rasterize(SHAPE, SPACING)
    assert (labels == laguerre_labels(seeds, weights, SHAPE, SPACING)).all()


@few
@given(rng=chance, factor=st.floats(0.1, 10))
def test_cells_follow_units_constants_and_common_terms(rng, factor):
    cells = drawn(rng)
    labels = cells.rasterize(SHAPE, SPACING)
    common = metrics(1, rng)[0]
    # x' C x, spread over all costs: (x - s)' (M + C) (x - s) and what is linear in x.
    moved = np.linalg.solve(cells.matrices + common, cells.matrices @ cells.seeds[:, :, None])
    moved = moved[:, :, 0]
    lost = np.einsum("ni,nij,nj->n", cells.seeds, cells.matrices, cells.seeds)
    kept = np.einsum("ni,nij,nj->n", moved, cells.matrices + common, moved)
    scaled = PowerDiagram.of(cells.seeds * factor, cells.weights * factor**2 + 7, cells.matrices)
    same = PowerDiagram.of(moved, cells.weights - lost + kept, cells.matrices + common)
    spacing = tuple(factor * step for step in SPACING)
    assert (scaled.rasterize(SHAPE, spacing) != labels).mean() < 1e-4
    assert (same.rasterize(SHAPE, SPACING) != labels).mean() < 1e-4


def test_a_stronger_metric_makes_an_ellipsoid():
    # x' (M + 1) x - 900 < x' x: the ellipsoid x' M x < 900, half-axes 30, 15 and 10 nm.
    metric = np.diag([1.0, 4.0, 9.0])
    cells = PowerDiagram.of(np.zeros((2, 3)), [900, 0], [metric + np.eye(3), np.eye(3)])
    inside = cells.rasterize((41, 61, 81), (1, 1, 1), origin=(-40, -30, -20)) == 1
    assert inside.sum() == pytest.approx(4 / 3 * np.pi * 30 * 15 * 10, rel=0.01)
    assert [inside.any(axis=axes).sum() for axes in ((0, 1), (0, 2), (1, 2))] == [61, 31, 21]


def test_voxels_outside_the_domain_are_no_grain():
    domain = np.zeros(SHAPE, bool)
    domain[3:9, 5:20, 2:30] = True
    cells = drawn(np.random.default_rng(1))
    labels = cells.rasterize(SHAPE, SPACING, domain=domain)
    assert (labels == np.where(domain, cells.rasterize(SHAPE, SPACING), 0)).all()
    with pytest.raises(InputError, match="another shape"):
        cells.rasterize(SHAPE, SPACING, domain=domain[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": np.zeros((0, 3))}, "0 seeds"),
        ({"weights": [1.0]}, "1 weights"),
        ({"weights": [1.0, np.nan]}, "weight is not finite"),
        ({"matrices": np.triu(np.ones((3, 3)))}, "not symmetric"),
    ],
)
def test_impossible_cells_are_refused(change, message):
    with pytest.raises(SettingsError, match=message):
        PowerDiagram.of(**{"seeds": np.zeros((2, 3)), **change})


def test_a_plane_moves_to_the_share_that_is_asked():
    cells = PowerDiagram.of([[20, 5, 5], [80, 5, 5]])
    volume = 100 * 10 * 10 * np.array([0.23, 0.77])
    found = fit_volumes(cells, volume, (10, 10, 100), (1, 1, 1))
    assert (found.labels == np.where(np.arange(100) < 23, 1, 2)).all()
    # |x - 20|^2 - |x - 80|^2 = w_1 - w_2 where 120 x = 6000 + w_1 - w_2.
    moved = 50 + (found.diagram.weights[0] - found.diagram.weights[1]) / 120
    assert 22 < moved < 23


@pytest.mark.parametrize("rough", [False, True])
def test_volumes_are_met_in_a_domain(rough):
    rng = np.random.default_rng(5)
    points = voxel_points((30, 40, 40), (40, 30, 30)) - [600, 600, 600]
    domain = (np.linalg.norm(points, axis=1) < 590).reshape(30, 40, 40)
    seeds = points[domain.ravel()][rng.choice(domain.sum(), 40, replace=False)] + 600
    heights = Roughness.draw(rng.uniform(0, 3000, 40), 90.0, rng) if rough else None
    cells = PowerDiagram.of(seeds, None, metrics(40, rng, 0.2), heights)
    volumes = rng.gamma(4, size=40)
    volumes *= domain.sum() * 36000 / volumes.sum()
    found = fit_volumes(cells, volumes, (30, 40, 40), (40, 30, 30), domain=domain)
    counts = np.bincount(found.labels.ravel(), minlength=41)
    assert counts[0] == (~domain).sum()
    share = 0.03 if rough else 0.01  # single voxels of rough cells come and go together
    allowed = np.maximum(share * volumes / 36000, 1)
    assert (np.abs(counts[1:] - volumes / 36000) <= allowed).all()
    errors = np.abs(counts[1:] * 36000 / volumes - 1)
    assert found.largest_error == pytest.approx(errors.max())


@pytest.mark.parametrize(
    ("volumes", "error", "message"),
    [
        ([1.0], InputError, "1 volumes"),
        ([500.0, -3.0], InputError, "positive"),
        ([500.0, 100.0], InputError, "do not add up"),
        ([999.5, 0.5], InputError, "smaller than a voxel"),
        ([500.0, 500.0], ComputationError, "stay empty"),
    ],
)
def test_impossible_volumes_are_refused(volumes, error, message):
    cells = PowerDiagram.of([[5, 5, 5], [5, 5, 5]])
    with pytest.raises(error, match=message):
        fit_volumes(cells, volumes, (10, 10, 10), (1, 1, 1))
