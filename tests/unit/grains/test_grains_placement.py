import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from electrode_grains.errors import InputError
from electrode_grains.grains import SegmentationSettings, adapted_rand_error, place_interfaces
from electrode_grains.grains.placement import COLOURS, LEAST_PROBABILITY


def place(labels, probability, **changes):
    return place_interfaces(labels, probability, settings=SegmentationSettings(**changes))


def drawn_classes(labels):
    """Class of every voxel as an annotator would draw it, slice by slice."""
    padded = np.pad(labels, ((0, 0), (1, 1), (1, 1)), mode="edge")
    inner = padded[:, 1:-1, 1:-1]
    sides = [
        padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:],
    ]  # fmt: skip
    apart = np.any([side != inner for side in sides], axis=0)
    return np.where(labels == 0, 2, np.where(apart, 0, 1))


def energy(labels, probability, interface_cost):
    chosen = np.take_along_axis(probability, drawn_classes(labels)[None], axis=0)[0]
    faces = 0
    for axis in range(3):
        a, b = labels.take(range(labels.shape[axis] - 1), axis), labels.take(
            range(1, labels.shape[axis]), axis
        )  # fmt: skip
        faces += ((a != b) & (a > 0) & (b > 0)).sum()
    cost = -np.log(np.clip(chosen, LEAST_PROBABILITY, 1))
    return cost[labels > 0].sum() + interface_cost * faces


def probability_of(labels, trust=0.9):
    classes = drawn_classes(labels)
    return np.where(classes == np.arange(3)[:, None, None, None], trust, (1 - trust) / 2)


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(4)
    seeds = rng.random((25, 3)) * (8, 30, 30)
    points = np.stack(np.mgrid[:8, :30, :30], -1).reshape(-1, 1, 3)
    return (((points - seeds) ** 2).sum(-1).argmin(1) + 1).reshape(8, 30, 30)


def test_interfaces_return_to_where_they_were_drawn(cells):
    # A flood that is off by one voxel in one direction.
    flooded = np.roll(cells, 1, axis=2)
    flooded[:, :, 0] = cells[:, :, 0]

    placed, moved = place(flooded, probability_of(cells), interface_cost=0.1)

    assert adapted_rand_error(flooded, cells) > 0.15
    assert adapted_rand_error(placed, cells) < 0.2 * adapted_rand_error(flooded, cells)
    assert moved > 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), interface_cost=st.floats(0, 2))
def test_no_sweep_makes_the_slices_less_probable(seed, interface_cost):
    rng = np.random.default_rng(seed)
    labels = ndimage.zoom(rng.integers(0, 5, (2, 3, 3)), 3, order=0)
    probability = rng.dirichlet(np.ones(3), labels.shape).transpose(3, 0, 1, 2)
    before = energy(labels, probability, interface_cost)

    for _ in range(3):
        labels, moved = place(labels, probability, interface_cost=interface_cost, place_sweeps=1)
        after = energy(labels, probability, interface_cost)
        assert after < before or (moved == 0 and after == pytest.approx(before, abs=1e-3))
        before = after


def test_voxels_of_one_colour_do_not_see_each_other():
    z, y, x = np.mgrid[:5, :5, :5]
    colour = (x + 2 * y + z) % COLOURS
    same = colour == colour[2, 2, 2]
    same[2, 2, 2] = False
    in_slice = np.abs(y - 2) + np.abs(x - 2)

    assert not (same & (z == 2) & (in_slice <= 2)).any()
    assert not (same & (np.abs(z - 2) == 1) & (in_slice == 0)).any()


def test_what_is_no_grain_stays_none(cells):
    holed = np.where(cells % 4 == 0, 0, cells)
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(3), cells.shape).transpose(3, 0, 1, 2)

    placed, _ = place(holed, probability, interface_cost=0.2)

    assert np.array_equal(placed > 0, holed > 0)


def test_an_interface_without_sweeps_stays(cells):
    placed, moved = place(cells, np.full((3, *cells.shape), 1 / 3), place_sweeps=0)
    assert moved == 0
    assert len(np.unique(placed)) == len(np.unique(cells))


def test_what_does_not_fit_is_refused(cells):
    with pytest.raises(InputError, match=r"\(2, 8, 30, 30\)"):
        place(cells, np.zeros((2, *cells.shape)))
