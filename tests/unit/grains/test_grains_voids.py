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


def test_a_void_within_a_grain_is_refused_with_what_was_found():
    with pytest.raises(InputError, match=r"(?s)\(1, 1, 2\).*grains 0 where a void is"):
        measure_voids(np.array([[[1, 0]]]), np.array([[[1, 1]]]), (1.0, 1.0, 1.0))
