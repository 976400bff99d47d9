"""Patches of points whose c axis is another of the four of the pseudo-cube."""

import numpy as np
import pytest
from scipy import ndimage

from electrode_grains.ebsd import OrientationField
from electrode_grains.ebsd.orientations import (
    laue_group,
    misorientation_angle,
    multiply,
    random_orientations,
)
from electrode_grains.ebsd.pseudo_cube import (
    PseudoSymmetry,
    find_pseudo_symmetry,
    flip_excess,
    hexagonal_constants,
    is_pseudo_cubic,
    pseudo_cubic,
    variants,
)
from electrode_grains.ebsd.pseudo_group import pseudo_group
from electrode_grains.errors import SettingsError
from electrode_grains.grains import (
    SegmentationSettings,
    equal_up_to_relabelling,
    segment_grains_with_report,
)
from electrode_grains.grains.pseudo_symmetry import uses_pseudo_symmetry, vote_on_variants

SETTINGS = SegmentationSettings(minima_depth=0.02, merge_boundary=0.5, minimum_voxels=8)
SHAPE = (18, 30, 32)


@pytest.fixture(scope="module")
def particle():
    """Grains, class probabilities, true orientations, and those with flipped patches."""
    rng = np.random.default_rng(4)
    seeds = rng.random((30, 3)) * SHAPE
    points = np.stack(np.mgrid[tuple(slice(n) for n in SHAPE)], -1).reshape(-1, 1, 3)
    truth = (((points - seeds) ** 2).sum(-1).argmin(1) + 1).reshape(SHAPE).astype(np.int32)
    symmetry = laue_group("-3m")[rng.integers(0, 6, SHAPE)]
    true = multiply(symmetry, random_orientations(31, rng)[truth])
    smooth = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1.5)
    flips = smooth < np.quantile(smooth, 0.3)
    scanned = true.copy()
    scanned[flips] = multiply(variants()[rng.integers(1, 4, SHAPE)[flips]], true[flips])
    boundary = rng.uniform(0.1, 0.9, SHAPE)
    probability = np.stack([boundary, 1 - boundary, 0 * boundary])
    return truth, probability, OrientationField(true), OrientationField(scanned), flips


def test_the_four_axes_of_the_pseudo_cube_are_equivalent_under_it():
    axes = OrientationField(variants()).directions((0, 0, 1))
    angle = np.degrees(np.arccos(np.abs(axes @ axes.T).clip(0, 1)))
    assert angle[~np.eye(4, dtype=bool)] == pytest.approx(np.degrees(np.arccos(1 / 3)))

    orientation = random_orientations(1, np.random.default_rng(2))[0]
    cube = pseudo_cubic(OrientationField(multiply(variants(), orientation)))
    assert cube.misorientation(cube.at(np.array([0]))).max() < 1e-6


def test_misorientations_within_the_lattice_stay_what_they_are():
    small = np.array([np.cos(0.02), np.sin(0.02), 0, 0])
    one = random_orientations(20, np.random.default_rng(3))
    pair = OrientationField(one), OrientationField(multiply(small, one))

    cubic = pseudo_cubic(pair[0]).misorientation(pseudo_cubic(pair[1]))

    assert cubic == pytest.approx(pair[0].misorientation(pair[1]))


def test_flips_are_seen_in_the_data_and_wrong_points_are_not(particle):
    truth, _, true, scanned, _ = particle
    rng = np.random.default_rng(5)
    wrong = np.array(true.quaternions)
    chosen = rng.random(SHAPE) < 0.4
    wrong[chosen] = random_orientations(int(chosen.sum()), rng)

    assert flip_excess(scanned) > 0.05
    for field in (true, OrientationField(wrong)):
        assert not uses_pseudo_symmetry("auto", truth > 0, field)
    assert uses_pseudo_symmetry("auto", truth > 0, scanned)
    assert not uses_pseudo_symmetry("off", truth > 0, scanned)
    cubic = OrientationField(scanned.quaternions, laue_group="m-3m")
    assert not uses_pseudo_symmetry("auto", truth > 0, cubic)


def test_flipped_patches_do_not_tear_grains(particle):
    truth, probability, _, scanned, _ = particle

    labels, report = segment_grains_with_report(
        probability, settings=SETTINGS, orientations=scanned
    )
    torn, other = segment_grains_with_report(
        probability, settings=SETTINGS.replace(pseudo_symmetry="off"), orientations=scanned
    )

    assert report.pseudo_symmetry
    assert not other.pseudo_symmetry
    assert equal_up_to_relabelling(labels, truth)
    assert torn.max() > 1.5 * truth.max()


def test_the_vote_turns_flipped_points_back(particle):
    truth, _, true, scanned, flips = particle

    corrected, vote = vote_on_variants(truth, scanned)

    inside = vote["decided"][truth - 1]
    off = misorientation_angle(corrected.quaternions[inside], true.quaternions[inside], "-3m")
    assert vote["decided"].mean() > 0.7
    assert np.degrees(off).max() < 1e-2
    share = np.bincount(truth[flips], minlength=31)[1:] / np.bincount(truth.ravel())[1:]
    assert vote["flipped_share"][vote["decided"]] == pytest.approx(share[vote["decided"]])
    assert np.array_equal(corrected.quaternions[~inside], scanned.quaternions[~inside])


def test_confidence_weighs_the_votes(particle):
    truth, _, true, scanned, _ = particle
    quaternions, count = np.array(scanned.quaternions), np.bincount(truth.ravel())
    grain = int(count.argmax())
    members = np.argwhere(truth == grain)
    few = tuple(members[: len(members) // 4].T)
    quaternions[truth == grain] = multiply(variants()[1], true.quaternions[truth == grain])
    quaternions[few] = true.quaternions[few]
    trust = np.full(SHAPE, 0.1)
    trust[few] = 0.9

    corrected, vote = vote_on_variants(truth, OrientationField(quaternions, trust))

    assert vote["decided"][grain - 1]
    off = misorientation_angle(
        corrected.quaternions[truth == grain], true.quaternions[truth == grain], "-3m"
    )
    assert np.degrees(off).max() < 1e-2


def test_lattices_that_are_no_pseudo_cube_are_told():
    assert is_pseudo_cubic(2.87, 14.26)
    assert not is_pseudo_cubic(2.46, 6.71)
    with pytest.raises(SettingsError, match="a 0, c 1"):
        is_pseudo_cubic(0, 1)
    with pytest.raises(SettingsError, match="m-3m"):
        pseudo_cubic(OrientationField(np.ones((2, 4)) / 2, laue_group="m-3m"))


def test_the_lattice_constants_say_whether_c_axes_can_be_confused(particle):
    _, _, true, scanned, _ = particle
    nmc, corundum = (2.87, 14.26), (4.76, 12.99)
    assert find_pseudo_symmetry(scanned, nmc).found
    assert find_pseudo_symmetry(scanned, None).found
    assert not find_pseudo_symmetry(scanned, nmc, tolerance=0.01).found  # 1.4 % from 2 sqrt 6
    assert not find_pseudo_symmetry(scanned, corundum).found
    assert "2.729" in find_pseudo_symmetry(scanned, corundum).reason
    clean = find_pseudo_symmetry(true, nmc)
    assert not clean.found
    assert clean.c_over_a == pytest.approx(4.9686, abs=1e-4)
    assert find_pseudo_symmetry(OrientationField(true.quaternions, laue_group="m-3m"), nmc) is None
    assert PseudoSymmetry.from_dict(vars(clean)) == clean
    assert hexagonal_constants([{"id": 1}, {"lattice_constants": "4.76 4.76 12.99 90 90 120"}]) == (
        corundum
    )
    assert hexagonal_constants([{"lattice_constants": ""}, {"lattice_constants": "1 1 0"}]) is None


def test_points_without_trust_show_no_flips(particle):
    _, _, _, scanned, flips = particle
    trusted = OrientationField(scanned.quaternions, np.where(flips, 0.0, 1.0))
    assert abs(flip_excess(trusted)) < 0.01
    assert flip_excess(scanned, flips) > 0.05


@pytest.mark.parametrize(
    ("crystal", "operators"),
    [("4/mmm", ((1.0, 0.0, 0.0, 90.0),)), ("-3m", ((0.0, 0.0, 1.0, 60.0),))],
)
def test_given_operators_are_used_from_linking_to_the_vote(particle, crystal, operators):
    truth, probability, _, _, flips = particle
    rng = np.random.default_rng(11)
    symmetry = laue_group(crystal)
    own = random_orientations(31, rng)[truth]
    true = multiply(symmetry[rng.integers(0, len(symmetry), SHAPE)], own)
    confused = pseudo_group(crystal, operators).variants
    scanned = true.copy()
    scanned[flips] = multiply(confused[rng.integers(1, len(confused), SHAPE)[flips]], true[flips])
    field = OrientationField(scanned, laue_group=crystal, operators=operators)
    used = SETTINGS.replace(laue_group=crystal)

    labels, report = segment_grains_with_report(probability, settings=used, orientations=field)
    without = OrientationField(scanned, laue_group=crystal)
    torn, _ = segment_grains_with_report(
        probability, settings=used.replace(pseudo_symmetry="off"), orientations=without
    )
    corrected, vote = vote_on_variants(labels, field)

    assert report.pseudo_symmetry
    assert report.pseudo_symmetry_operators == operators
    assert equal_up_to_relabelling(labels, truth)
    assert torn.max() > 1.2 * truth.max()
    inside = vote["decided"][labels - 1]
    assert vote["decided"].mean() > 0.6
    off = misorientation_angle(corrected.quaternions[inside], own[inside], crystal)
    assert np.degrees(off).max() < 1e-2
    with pytest.raises(SettingsError, match="pseudo_symmetry_operators"):
        segment_grains_with_report(
            probability,
            settings=SETTINGS.replace(pseudo_symmetry="on", laue_group="4/mmm"),
            orientations=OrientationField(scanned, laue_group="4/mmm"),
        )
