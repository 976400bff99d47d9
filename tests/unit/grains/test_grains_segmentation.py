import numpy as np
import pytest
from scipy import ndimage

from electrode_grains.ebsd.orientations import random_orientations
from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.grains import (
    BoundaryCandidates,
    DepthCandidates,
    SegmentationSettings,
    adapted_rand_error,
    check_grains,
    choose_boundary_threshold,
    choose_minima_depth,
    matched_grain_scores,
    segment_grains,
    segment_grains_with_report,
)

# The values of conf/base are for particles of 500 grains; these are for one of 60.
SETTINGS = SegmentationSettings(
    minima_depth=0.02, merge_evidence="score", merge_boundary=0.3, merge_quantile=None,
    merge_size_weight=0, merge_slice_weight=0, place_sweeps=0, minimum_voxels=10,
)  # fmt: skip
ALONE = SETTINGS.replace(merge_mode="none")
SHAPE = (20, 40, 44)


@pytest.fixture(scope="module")
def particle():
    """Voronoi grains in an ellipsoid, and the class probabilities of an imperfect network."""
    rng = np.random.default_rng(8)
    points = np.stack(np.mgrid[tuple(slice(n) for n in SHAPE)], -1).reshape(-1, 3)
    seeds = rng.random((60, 3)) * SHAPE
    nearest = ((points[:, None] - seeds) ** 2).sum(-1).argmin(1).reshape(SHAPE)
    scaled = (points - np.array(SHAPE) / 2) / (np.array(SHAPE) * [0.7, 0.42, 0.42])
    truth = np.where((scaled**2).sum(1).reshape(SHAPE) < 1, nearest + 1, 0)
    edge = np.zeros(SHAPE)
    for axis in range(3):
        low = tuple(slice(None, -1) if i == axis else slice(None) for i in range(3))
        high = tuple(slice(1, None) if i == axis else slice(None) for i in range(3))
        edge[low] = np.maximum(edge[low], truth[low] != truth[high])
        edge[high] = np.maximum(edge[high], truth[low] != truth[high])
    texture = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1)
    background = 1 / (1 + np.exp(-12 * (ndimage.gaussian_filter((truth == 0) * 1.0, 0.7) - 0.5)))
    ridge = 7 * (ndimage.gaussian_filter(edge, 0.6) - 0.45) + 1.5 * texture / texture.std()
    boundary = (1 - background) / (1 + np.exp(-ridge))
    probability = np.stack([boundary, 1 - boundary - background, background]).astype(np.float32)
    quaternions = random_orientations(61, rng)[truth]
    wrong = (rng.random(SHAPE) < 0.3) | (truth == 0)
    quaternions[wrong] = random_orientations(int(wrong.sum()), rng)
    annotation = np.zeros(SHAPE, np.uint8)
    for z in (5, 10, 15):
        near = [np.roll(truth[z], step, axis) != truth[z] for step in (1, -1) for axis in (0, 1)]
        annotation[z] = np.where(truth[z] == 0, 3, np.where(np.any(near, axis=0), 1, 2))
    return truth, probability, np.moveaxis(quaternions, -1, 0), annotation


def test_grains_are_found_and_orientations_help(particle):
    truth, probability, orientations, _ = particle

    plain = segment_grains(probability, settings=ALONE)
    combined = segment_grains(probability, settings=SETTINGS, orientations=orientations)

    assert combined.dtype == np.int32
    assert np.unique(combined).tolist() == list(range(combined.max() + 1))
    score = matched_grain_scores(combined, truth)["f1"]
    assert score > 0.8  # what the surface or the window cuts to a few voxels is missed
    assert score > matched_grain_scores(plain, truth)["f1"] + 0.1
    assert adapted_rand_error(combined, truth) < 0.12


def test_the_report_says_what_happened(particle):
    truth, probability, orientations, _ = particle

    labels, report = segment_grains_with_report(
        probability, settings=SETTINGS, orientations=orientations
    )

    assert report.cleanup.grains == labels.max()
    assert min(report.basins, report.merging.regions) > report.merging.grains
    assert report.merging.regions <= report.basins + report.basins_cut_by_orientation
    assert report.cleanup.grain_voxels == (labels > 0).sum()
    assert report.cleanup.background_voxels == (probability[2] > 0.5).sum()
    assert report.warnings == ()
    assert report.to_dict()["cleanup"]["background_regions"] >= 1
    assert 0 < report.largest_share < 0.5
    assert abs((labels > 0).sum() / (truth > 0).sum() - 1) < 0.01


def test_the_same_input_gives_the_same_grains(particle):
    _, probability, orientations, _ = particle
    one = segment_grains(probability, 0.03, settings=SETTINGS, orientations=orientations)

    assert np.array_equal(
        one, segment_grains(probability.copy(), 0.03, settings=SETTINGS, orientations=orientations)
    )


def test_the_depth_is_chosen_from_annotated_slices(particle):
    truth, probability, _, annotation = particle
    candidates = (0.4, 0.005, 0.1, 0.02, 0.2)

    depth, curve = choose_minima_depth(
        probability, annotation, ALONE, DepthCandidates(candidates=candidates, slack_bits=0)
    )

    assert curve["minima_depth"].tolist() == sorted({*candidates, ALONE.minima_depth})
    assert curve["grain_count"].is_monotonic_decreasing
    scores = {
        h: matched_grain_scores(segment_grains(probability, h, settings=ALONE), truth)["f1"]
        for h in candidates
    }
    assert scores[depth] > max(scores.values()) - 0.05
    assert 0.005 < depth < 0.4


def test_the_threshold_is_chosen_by_the_areas_that_lines_join_or_cut(particle):
    truth, probability, _, annotation = particle
    candidates = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8)
    free = SETTINGS.replace(merge_boundary="auto", merge_mode="iq")

    threshold, curve = choose_boundary_threshold(
        probability, annotation, free, BoundaryCandidates(candidates=candidates, slack_bits=0)
    )

    information = curve.set_index("merge_boundary")["interior_information"]
    assert threshold == information.idxmin()  # no other within a slack of 0
    scores = {
        value: matched_grain_scores(
            segment_grains(probability, settings=free.replace(merge_boundary=value)), truth
        )["f1"]
        for value in candidates
    }
    assert scores[threshold] > max(scores.values()) - 0.05
    assert min(scores.values()) < scores[threshold] - 0.1
    middle, _ = choose_boundary_threshold(
        probability, annotation, free, BoundaryCandidates(candidates=candidates, slack_bits=9)
    )
    assert middle == 0.35  # all are equals


def test_one_grain_is_warned_of(particle):
    _, probability, _, _ = particle

    labels, report = segment_grains_with_report(
        probability, settings=SETTINGS.replace(merge_boundary=0.999, merge_mode="iq")
    )

    assert labels.max() == 1
    assert "single grain" in report.warnings[0]
    assert "cut by the window" in report.warnings[1]


def test_warnings_name_the_numbers_that_lead_there():
    box = np.zeros((6, 8, 10), np.int64)
    box[1:5, 1:7, 1:9] = 7
    assert [warning.split(";")[0] for warning in check_grains(box)] == [
        "the particle is a single grain of 192 voxels"
    ]
    box[1:5, 1:7, 7:9] = 2**40
    assert "(7) holds 75% of the particle, 144 of 192 voxels" in check_grains(box)[0]
    halves = np.where(box == 7, 7, 0)
    halves[1:5, 1:4, 1:7] = 8
    assert check_grains(halves) == ()
    assert check_grains(halves[1:5]) == (
        "all 2 grains are cut by the window, so that none can be measured",
    )
    with pytest.raises(ComputationError, match="480 voxels of 0"):
        check_grains(0 * box)


def test_everything_background_is_refused_with_numbers():
    probability = np.zeros((3, 4, 5, 6))
    probability[2] = 1

    with pytest.raises(ComputationError, match="background_voxels 120"):
        segment_grains(probability, 0.1, 0.5)


def test_what_is_no_probability_is_refused(particle):
    _, probability, _, annotation = particle
    for channel, name in enumerate(("boundary", "interior", "background")):
        bad = probability.copy()
        bad[channel, 1, 2, 3] = np.nan
        with pytest.raises(InputError, match=f"{name}.*(?s:.*)1 voxels"):
            segment_grains(bad, 0.1, 0.5)
    with pytest.raises(InputError, match=r"\(2, 20, 40, 44\)"):
        segment_grains(probability[:2], 0.1, 0.5)
    with pytest.raises(SettingsError, match=r"(?s)minima_depth.*not between 0 and 1"):
        segment_grains(probability, 7.0)
    with pytest.raises(InputError, match="nothing is annotated"):
        choose_minima_depth(probability, 0 * annotation, SETTINGS)
    with pytest.raises(ComputationError, match="1 candidates"):
        choose_minima_depth(
            probability, np.minimum(annotation, 1), SETTINGS, DepthCandidates(candidates=(0.02,))
        )
    with pytest.raises(InputError, match="basins and class probabilities"):
        segment_grains_with_report(probability, settings=SETTINGS, basins=annotation[1:])
