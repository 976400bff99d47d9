import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from electrode_grains.grains import (
    SegmentationSettings,
    cut_by_orientation,
    equal_up_to_relabelling,
)

SETTINGS = SegmentationSettings(merge_misorientation_degrees=5.0)


def turned_about_x(degrees):
    return Rotation.from_euler("x", degrees, degrees=True).as_quat(scalar_first=True)


def two_orientations(at, degrees, axis):
    """A cube of 8 voxels, turned from a plane on."""
    upper = np.moveaxis(np.broadcast_to(np.arange(8) >= at, (8, 8, 8)), 2, axis)
    return upper, np.where(upper[..., None], turned_about_x(degrees), turned_about_x(0))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("degrees", "cuts"), [(4.9, 0), (5.1, 1), (30.0, 1), (180.0, 0)])
def test_a_cube_is_cut_at_the_plane_where_the_orientation_changes(axis, degrees, cuts):
    upper, field = two_orientations(3, degrees, axis)  # 180 about x: a twofold axis of -3m

    cut, count = cut_by_orientation(np.full((8, 8, 8), 6), field, settings=SETTINGS)

    assert count == cuts
    assert np.array_equal(cut, 1 + (upper if cuts else 0 * upper))


@given(
    seed=st.integers(0, 2**16), axis=st.integers(0, 2), axes=st.permutations([0, 1, 2]),
    at=st.integers(1, 7),
)  # fmt: skip
def test_cuts_turn_with_the_volume_and_are_made_once(seed, axis, axes, at):
    upper, field = two_orientations(at, 20.0, 1)
    corner = np.random.default_rng(seed).integers(1, 8, 3)
    regions = np.ones((8, 8, 8), int)
    regions[tuple(slice(edge) for edge in corner)] = 9
    # Pieces of fewer than 8 voxels go to neighbours, where equals would be decided by order.
    sizes = np.bincount((2 * regions + upper).ravel())
    regions[np.isin(2 * regions + upper, np.flatnonzero(sizes < 8))] = 0

    cut, count = cut_by_orientation(regions, field, settings=SETTINGS)
    again, none = cut_by_orientation(cut, field, settings=SETTINGS)
    turned, same = cut_by_orientation(
        np.flip(regions, axis).transpose(axes),
        np.flip(field, axis).transpose(*axes, 3),
        settings=SETTINGS,
    )

    assert equal_up_to_relabelling(cut, np.where(regions > 0, 2 * regions + upper, 0))
    assert np.array_equal(again, cut)
    assert none == 0
    assert same == count
    assert equal_up_to_relabelling(turned, np.flip(cut, axis).transpose(axes))
