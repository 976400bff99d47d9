import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from electrode_grains.errors import InputError
from electrode_grains.grains import (
    SegmentationSettings,
    adapted_rand_error,
    equal_up_to_relabelling,
    place_interfaces,
)
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


def energy(labels, probability, between_slices, within):
    chosen = np.take_along_axis(probability, drawn_classes(labels)[None], axis=0)[0]
    faces = 0.0
    for axis in range(3):
        a, b = labels.take(range(labels.shape[axis] - 1), axis), labels.take(
            range(1, labels.shape[axis]), axis
        )  # fmt: skip
        faces += (within if axis else between_slices) * ((a != b) & (a > 0) & (b > 0)).sum()
    cost = -np.log(np.clip(chosen, LEAST_PROBABILITY, 1))
    return cost[labels > 0].sum() + faces


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
@given(seed=st.integers(0, 2**16), costs=st.tuples(st.floats(0, 2), st.floats(0, 2)))
def test_no_sweep_makes_the_slices_less_probable(seed, costs):
    rng = np.random.default_rng(seed)
    labels = ndimage.zoom(rng.integers(0, 5, (2, 3, 3)), 3, order=0)
    probability = rng.dirichlet(np.ones(3), labels.shape).transpose(3, 0, 1, 2)
    before = energy(labels, probability, *costs)

    for _ in range(3):
        changes = dict(zip(("slice_interface_cost", "interface_cost"), costs, strict=True))
        labels, moved = place(labels, probability, place_sweeps=1, **changes)
        after = energy(labels, probability, *costs)
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


Z, Y, X = np.mgrid[:20, :20, :20] - 9.5
BODIES = {
    "along the slices": Z // 5,
    "steep": (Z + 0.3 * Y + 0.2 * X) // 5,
    "slanted": (0.5 * Z + 0.3 * Y + X) // 5,
    "ball": Z**2 + Y**2 + X**2 < 49,
}


@pytest.mark.parametrize("trust", [0.7, 0.9])
@pytest.mark.parametrize("name", BODIES)
def test_laminates_and_a_ball_stay_as_they_were_drawn(name, trust):
    body = np.unique(BODIES[name], return_inverse=True)[1].reshape(X.shape) + 1
    assert place(body, probability_of(body, trust))[1] == 0


def test_faces_between_slices_have_a_cost_of_their_own():
    # A bump of one voxel on a plane along the slices, which no class speaks for or against: it has
    # four faces within its slice, and as many between slices as the plane without it.
    labels = np.where(Z[:8, :9, :9] < -6, 1, 2)
    labels[4, 4, 4] = 1
    unknown = np.full((3, *labels.shape), 1 / 3)

    kept, _ = place(labels, unknown, interface_cost=0.0, slice_interface_cost=2.0)
    flat, _ = place(labels, unknown, interface_cost=0.1, slice_interface_cost=0.0)

    assert kept[4, 4, 4] == kept[3, 4, 4]
    assert flat[4, 4, 4] == flat[5, 4, 4]


def swept_by_definition(labels, probability, costs, stay):
    """Give each voxel of a colour to the neighbour that lowers the whole energy most."""
    faces = [(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
    for colour in range(COLOURS):
        before = labels.copy()
        for z, y, x in np.argwhere((before > 0) & ~stay):
            if (x + 2 * y + z) % COLOURS != colour:
                continue
            tried = {int(before[z, y, x]): energy(before, probability, *costs)}
            for place_ in np.array([z, y, x]) + faces:
                if (place_ >= 0).all() and (place_ < before.shape).all() and before[*place_]:
                    changed = before.copy()
                    changed[z, y, x] = before[*place_]
                    tried[int(before[*place_])] = energy(changed, probability, *costs)
            labels[z, y, x] = min(tried, key=lambda one: tried[one])
    return labels


@pytest.mark.parametrize("seed", range(6))
def test_a_sweep_takes_each_voxel_where_the_whole_energy_is_least(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (3, 4, 6)).astype(np.int32)
    labels.flat[:3] = 1, 2, 3
    probability = rng.dirichlet(np.ones(3), labels.shape).transpose(3, 0, 1, 2)
    stay = rng.random(labels.shape) < 0.2
    costs = (0.15, 0.4)

    placed, moved = place_interfaces(
        labels, probability, fixed=stay,
        settings=SegmentationSettings(
            place_sweeps=1, slice_interface_cost=costs[0], interface_cost=costs[1]
        ),
    )  # fmt: skip

    expected = swept_by_definition(labels.copy(), probability, costs, stay)
    assert moved == (expected != labels).sum() > 0
    assert equal_up_to_relabelling(placed, expected)
