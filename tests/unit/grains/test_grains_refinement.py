"""What orientations add to a segmentation, and what happens without them."""

import numpy as np
import pytest
from scipy import ndimage

from electrode_grains.ebsd.orientations import random_orientations
from electrode_grains.errors import ComputationError, SettingsError
from electrode_grains.grains import (
    BoundaryCandidates,
    SegmentationSettings,
    VoidSettings,
    adapted_rand_error,
    choose_boundary_threshold,
    compare_statistics,
    cut_by_orientation,
    equal_up_to_relabelling,
    find_voids,
    join_split_grains,
    measure_voids,
    rank_suspects,
    refine_interfaces,
    segment_grains,
    segment_grains_with_report,
)
from electrode_grains.morphometry import characterize_grains

SPACING = (50.0, 50.0, 50.0)
SETTINGS = SegmentationSettings(minima_depth=0.05, merge_boundary=0.3)
OPEN = VoidSettings(enclosed_only=False)


@pytest.fixture
def two_grains():
    """Truth, class probabilities with a ridge between two grains, and orientations."""
    truth = np.ones((10, 10, 20), np.int32)
    truth[:, :, 10:] = 2
    boundary = np.full(truth.shape, 0.05)
    boundary[:, :, 9:11] = 0.9
    background = np.full(truth.shape, 0.02)
    probability = np.stack([boundary, 1 - boundary - background, background])
    field = np.zeros((4, *truth.shape), np.float32)
    field[0, truth == 1], field[0, truth == 2], field[1, truth == 2] = 1, 0.8, 0.6
    return truth, probability, field


def test_without_any_orientation_combined_runs_as_iq_and_says_so(two_grains):
    _, probability, field = two_grains
    nothing = np.full_like(field, np.nan)
    labels, report = segment_grains_with_report(
        probability, settings=SETTINGS, orientations=nothing
    )
    alone = segment_grains(probability, settings=SETTINGS.replace(merge_mode="iq"))
    assert report.merging.mode == "iq"
    assert any("no point has an orientation" in doubt for doubt in report.warnings)
    assert np.array_equal(labels, alone)


def test_orientation_mode_needs_orientations(two_grains):
    _, probability, field = two_grains
    with pytest.raises(SettingsError, match="orientation"):
        segment_grains(
            probability,
            settings=SETTINGS.replace(merge_mode="orientation"),
            orientations=np.full_like(field, np.nan),
        )


@pytest.mark.parametrize("mode", ["none", "iq", "orientation", "combined"])
def test_each_mode_finds_the_two_grains_alone(two_grains, mode):
    truth, probability, field = two_grains
    given = field if mode in ("orientation", "combined") else None
    labels = segment_grains(
        probability, settings=SETTINGS.replace(merge_mode=mode), orientations=given
    )
    assert equal_up_to_relabelling(labels, truth)


def test_voxels_on_the_wrong_side_go_back(two_grains):
    truth, _, field = two_grains
    wrong = truth.copy()
    wrong[:, :, 10:12] = 1
    refined, moved = refine_interfaces(wrong, field, settings=SETTINGS)
    assert moved == 200
    assert equal_up_to_relabelling(refined, truth)


def test_random_orientations_at_an_interface_move_almost_nothing(two_grains):
    truth, _, field = two_grains
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(4, 10, 10, 4))
    field[:, :, :, 8:12] = noise / np.linalg.norm(noise, axis=0)
    _, moved = refine_interfaces(truth, field, settings=SETTINGS)
    assert moved <= 4  # of 400 voxels, each near to a grain in 0.1 % of the cases


def test_a_union_of_two_orientations_is_the_first_suspect(two_grains):
    truth, _, field = two_grains
    united = np.ones_like(truth)
    table = rank_suspects(united, np.full(truth.shape, 0.9), SPACING, field)
    assert table["reason"].tolist() == ["no common orientation, two orientations"]
    assert table["second_orientation_share"].iloc[0] == pytest.approx(0.5, abs=0.01)
    whole = rank_suspects(truth, np.full(truth.shape, 0.9), SPACING, field)
    assert whole.empty


@pytest.mark.parametrize("wrong_share", [0.0, 0.5])
def test_a_basin_of_two_orientations_is_cut(two_grains, wrong_share):
    truth, _, field = two_grains
    rng = np.random.default_rng(6)
    wrong = rng.random(truth.shape) < wrong_share
    field = field.copy()
    field[:4, wrong] = np.moveaxis(random_orientations(int(wrong.sum()), rng), -1, 0)
    united = np.full(truth.shape, 9)

    cut, count = cut_by_orientation(united, field, settings=SETTINGS)

    assert count == 1
    assert adapted_rand_error(cut, truth) < 0.1 * wrong_share + 1e-9
    whole, none = cut_by_orientation(truth, field, settings=SETTINGS)
    assert none == 0
    assert equal_up_to_relabelling(whole, truth)


def test_a_grain_split_by_a_shifted_slice_is_one():
    grains = np.ones((9, 12, 12), np.int32)
    grains[:5, 4:6, 4:6], grains[5:, 4:6, 7:9] = 2, 3  # one voxel between them
    grains[0, 10, 10] = 4
    mean = random_orientations(5, np.random.default_rng(3))
    mean[3] = mean[2]
    field = np.moveaxis(mean[grains], -1, 0)

    near, none = join_split_grains(grains, field, settings=SETTINGS.replace(join_reach=1))
    joined, count = join_split_grains(grains, field, settings=SETTINGS)

    assert none == 0
    assert equal_up_to_relabelling(near, grains)
    assert count == 1
    assert equal_up_to_relabelling(joined, np.where(grains == 3, 2, grains))


def test_a_threshold_of_nothing_cuts_nothing(two_grains):
    truth, _, field = two_grains
    never = SETTINGS.replace(merge_misorientation_degrees=0)
    cut, count = cut_by_orientation(np.ones_like(truth), field, settings=never)
    assert (count, cut.max()) == (0, 1)


def test_pieces_and_specks_rank_before_whole_grains():
    seeds = np.random.default_rng(7).random((60, 3)) * 32
    points = np.stack(np.mgrid[:32, :32, :32], -1).reshape(-1, 1, 3)
    truth = (((points - seeds) ** 2).sum(-1).argmin(1) + 1).reshape(32, 32, 32)
    found = truth.copy()
    cut = int(np.bincount(found.ravel()).argmax())  # one grain in two, of the same orientation
    found[(truth == cut) & (np.arange(32) > np.nonzero(truth == cut)[2].mean())] = 61
    found[14:17, 14:17, 14:17] = 62  # and a speck
    touching = ndimage.maximum_filter(truth, 3) != ndimage.minimum_filter(truth, 3)
    field = np.moveaxis(random_orientations(61, np.random.default_rng(1))[truth], -1, 0)

    table = rank_suspects(
        found, 0.95 * touching, SPACING, field, least_suspicion=-1.0
    ).set_index("label")  # fmt: skip

    assert len(table) == 62
    assert set(table.index[:3]) == {cut, 61, 62}
    assert "orientation of a neighbour" in table.loc[cut, "reason"]
    assert "weak boundaries" in table.loc[61, "reason"]
    assert "no common orientation" in table.loc[62, "reason"]
    assert table.loc[61, "nearest_misorientation_degrees"] < 0.1


def test_a_ball_inside_is_an_enclosed_void_with_its_surface():
    particle = np.ones((24, 24, 24), np.int32)
    z, y, x = np.indices(particle.shape) - 11.5
    cavity = z**2 + y**2 + x**2 <= 36
    particle[cavity] = 0
    voids = find_voids(particle, cavity)
    table, summary = measure_voids(voids, particle, SPACING)
    assert np.array_equal(voids > 0, cavity)
    assert table["enclosed"].tolist() == [True]
    sphere = 4 * np.pi * (6 * 0.05) ** 2
    assert summary.void_surface_area_um2 == pytest.approx(sphere, rel=0.05)
    assert summary.added_surface_area_um2 == pytest.approx(summary.void_surface_area_um2, rel=1e-9)


def test_dark_unindexed_voxels_are_void_where_they_are_thick():
    particle = np.zeros((24, 24, 24), np.int32)
    particle[2:-2, 2:-2, 2:-2] = 1
    quality = np.where(particle > 0, 100.0, 20.0)
    confidence = np.where(particle > 0, 0.8, 0.0)
    quality[8:13, 8:13, 8:13] = confidence[8:13, 8:13, 8:13] = 0  # a void
    quality[16, 4:20, 4:20] = confidence[16, 4:20, 4:20] = 0  # a boundary of one voxel
    voids = find_voids(particle, particle == 0, quality, confidence)
    assert voids[8:13, 8:13, 8:13].all()
    assert (voids > 0).sum() == 125


def test_only_enclosed_voids_are_sure():
    particle = np.ones((24, 24, 24), np.int32)
    particle[:, :3] = 0  # outside
    z, y, x = np.indices(particle.shape)
    enclosed = (z - 12) ** 2 + (y - 18) ** 2 + (x - 10) ** 2 <= 9
    crack = (y < 12) & (y >= 3) & (abs(z - 12) <= 1) & (x > 4) & (x < 18)
    at_the_border = (x == 23) & (abs(z - 4) < 4) & (abs(y - 16) < 4)
    particle[enclosed | crack | at_the_border] = 0
    empty = particle == 0

    every = find_voids(particle, empty, settings=OPEN)
    sure = find_voids(particle, empty)

    assert np.array_equal(sure > 0, enclosed)
    assert (every[crack] > 0).mean() > 0.7
    assert measure_voids(every, particle, SPACING)[0]["enclosed"].sum() == 1


def test_voids_are_seen_to_their_rim_by_darkness_alone():
    rng = np.random.default_rng(2)
    z, y, x = np.indices((30, 30, 30)) - 14.5
    radius = np.sqrt(z**2 + y**2 + x**2)
    particle = (radius < 14).astype(np.int32)
    ball = radius < 5
    empty = (particle == 0) | ball
    quality = np.where(empty, 70, 200) + rng.normal(0, 16, empty.shape)
    confidence = np.where(empty, 0.04, 0.65) + rng.normal(0, 0.02, empty.shape)

    voids = find_voids(particle, particle == 0, quality, confidence)

    assert voids.max() == 1
    assert (voids[ball] > 0).mean() > 0.95
    assert not voids[~ball].any()


def test_no_void_adds_no_surface():
    particle = np.ones((8, 8, 8), np.int32)
    table, summary = measure_voids(np.zeros_like(particle), particle, SPACING)
    assert table.empty
    assert summary.added_surface_area_um2 == 0


def test_statistics_of_the_truth_have_no_error():
    rng = np.random.default_rng(0)
    labels = np.kron(rng.permutation(64).reshape(4, 4, 4) + 1, np.ones((5, 5, 5), int))
    table = characterize_grains(labels, SPACING)
    errors = compare_statistics(table, table.sample(frac=1, random_state=1))
    assert errors["mean"]["sphericity"]["error"] == pytest.approx(0, abs=1e-12)
    assert errors["std"]["equivalent_diameter_nm"]["error"] == pytest.approx(0, abs=1e-12)


def test_the_boundary_threshold_is_judged_by_the_annotation(two_grains):
    truth, probability, _ = two_grains
    annotation = np.full(truth.shape, 2, np.uint8)
    annotation[:, :, 9:11] = 1
    threshold, curve = choose_boundary_threshold(
        probability,
        annotation,
        SegmentationSettings(minima_depth=0.02, merge_evidence="score"),
        BoundaryCandidates(candidates=(0.3, 0.99)),
    )
    assert threshold == 0.3
    assert curve["grain_count"].tolist() == [2, 1]


def test_everything_background_is_refused_with_its_numbers():
    probability = np.stack([np.zeros((4, 4, 4)), np.zeros((4, 4, 4)), np.ones((4, 4, 4))])
    with pytest.raises(ComputationError, match="background_voxels 64"):
        segment_grains(probability, 0.05, 0.5)
