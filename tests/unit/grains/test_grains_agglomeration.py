import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.ebsd.orientations import (
    laue_group,
    mean_orientation,
    misorientation_angle,
    multiply,
    random_orientations,
)
from electrode_grains.ebsd.region_orientations import region_orientations
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import SegmentationSettings, merge_regions

# The boundary score is the mean over the faces of a contact alone.
MEAN = SegmentationSettings(
    merge_evidence="score",
    merge_boundary=0.3,
    merge_quantile=None,
    merge_size_weight=0,
    merge_slice_weight=0,
)
IQ = MEAN.replace(merge_mode="iq")


def turned(degrees):
    half = np.radians(degrees) / 2
    return np.array([np.cos(half), np.sin(half), 0, 0])


@pytest.fixture
def blocks():
    """Four regions in a row, each 6 x 6 x 6 voxels."""
    return np.repeat(np.arange(1, 5), 6)[None, None, :] * np.ones((6, 6, 1), np.int32)


def orientation_field(labels, quaternions, wrong_share=0.0, seed=0):
    """Each point with an arbitrary equivalent of its region's orientation, some points wrong."""
    rng = np.random.default_rng(seed)
    symmetry = laue_group("-3m")[rng.integers(0, 6, labels.shape)]
    field = multiply(symmetry, np.asarray(quaternions)[labels - 1])
    wrong = rng.random(labels.shape) < wrong_share
    field[wrong] = random_orientations(int(wrong.sum()), rng)
    return field


@pytest.mark.parametrize("wrong_share", [0.0, 0.03, 0.5])
def test_mean_orientations_withstand_wrong_points(blocks, wrong_share):
    true = random_orientations(4, np.random.default_rng(1))
    field = orientation_field(blocks, true, wrong_share)

    found = region_orientations(blocks, field)

    assert found.reliable[1:].all()
    assert np.degrees(misorientation_angle(found.mean[1:], true, "-3m")).max() < 1
    assert found.share[1:] == pytest.approx(1 - wrong_share, abs=0.1)


def test_mean_orientations_equal_those_of_one_grain(blocks):
    rng = np.random.default_rng(5)
    true = random_orientations(4, rng)
    tilts = rng.normal(0, 0.01, (*blocks.shape, 3))
    spread = np.concatenate([np.ones((*blocks.shape, 1)), tilts], axis=-1)
    field = multiply(spread / np.linalg.norm(spread, axis=-1, keepdims=True),
                     orientation_field(blocks, true))  # fmt: skip
    weights = rng.random(blocks.shape)

    found = region_orientations(blocks, field, "-3m", weights)

    for label in range(1, 5):
        inside = blocks == label
        expected = mean_orientation(field[inside], "-3m", weights[inside])
        assert misorientation_angle(found.mean[label], expected, "-3m") < 1e-3


def test_random_or_missing_orientations_are_not_reliable(blocks):
    random = random_orientations(blocks.size, np.random.default_rng(3)).reshape(*blocks.shape, 4)
    assert not region_orientations(blocks, random).reliable.any()
    assert not region_orientations(blocks, random * np.nan).reliable.any()


def test_all_layouts_of_orientations_say_the_same(blocks):
    field = orientation_field(blocks, random_orientations(4, np.random.default_rng(2)), 0.2)
    trust = np.random.default_rng(4).random(blocks.shape)
    channels = np.moveaxis(field, -1, 0)

    one = region_orientations(blocks, field, "-3m", trust)
    two = region_orientations(blocks, channels, "-3m", trust)
    three = region_orientations(blocks, np.concatenate([channels, trust[None]]))

    assert np.array_equal(one.mean, two.mean, equal_nan=True)
    assert np.array_equal(one.mean, three.mean, equal_nan=True)


def test_regions_of_one_orientation_are_one_grain(blocks):
    field = orientation_field(blocks, [turned(0), turned(3), turned(20), turned(23)], 0.5)
    boundary = np.full(blocks.shape, 0.9)

    for mode in ("orientation", "combined"):
        merged, report = merge_regions(
            blocks, boundary, field, settings=MEAN.replace(merge_mode=mode)
        )

        assert merged[0, 0].tolist() == [1] * 12 + [2] * 12
        assert report.merged_by_orientation == 2
        assert (report.regions, report.grains) == (4, 2)


def test_orientation_overrules_a_weak_boundary(blocks):
    field = orientation_field(blocks, [turned(angle) for angle in (0, 20, 40, 60)])

    merged, report = merge_regions(blocks, np.zeros(blocks.shape), field, settings=MEAN)

    assert merged.max() == 4
    assert report.kept_by_orientation == 3


def test_a_chain_of_small_misorientations_ends_where_the_mean_departs():
    blocks = np.repeat(np.arange(1, 13), 6)[None, None, :] * np.ones((6, 6, 1), np.int32)
    field = orientation_field(blocks, [turned(4.0 * k) for k in range(12)])

    merged, _ = merge_regions(
        blocks, np.zeros(blocks.shape), field, settings=MEAN.replace(merge_mode="orientation")
    )

    # From point to point it is 4 degrees everywhere; means are at least 10 apart.
    means = region_orientations(merged, field).mean[1:]
    assert 2 <= merged.max() <= 5
    assert np.degrees(misorientation_angle(means[1:], means[:-1], "-3m")).min() >= 10


def test_without_reliable_orientations_combined_is_iq(blocks):
    rng = np.random.default_rng(0)
    boundary = rng.random(blocks.shape)
    field = random_orientations(blocks.size, rng).reshape(*blocks.shape, 4)

    merged, report = merge_regions(
        blocks, boundary, field, settings=MEAN.replace(merge_boundary=0.67)
    )
    expected, _ = merge_regions(blocks, boundary, settings=IQ.replace(merge_boundary=0.67))

    assert np.array_equal(merged, expected)
    assert report.regions_without_orientation == 4


def test_boundaries_are_averaged_over_united_contacts():
    # Region 3 touches 1 over one face of 0.1 and 2 over three of 0.6.
    labels = np.array([[[1, 3], [2, 3], [2, 3], [2, 3]]])
    boundary = np.where(labels == 3, [[[0.1], [0.6], [0.6], [0.6]]], 0.0)

    merged, report = merge_regions(labels, boundary, settings=IQ.replace(merge_boundary=0.5))

    # 1 and 2 come first (0 / 0.5); then 3 and the rest meet with a mean of 0.475.
    assert merged.max() == 1
    assert report.merged_by_boundary == 2
    merged, _ = merge_regions(labels, boundary, settings=IQ.replace(merge_boundary=0.4))
    assert merged.max() == 2
    assert len(set(merged[:, :, 0].ravel().tolist())) == 1


def merged_by(rule, labels, boundary, threshold):
    changed = rule.replace(merge_boundary=min(max(threshold, 1e-9), 1 - 1e-9))
    merged, _ = merge_regions(labels, boundary, settings=changed)
    return merged.max() == 1


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), quantile=st.floats(0.05, 0.9))
def test_the_quantile_of_a_contact_is_that_of_its_faces(seed, quantile):
    rng = np.random.default_rng(seed)
    labels = np.repeat([[[1, 2]]], 40, axis=1)
    boundary = np.repeat(rng.random((1, 40, 1)), 2, axis=2)
    wanted = np.quantile(boundary[0, :, 0], quantile, method="inverted_cdf")
    rule = IQ.replace(merge_quantile=quantile)

    # Faces are counted in bins of 0.02.
    assert merged_by(rule, labels, boundary, wanted + 0.021)
    assert not merged_by(rule, labels, boundary, wanted - 0.021)


def test_small_regions_merge_more_easily():
    large = np.repeat([[[1] * 10 + [2] * 10]], 30, axis=1)
    small = np.repeat([[[1] * 10 + [2]]], 30, axis=1)
    rule = IQ.replace(merge_size_weight=0.4)

    for labels, limit in ((large, 0.7), (small, 0.3)):  # 300 voxels, and 30
        boundary = np.full(labels.shape, 0.7)
        assert merged_by(rule, labels, boundary, limit + 0.01)
        assert not merged_by(rule, labels, boundary, limit - 0.01)


def test_contacts_between_slices_are_kept_at_a_lower_probability():
    rule = IQ.replace(merge_slice_weight=0.3)
    within = np.repeat([[[1, 2]]], 6, axis=1)
    between = np.moveaxis(within, 2, 0)

    for labels, limit in ((within, 0.4), (between, 0.7)):  # 0.5 - 0.3 / 3, 0.5 + 0.3 * 2 / 3
        boundary = np.full(labels.shape, 0.5)
        assert merged_by(rule, labels, boundary, limit + 0.01)
        assert not merged_by(rule, labels, boundary, limit - 0.01)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), offset=st.sampled_from([0, 2**33]))
def test_merging_knows_no_names_of_regions(seed, offset):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 9, (3, 4, 5))
    boundary = rng.random(labels.shape)
    names = np.concatenate([[0], rng.permutation(8) + 1 + offset])

    merged, report = merge_regions(labels, boundary, settings=IQ.replace(merge_boundary=0.7))
    renamed, again = merge_regions(names[labels], boundary, settings=IQ.replace(merge_boundary=0.7))

    assert np.array_equal(merged, renamed)
    assert report == again
    assert np.array_equal(merged > 0, labels > 0)


def test_mode_none_only_renumbers(blocks):
    merged, report = merge_regions(
        blocks * 7, np.zeros(blocks.shape), settings=MEAN.replace(merge_mode="none")
    )

    assert np.array_equal(merged, blocks)
    assert report.grains == 4


def test_what_cannot_be_merged_is_refused(blocks):
    boundary = np.zeros(blocks.shape)
    with pytest.raises(SettingsError, match="'combined' needs orientations"):
        merge_regions(blocks, boundary, settings=MEAN)
    with pytest.raises(SettingsError, match="merge_boundary is to be chosen"):
        merge_regions(blocks, boundary, settings=SegmentationSettings(merge_mode="iq"))
    bad = boundary.copy()
    bad[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="1 voxels"):
        merge_regions(blocks, bad, settings=IQ)
    with pytest.raises(InputError, match=r"\(3, 6, 6, 24\)"):
        merge_regions(blocks, boundary, np.zeros((3, *blocks.shape)), settings=MEAN)
