import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.grains import SegmentationSettings, merge_regions
from electrode_grains.grains.contact_evidence import (
    FEATURES,
    ContactModel,
    contact_features,
    embedded_contact_model,
    expand,
    quantile_of,
)
from electrode_grains.grains.linkage import Linkage, RegionGraph

SETTINGS = SegmentationSettings(merge_mode="iq", merge_boundary=0.5)


def linkage(labels, boundary):
    graph = RegionGraph.of_labels(labels.astype(np.int32), boundary, None, SETTINGS)
    return Linkage(graph, SETTINGS)


def test_features_of_a_contact_are_those_of_its_faces_and_regions():
    """Regions of 40 and 80 voxels that share 20 faces in the slice, half of them strong."""
    labels = np.repeat([[[1] * 2 + [2] * 4]], 20, axis=1)
    boundary = np.full(labels.shape, 0.05)
    boundary[0, :10, 1:3] = 0.95

    found = dict(zip(FEATURES, linkage(labels, boundary).features(1, 2), strict=True))

    assert found["quantile_05"] == pytest.approx(0.05, abs=0.02)
    assert found["quantile_25"] == pytest.approx(0.05, abs=0.02)
    assert found["mean"] == pytest.approx(0.5)
    assert found["share_between_slices"] == 0
    assert found["log_smaller"] == pytest.approx(np.log10(40 / 300))
    assert found["log_larger"] == pytest.approx(np.log10(80 / 300))
    assert found["log_faces"] == pytest.approx(np.log10(20 / 300 ** (2 / 3)))
    assert found["inside"] == pytest.approx(0.05 + 0.9 * 10 / 40)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_features_after_a_join_are_those_of_the_joined_regions(seed):
    rng = np.random.default_rng(seed)
    labels, boundary = rng.integers(1, 5, (3, 4, 5)), rng.random((3, 4, 5))
    joined = linkage(labels, boundary)
    if 2 not in joined.touching[1]:
        return
    joined._join(1, 2)

    fresh = linkage(np.array([0, 1, 1, 2, 3])[labels], boundary)

    for old, new in ((3, 2), (4, 3)):
        if old in joined.touching[1]:
            assert joined.features(1, old) == pytest.approx(fresh.features(1, new), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_the_probability_is_that_of_a_logistic_regression_on_products(seed):
    rng = np.random.default_rng(seed)
    count = len(FEATURES)
    terms = 1 + count + count * (count + 1) // 2
    model = ContactModel(rng.normal(size=count), rng.uniform(0.1, 2, count), rng.normal(size=terms))
    features = rng.normal(size=count)

    log_odds = (expand(features[None], model) @ model.weights)[0]

    assert model.probability(features) == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-12)


@pytest.mark.parametrize(("boundary", "is_one"), [(0.02, True), (0.97, False)])
def test_the_embedded_model_knows_a_boundary_from_none(boundary, is_one):
    levels = np.zeros(50, np.int64)
    levels[int(boundary * 50)] = 60
    features = contact_features(levels, 20, 60 * boundary, 400.0, 500.0, 0.3, 300.0)

    probability = embedded_contact_model().probability(features)

    assert 0 <= probability <= 1
    assert (probability < 0.1) if is_one else (probability > 0.9)


def test_merging_by_contacts_finds_the_gap_that_a_mean_hides():
    """Two halves of a grain behind a wall with a gap, and a grain behind a closed one."""
    labels = np.repeat(np.repeat([[[1] * 8 + [2] * 8 + [3] * 8]], 8, axis=1), 8, axis=0)
    boundary = np.full(labels.shape, 0.05)
    boundary[:, :, 15:17] = 0.95
    gap, faint = boundary.copy(), boundary.copy()
    gap[:, :2, 7:9] = 0.9
    faint[:, :, 7:9] = gap[:, :, 7:9].mean()  # as much boundary, and no gap

    for between, count in ((gap, 2), (faint, 3)):
        merged, report = merge_regions(labels, between, settings=SETTINGS)
        assert merged.max() == count
        assert report.merged_by_boundary == 3 - count


def test_what_lies_beyond_eight_deviations_counts_as_eight():
    count = len(FEATURES)
    center, scale = np.full(count, 2.0), np.full(count, 0.5)
    weights = np.zeros(1 + count + count * (count + 1) // 2)
    weights[1] = 0.1
    model = ContactModel(center, scale, weights)
    for feature, deviation in ((100.0, 8.0), (-100.0, -8.0), (5.9, 7.8), (-1.9, -7.8)):
        terms = expand(np.full((1, count), feature), model)[0]
        assert terms[1 : 1 + count] == pytest.approx(np.full(count, deviation))
        assert terms[1 + count :] == pytest.approx(np.full(terms.size - 1 - count, deviation**2))
        found = model.probability(np.full(count, feature))
        assert found == pytest.approx(1 / (1 + np.exp(-0.1 * deviation)))


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=12).filter(any),
    share=st.floats(0.01, 1.0),
)
def test_a_quantile_inverts_the_cumulative_counts(counts, share):
    edges = np.arange(len(counts) + 1) / len(counts)
    summed = np.concatenate([[0], np.cumsum(counts)])
    rank = share * summed[-1]
    found = quantile_of(np.array(counts, np.int64), share)
    level = next(k for k, each in enumerate(counts) if each and summed[k + 1] >= rank)
    expected = np.interp(rank, summed[level : level + 2], edges[level : level + 2])
    assert found == pytest.approx(expected)
