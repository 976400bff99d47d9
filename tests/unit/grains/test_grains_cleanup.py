import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.grains import (
    SegmentationSettings,
    equal_up_to_relabelling,
    flood_from_minima,
    isolate_particle,
    remove_background,
)


def isolate(labels, background, **changes):
    return isolate_particle(labels, background, settings=SegmentationSettings(**changes))


def row(*labels):
    return np.array([[labels]], np.int32)


def test_background_voxels_lose_their_label_and_others_keep_it():
    labels = np.array([[[2**40, 7, 7]]])

    cleared = remove_background(labels, np.array([[[0.2, 0.6, 0.5]]]), 0.5)

    assert cleared.tolist() == [[[2**40, 0, 7]]]


def test_no_shell_of_the_background_survives_around_a_ball():
    z, y, x = np.mgrid[:21, :21, :21] - 10
    radius = np.sqrt(z**2 + y**2 + x**2)
    background = 1 / (1 + np.exp(-(radius - 8) / 0.8))
    boundary = np.exp(-((radius - 7) ** 2) + 0 * x)  # the ridge lies below the surface
    basins = flood_from_minima(boundary, 0.05)
    assert len(np.unique(remove_background(basins, background, 0.5))) == 3  # ball, shell, 0

    grains, report = isolate(basins, background)

    assert grains.max() == report.grains == 1
    assert report.background_regions == 1
    assert np.array_equal(grains > 0, background <= 0.5)  # the rim went to the grain
    bare, report = isolate(basins, background, rim_voxels=0)
    assert report.background_region_voxels == (background <= 0.5).sum() - (bare > 0).sum() > 0


def test_a_fragment_joins_the_neighbour_it_touches_most():
    labels = np.repeat(row(1, 1, 1, 0, 1, 2, 2, 2), 3, axis=1)
    background = (labels == 0).astype(float)

    grains, report = isolate(labels, background, minimum_voxels=5, particle="all")

    assert grains[0, 0].tolist() == [1, 1, 1, 0, 2, 2, 2, 2]
    assert (report.fragments_joined, report.fragment_voxels_joined) == (1, 3)


def test_large_pieces_of_a_cut_region_become_grains():
    labels = np.repeat(row(1, 1, 1, 0, 1, 1), 4, axis=1)

    grains, report = isolate(labels, 0.0 * labels, minimum_voxels=4, particle="all")

    assert grains[0, 0].tolist() == [1, 1, 1, 0, 2, 2]
    assert report.split_regions == 1


def test_bodies_beside_the_particle_go_and_are_counted():
    labels = row(1, 1, 0, 2, 2, 3, 0, 4)

    grains, report = isolate(labels, 0.0 * labels, minimum_voxels=0)

    assert grains.ravel().tolist() == [0, 0, 0, 1, 1, 2, 0, 0]
    assert report.other_particles == report.other_particle_grains == 2
    assert report.other_particle_voxels == 3


def test_the_most_central_particle_can_be_chosen():
    labels = row(1, 1, 1, 1, 0, 2, 2, 2, 0, 0, 0, 0)

    grains, _ = isolate(labels, 0.0 * labels, minimum_voxels=0, particle="most_central")

    assert grains.ravel().tolist() == [0] * 5 + [1] * 3 + [0] * 4


def test_small_grains_join_in_chains_and_isolated_ones_go():
    labels = row(1, 1, 1, 1, 2, 3, 0, 4)

    grains, report = isolate(labels, 0.0 * labels, minimum_voxels=4, particle="all")

    assert grains.ravel().tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    assert (report.small_grains_joined, report.small_grain_voxels_joined) == (2, 2)
    assert (report.small_grains_removed, report.small_grain_voxels_removed) == (1, 1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**16), minimum=st.integers(0, 6), rim=st.integers(0, 2))
def test_no_voxel_is_lost_without_being_counted(seed, minimum, rim):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, (3, 4, 5))
    background = rng.random(labels.shape) * 0.7

    try:
        grains, report = isolate(labels, background, minimum_voxels=minimum, rim_voxels=rim)
    except ComputationError:
        return

    given_voxels = int((labels > 0).sum())
    removed = (
        report.background_voxels
        + report.background_region_voxels
        + report.other_particle_voxels
        + report.small_grain_voxels_removed
    )
    assert given_voxels == report.grain_voxels + removed
    assert report.grain_voxels == (grains > 0).sum()
    faces = ndimage.generate_binary_structure(3, 1)
    for label in range(1, report.grains + 1):
        assert ndimage.label(grains == label, faces)[1] == 1
        assert (grains == label).sum() >= minimum
    assert ndimage.label(grains > 0, faces)[1] == 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_a_clean_result_stays_as_it_is(seed):
    labels = np.random.default_rng(seed).integers(0, 4, (3, 4, 5))
    nothing = np.zeros(labels.shape)
    grains, _ = isolate(labels, nothing, minimum_voxels=3)

    again, report = isolate(grains * 10, nothing, minimum_voxels=3)

    assert np.array_equal(again, grains)
    assert report.split_regions == report.small_grains_joined == 0


def test_what_makes_no_sense_is_refused():
    labels = row(1, 2)
    nothing = 0.0 * labels
    with pytest.raises(ComputationError, match="background_voxels 2"):
        isolate(labels, nothing + 1)
    with pytest.raises(SettingsError, match=r"1\.5"):
        remove_background(labels, nothing, 1.5)
    with pytest.raises(InputError, match="2 NaN"):
        remove_background(labels, nothing * np.nan, 0.5)
    with pytest.raises(InputError, match=r"\(1, 1, 2\) and \(1, 2\)"):
        remove_background(labels, nothing[0], 0.5)
    with pytest.raises(InputError, match="-1"):
        remove_background(-labels + 1, nothing, 0.5)


@given(seed=st.integers(0, 2**16), names=st.permutations([70, 4, 2**40, 9]))
def test_cleaning_knows_no_names_of_regions(seed, names):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, (3, 4, 5))
    background = rng.random(labels.shape) * 0.55

    cleaned = isolate(labels, background, minimum_voxels=3, background_share=0.9)
    renamed = isolate(
        np.array([0, *names])[labels], background, minimum_voxels=3, background_share=0.9
    )

    assert np.array_equal(cleaned[0], renamed[0])
    assert cleaned[1] == renamed[1]


@given(seed=st.integers(0, 2**16), axis=st.integers(0, 2), axes=st.permutations([0, 1, 2]))
def test_cleaning_turns_with_the_volume(seed, axis, axes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (3, 4, 5))
    background = rng.random(labels.shape) * 0.7
    # Without small grains and rims nothing is decided between equals.
    free = {"minimum_voxels": 0, "rim_voxels": 0, "particle": "all", "background_share": 0.6}

    def turned(volume):
        return np.flip(volume, axis).transpose(axes)

    grains, report = isolate(labels, background, **free)
    again, other = isolate(turned(labels), turned(background), **free)

    assert equal_up_to_relabelling(again, turned(grains))
    assert other == report


@given(seed=st.integers(0, 2**16))
def test_removing_the_background_twice_is_removing_it_once(seed):
    rng = np.random.default_rng(seed)
    labels, background = rng.integers(0, 4, (3, 4, 5)), rng.random((3, 4, 5))

    once = remove_background(labels, background, 0.5)

    assert np.array_equal(remove_background(once, background, 0.5), once)
    assert (once > 0).sum() == ((labels > 0) & (background <= 0.5)).sum()


def test_a_particle_hangs_together_across_a_slice_that_is_lost():
    labels = np.zeros((7, 6, 9), np.int32)
    labels[:3, :4, :4], labels[4:, :4, :4], labels[:, 5, 8] = 1, 2, 3
    measured = np.ones(labels.shape, bool)
    measured[3], labels[3] = False, 0
    background = (labels == 0).astype(float)
    settings = SegmentationSettings(minimum_voxels=1)

    grains, report = isolate_particle(labels, background, settings=settings, measured=measured)
    assert (grains[:3, :4, :4] == 1).all()
    assert (grains[4:, :4, :4] == 2).all()
    assert not grains[3].any()
    assert not grains[:, 5, 8].any()
    assert report.other_particles == 1
    alone, _ = isolate_particle(labels, background, settings=settings)
    assert not (alone[:3].any() and alone[4:].any())
