import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.errors import InputError
from electrode_grains.grains import (
    VoidSettings,
    equal_up_to_relabelling,
    find_voids,
    measure_voids,
)

EVERY = VoidSettings(enclosed_only=False, crack_voxels=1, minimum_voxels=0)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**16), axis=st.integers(0, 2), axes=st.permutations([0, 1, 2]))
def test_voids_turn_with_the_volume_and_overlap_no_grain(seed, axis, axes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (5, 6, 7)) * rng.integers(0, 2, (5, 6, 7))

    def turned(volume):
        return np.flip(volume, axis).transpose(axes)

    voids = find_voids(labels, labels == 0, settings=EVERY)
    again = find_voids(turned(labels), turned(labels == 0), settings=EVERY)

    assert equal_up_to_relabelling(again, turned(voids))
    assert not ((voids > 0) & (labels > 0)).any()  # so that grains, voids and outside add up


@pytest.mark.parametrize(("minimum", "found"), [(27, [27, 60]), (28, [60]), (61, [])])
def test_cavities_of_known_size_are_found_from_the_minimum_on(minimum, found):
    labels = np.full((11, 12, 13), 4)
    labels[1:4, 1:4, 1:4] = 0
    labels[5:8, 5:9, 5:10] = 0

    voids = find_voids(labels, labels == 0, settings=VoidSettings(minimum_voxels=minimum))
    table, summary = measure_voids(voids, labels, (10.0, 20.0, 30.0))

    assert table["voxel_count"].tolist() == found
    assert table["volume_nm3"].tolist() == [6000.0 * size for size in found]
    assert table["enclosed"].all()
    assert summary.void_count == len(found)
    inside = (labels > 0) | (voids > 0)
    assert summary.void_share == pytest.approx(sum(found) / inside.sum())
    if found:  # the middle of voxels 5 to 7, 5 to 8 and 5 to 9
        middle = table[["centroid_x_nm", "centroid_y_nm", "centroid_z_nm"]].to_numpy()[-1]
        assert middle.tolist() == pytest.approx([7 * 30.0, 6.5 * 20.0, 6 * 10.0])


@pytest.mark.parametrize(("minimum", "found"), [(0, 2), (1, 2), (2, 1), (3, 0)])
def test_voids_of_one_voxel_are_found_where_none_is_too_small(minimum, found):
    labels = np.full((9, 9, 9), 4)
    labels[3, 3, 3] = 0
    labels[5, 5, 5:7] = 0

    voids = find_voids(labels, labels == 0, settings=VoidSettings(minimum_voxels=minimum))

    assert voids.max() == found


def test_a_void_within_a_grain_is_refused_with_what_was_found():
    with pytest.raises(InputError, match=r"(?s)\(1, 1, 2\).*grains 0 where a void is"):
        measure_voids(np.array([[[1, 0]]]), np.array([[[1, 1]]]), (1.0, 1.0, 1.0))


def dark_body(shape, quality):
    """A cube of grains whose outer layer is outside (quality 10), with a dark body inside."""
    labels = np.ones((14, 14, 14), np.int32)
    labels[0] = 0
    image = np.where(labels > 0, 100.0, 10.0)
    body = tuple(slice(4, 4 + size) for size in shape)
    image[body] = quality
    return labels, image, body


@pytest.mark.parametrize(
    ("shape", "quality", "found"),
    [
        ((3, 3, 3), 54.9, 27),  # the middle of 100 and 10
        ((3, 3, 3), 55.0, 0),
        ((3, 3, 2), 20.0, 0),  # as thin as a boundary
        ((5, 4, 3), 20.0, 60),
    ],
)
def test_dark_bodies_as_thick_as_three_voxels_are_voids_though_the_network_saw_none(
    shape, quality, found
):
    labels, image, body = dark_body(shape, quality)

    voids = find_voids(labels, labels == 0, image, settings=VoidSettings(minimum_voxels=1))

    assert (voids > 0).sum() == found
    assert (voids[body] > 0).all() == (found > 0)


def test_a_dark_tail_belongs_to_its_void_over_two_voxels():
    labels, image, body = dark_body((3, 3, 3), 20.0)
    image[5, 5, 7:12] = 20.0

    voids = find_voids(labels, labels == 0, image, settings=VoidSettings(minimum_voxels=1))

    expected = np.zeros(labels.shape, bool)
    expected[body] = True
    expected[5, 5, 7:9] = True
    assert np.array_equal(voids > 0, expected)


@pytest.mark.parametrize(("index", "is_void"), [(0.099, True), (0.1, False), (np.nan, True)])
def test_what_was_indexed_with_confidence_is_no_void(index, is_void):
    labels, image, body = dark_body((3, 3, 3), 20.0)
    confidence = np.full(labels.shape, 0.9)
    confidence[body] = index

    voids = find_voids(
        labels, labels == 0, image, confidence, settings=VoidSettings(minimum_voxels=1)
    )

    assert (voids > 0).any() == is_void


def test_image_quality_tells_nothing_where_the_outside_is_not_darker_or_not_seen():
    labels, image, _ = dark_body((3, 3, 3), 20.0)
    brighter = np.where(labels > 0, image, 101.0)
    unseen = np.where(labels > 0, image, np.nan)
    everywhere = np.ones(labels.shape, np.int32)
    rule = VoidSettings(minimum_voxels=1)

    assert not find_voids(labels, labels == 0, brighter, settings=rule).any()
    assert not find_voids(labels, labels == 0, unseen, settings=rule).any()
    assert not find_voids(everywhere, everywhere == 0, image, settings=rule).any()
    assert find_voids(labels, labels == 0, image, settings=rule).any()


def test_nothing_unmeasured_is_a_void():
    labels, image, body = dark_body((3, 3, 3), 20.0)
    measured = np.ones(labels.shape, bool)
    measured[body[0], body[1], 5] = False

    voids = find_voids(
        labels, labels == 0, image, settings=VoidSettings(minimum_voxels=1), measured=measured
    )

    assert not voids[~measured].any()
    assert (voids > 0).sum() == 18


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("reach", [0, 1, 2])
def test_gaps_up_to_twice_the_reach_are_cracks_and_wider_ones_the_surface(axis, reach):
    rule = VoidSettings(enclosed_only=False, crack_voxels=reach, minimum_voxels=1)
    for width in (1, 2, 3, 4, 5):
        labels = np.ones((9, 9, 20), np.int32)
        labels[:, :, 8 : 8 + width] = 0
        labels = np.moveaxis(labels, 2, axis)

        voids = find_voids(labels, labels == 0, settings=rule)

        assert (voids > 0).sum() == (81 * width if width <= 2 * reach else 0)
        assert not find_voids(
            labels, labels == 0, settings=rule.replace(enclosed_only=True)
        ).any()  # it reaches the border of the window


@pytest.mark.parametrize("lost", ["background", "image quality", "confidence", "measured voxels"])
def test_volumes_of_another_shape_are_refused_by_name(lost):
    labels = np.ones((3, 3, 3), np.int32)
    given_ = {name: np.ones(labels.shape) for name in ("background", "image quality", "confidence")}
    given_["measured voxels"] = np.ones(labels.shape, bool)
    given_[lost] = given_[lost][1:]
    measured = given_.pop("measured voxels")

    with pytest.raises(InputError, match=f"labels and {lost} have different shapes"):
        find_voids(labels, *given_.values(), measured=measured)


def test_the_surface_that_a_void_adds_is_its_own_and_that_of_an_open_one_is_less():
    labels = np.ones((12, 12, 12), np.int32)
    labels[:, 0] = 0
    voids = np.zeros(labels.shape, np.int32)
    labels[4:8, 4:8, 4:8], voids[4:8, 4:8, 4:8] = 0, 1  # enclosed
    labels[4:8, 1:2, 4:8], voids[4:8, 1:2, 4:8] = 0, 2  # open to the outside

    table, summary = measure_voids(voids, labels, (50.0, 50.0, 50.0))

    enclosed, opened = table.to_dict("records")
    assert [enclosed["void"], enclosed["enclosed"], opened["enclosed"]] == [1, True, False]
    # Of areas by the Crofton formula those of an enclosed void and its grains are the same.
    assert enclosed["grain_interface_area_nm2"] == pytest.approx(enclosed["surface_area_nm2"])
    assert 0 < opened["grain_interface_area_nm2"] < opened["surface_area_nm2"]
    assert summary.void_volume_um3 == pytest.approx((64 + 16) * 50.0**3 / 1e9)
    total = enclosed["surface_area_nm2"] + opened["surface_area_nm2"]
    assert summary.void_surface_area_um2 == pytest.approx(total / 1e6)
    assert enclosed["surface_area_nm2"] / 1e6 < summary.added_surface_area_um2
    assert summary.added_surface_area_um2 < summary.void_surface_area_um2


def test_without_voids_all_sums_are_nought_and_columns_stay():
    labels = np.ones((3, 3, 3), np.int32)

    table, summary = measure_voids(0 * labels, labels, (1.0, 1.0, 1.0))

    assert table.empty
    assert "grain_interface_area_nm2" in table
    assert set(summary.model_dump().values()) == {0}
