import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from electrode_grains.phantom.annotation import annotate


@given(seed=st.integers(0, 2**16), turns=st.integers(0, 3), names=st.permutations([3, 8, 5]))
def test_a_faultless_annotation_turns_with_the_grains_and_knows_no_names(seed, turns, names):
    labels = np.random.default_rng(seed).integers(0, 4, (6, 7)).astype(np.int32)
    renamed = np.array([0, *names], np.int32)[labels]

    drawn = annotate(labels, 0.0, np.random.default_rng(0))
    again = annotate(np.rot90(renamed, turns).T, 0.0, np.random.default_rng(1))

    np.testing.assert_array_equal(again, np.rot90(drawn, turns).T)
    np.testing.assert_array_equal(drawn == 3, labels == 0)


def test_a_square_grain_has_a_frame_of_boundary_and_the_rest_inside():
    labels = np.zeros((12, 12), np.int32)
    labels[1:11, 1:11] = 4

    drawn = annotate(labels, 0.0, np.random.default_rng(0))

    assert np.bincount(drawn.ravel(), minlength=4).tolist() == [0, 36, 64, 44]
