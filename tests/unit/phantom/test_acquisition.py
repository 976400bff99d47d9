from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from electrode_grains.ebsd import OrientationField
from electrode_grains.ebsd.orientations import (
    misorientation_angle,
    multiply,
    quaternions_from_euler,
)
from electrode_grains.ebsd.pseudo_cube import variants
from electrode_grains.errors import SettingsError
from electrode_grains.phantom import AcquisitionSettings, acquire, virtual_particle
from electrode_grains.phantom.indexing import BoundaryContrast
from electrode_grains.tessellation import ArchitectureSettings, voxel_points

SHAPE, SPACING = (16, 48, 48), (50.0, 50.0, 50.0)
PERFECT = AcquisitionSettings(
    annotated_slices=(8,),
    noise=0,
    misindexed_share=0,
    flipped_share=0,
    unindexed_share=0,
    weak_boundary_degrees=0,
    drift_px=0,
    rotation_degrees=0,
    jump_px=0,
    thickness_jitter=0,
    information_depth_nm=0,
    curtaining=0,
    brightness_drift=0,
    shadow=0,
    equivalent_angles=False,
)


@pytest.fixture(scope="module")
def particle():
    # Grains of six voxels leave room for a second particle in so small a window.
    return virtual_particle(
        SHAPE,
        SPACING,
        np.random.default_rng(1),
        ArchitectureSettings(mean_diameter_nm=300.0, diameter_shape_nm=2700.0),
    )


@pytest.fixture(scope="module")
def perfect(particle):
    return acquire(particle, np.random.default_rng(2), PERFECT)


def test_every_grain_is_connected_and_labels_have_no_gap(particle):
    labels = particle.labels
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert all(ndimage.label(labels == label)[1] == 1 for label in range(1, labels.max() + 1))


def test_there_is_a_second_particle_and_a_gap_between_both(particle):
    main = (particle.labels > 0) & (particle.labels <= particle.main_grain_count)
    second = particle.labels > particle.main_grain_count
    assert second.any()
    assert not (ndimage.binary_dilation(main, iterations=2) & second).any()


def test_grains_are_whole_and_not_cut_to_slivers_by_the_surface(particle):
    padded = np.pad(particle.labels, 1)
    sizes = np.bincount(particle.labels.ravel())
    faces = [np.take(particle.labels, end, axis) for axis in range(3) for end in (0, -1)]
    cut = np.unique(np.concatenate([face.ravel() for face in faces]))
    near_outside = ndimage.binary_dilation(padded == 0)[1:-1, 1:-1, 1:-1]
    whole = np.setdiff1d(np.unique(particle.labels[near_outside]), cut)
    assert len(whole) > 20
    assert (sizes[whole] < 20).mean() < 0.05


def test_a_perfect_microscope_sees_the_truth(particle, perfect):
    same = perfect.label_stack == particle.labels
    assert same.mean() > 0.98  # chips cut off by warping are joined in the truth alone


def test_image_quality_is_low_at_boundaries_and_outside(perfect):
    interior = perfect.annotations[8] == 2
    boundary = perfect.annotations[8] == 1
    outside = perfect.annotations[8] == 3
    quality = perfect.image_quality[8]
    assert quality[boundary].mean() < 0.85 * quality[interior].mean()
    assert quality[outside].mean() < 0.6 * quality[interior].mean()


def test_orientations_within_a_grain_agree_to_few_degrees(perfect):
    field = quaternions_from_euler(perfect.euler_angles.astype(float))
    right = perfect.confidence_index[8] > 0.2
    labels = perfect.label_stack[8]
    largest = np.bincount(labels[labels > 0]).argmax()
    grain = field[8][(labels == largest) & right]
    assert np.degrees(misorientation_angle(grain[:1], grain, "-3m")).max() < 5


def test_drift_moves_the_slices_by_the_matrices_it_reports(particle):
    settings = PERFECT.replace(drift_px=3.0)
    moved = acquire(particle, np.random.default_rng(5), settings)
    for z in (4, 11):
        x, y = np.rint(moved.true_matrices[z][:2, 2]).astype(int)
        back = np.roll(moved.label_stack[z], (-y, -x), axis=(0, 1))[12:-12, 12:-12]
        assert (back == particle.labels[z, 12:-12, 12:-12]).mean() > 0.8


def test_a_careless_hand_errs_more_than_a_perfect_one(particle):
    settings = PERFECT.replace(annotation_error=1.0)
    careless = acquire(particle, np.random.default_rng(2), settings).annotations[8]
    careful = acquire(particle, np.random.default_rng(2), PERFECT).annotations[8]
    assert 0.03 < (careless != careful).mean() < 0.5


def test_equal_seeds_give_equal_stacks(particle):
    first, second = (
        acquire(particle, np.random.default_rng(3), AcquisitionSettings(annotated_slices=(4,)))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.image_quality, second.image_quality)
    np.testing.assert_array_equal(first.euler_angles, second.euler_angles)


def test_a_slice_that_does_not_exist_cannot_be_annotated(particle):
    with pytest.raises(SettingsError, match=r"\[16\]"):
        acquire(particle, np.random.default_rng(0), AcquisitionSettings(annotated_slices=(3, 16)))


def test_the_lattice_is_scanned_turned_like_its_slice(particle):
    settings = PERFECT.replace(rotation_degrees=2.0)
    scanned = acquire(particle, np.random.default_rng(7), settings)
    straight = acquire(particle, np.random.default_rng(7), PERFECT)
    rotations = np.arctan2(scanned.true_matrices[:, 1, 0], scanned.true_matrices[:, 0, 0])
    z = int(np.abs(rotations).argmax())
    assert np.degrees(abs(rotations[z])) > 2
    middle = (z, SHAPE[1] // 2, SHAPE[2] // 2)  # where a turn of the slice moves least
    assert scanned.label_stack[middle] == straight.label_stack[middle] > 0
    seen, true = (quaternions_from_euler(a.euler_angles[middle]) for a in (scanned, straight))
    # What points along v in the particle points along R v in the scan: g becomes g R^-1.
    turn = np.array([np.cos(rotations[z] / 2), 0, 0, np.sin(rotations[z] / 2)])
    assert np.degrees(misorientation_angle(multiply(seen, turn), true, "-3m")) < 1.0
    assert np.degrees(misorientation_angle(seen, true, "-3m")) > 1.5


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_radial_texture_puts_c_axes_along_the_radius(share):
    settings = ArchitectureSettings(mean_diameter_nm=300.0, diameter_shape_nm=2700.0)
    textured = virtual_particle(SHAPE, SPACING, np.random.default_rng(1), settings, share)
    grains = np.arange(1, textured.main_grain_count + 1)
    inside = np.isin(textured.labels, grains)
    centre = (np.argwhere(inside) * SPACING).mean(axis=0)[::-1]
    radius = textured.centroids[grains] - centre
    radius /= np.linalg.norm(radius, axis=1, keepdims=True)
    field = OrientationField(textured.orientations[grains])
    cosine = np.abs((field.directions([0, 0, 1]) * radius).sum(axis=1))
    radial = np.degrees(np.arccos(np.minimum(cosine, 1))) < 1e-3
    assert radial.mean() == pytest.approx(share, abs=0.0 if share == 1 else 0.15)
    plain = virtual_particle(SHAPE, SPACING, np.random.default_rng(1), settings)
    np.testing.assert_array_equal(plain.labels, textured.labels)


def test_angles_without_errors_are_the_truth_but_for_the_stated_noise(particle, perfect):
    points, labels = voxel_points(SHAPE, SPACING), perfect.label_stack.ravel()
    np.testing.assert_array_equal(labels, particle.label_at(points))
    grains = labels > 0
    true = particle.orientation_at(points[grains], labels[grains])
    # Bunge's angles are intrinsic turns about z, x and z, from crystal to sample.
    seen = Rotation.from_euler("ZXZ", perfect.euler_angles.reshape(-1, 3)[grains])
    error = np.degrees((seen * Rotation.from_quat(true, scalar_first=True)).magnitude())
    assert np.sqrt((error**2).mean()) == pytest.approx(0.4, rel=0.03)


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_half_the_share_is_wrong_inside_a_grain_and_more_beside_boundaries(particle, share):
    settings = PERFECT.replace(misindexed_share=share)
    one = replace(particle, label_of_grain=np.ones_like(particle.label_of_grain))
    inside, mixed = (acquire(p, np.random.default_rng(4), settings) for p in (one, particle))
    points, labels = voxel_points(SHAPE, SPACING), np.ones(np.prod(SHAPE), np.int32)
    true = Rotation.from_quat(one.orientation_at(points, labels), scalar_first=True)
    seen = Rotation.from_euler("ZXZ", inside.euler_angles.reshape(-1, 3))
    wrong = np.degrees((seen * true).magnitude()) > 5  # one random one in 28 000 is nearer

    chance = share / 2
    assert abs(wrong.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / wrong.size)
    assert inside.confidence_index.ravel()[wrong].max() <= np.float32(0.15)
    doubted = mixed.confidence_index[mixed.label_stack > 0] <= 0.15
    assert doubted.mean() > 1.5 * chance


def test_drift_jitter_and_rotation_have_the_spread_that_was_asked(particle):
    many = replace(particle, labels=np.zeros((4000, 2, 2), np.int32))
    settings = PERFECT.replace(drift_px=3.0, rotation_degrees=0.5, thickness_jitter=0.2)
    scan = acquire(many, np.random.default_rng(6), settings)
    center = np.array([0.5, 0.5, 1.0])
    shift = (scan.true_matrices @ center - center)[:, :2]
    turn = np.degrees(np.arctan2(scan.true_matrices[:, 1, 0], scan.true_matrices[:, 0, 0]))
    jitter = scan.slice_depths_nm / SPACING[0] - np.arange(4000)
    # Part of each jump persists; variance 0.49 + 1.4 k0 + sum k^2 for a Gaussian k of sigma 2.
    factor = np.sqrt(0.49 + 1.4 / np.sqrt(8 * np.pi) + 1 / (4 * np.sqrt(np.pi)))
    np.testing.assert_allclose(shift.std(axis=0), 3.0 * factor, rtol=0.06)
    assert turn.std() == pytest.approx(0.5 * factor, rel=0.06)
    assert jitter.std() == pytest.approx(0.2, rel=0.05)
    np.testing.assert_allclose(np.linalg.det(scan.true_matrices), 1)


def c_axis_flips(particle, scanned):
    """Points of grains whose c axis is 70.5 degrees from the true one; others have the true one."""
    points, labels = voxel_points(SHAPE, SPACING), scanned.label_stack.ravel()
    true = OrientationField(particle.orientation_at(points, labels)).directions([0, 0, 1])
    seen = OrientationField.from_euler(scanned.euler_angles.reshape(-1, 3)).directions([0, 0, 1])
    angle = np.degrees(np.arccos(np.abs((true * seen).sum(axis=1)).clip(0, 1)))
    flipped = np.abs(angle - np.degrees(np.arccos(1 / 3))) < 3
    assert (flipped | (angle < 3))[labels > 0].all()
    return (flipped & (labels > 0)).reshape(scanned.label_stack.shape)


@pytest.mark.parametrize("patch_px", [0.0, 3.0])
def test_a_share_of_the_c_axes_is_flipped_in_patches_with_full_confidence(
    particle, perfect, patch_px
):
    settings = PERFECT.replace(flipped_share=0.3, patch_px=patch_px)
    scanned = acquire(particle, np.random.default_rng(2), settings)
    flipped, grains = c_axis_flips(particle, scanned), scanned.label_stack > 0
    assert flipped[grains].mean() == pytest.approx(0.3, abs=1e-3)
    np.testing.assert_array_equal(scanned.confidence_index, perfect.confidence_index)
    np.testing.assert_array_equal(scanned.image_quality, perfect.image_quality)
    both = grains[:, :, 1:] & grains[:, :, :-1]
    beside = (flipped[:, :, 1:] & flipped[:, :, :-1])[both].mean() / 0.3
    # Neighbours of a field smoothed by 3 are correlated by exp(-1/36); single points are not.
    assert beside > 0.8 if patch_px else beside == pytest.approx(0.3, abs=0.02)


def test_patches_are_not_indexed_more_so_at_boundaries(particle):
    settings = PERFECT.replace(unindexed_share=0.1)
    scanned = acquire(particle, np.random.default_rng(2), settings)
    labels, lost = scanned.label_stack, scanned.confidence_index == -1
    grains = labels > 0
    assert lost[grains].mean() == pytest.approx(0.1, abs=1e-3)
    assert not lost[grains].all()
    beside = ndimage.maximum_filter(labels, (1, 3, 3)) != ndimage.minimum_filter(labels, (1, 3, 3))
    assert lost[grains & beside].mean() > 1.3 * lost[grains & ~beside].mean()


def test_the_stage_jumps_once_by_the_length_that_was_asked(particle, perfect):
    jumped = acquire(particle, np.random.default_rng(2), PERFECT.replace(jump_px=6.0))
    steps = np.linalg.norm(np.diff(jumped.true_matrices[:, :2, 2], axis=0), axis=1)
    (place,) = np.flatnonzero(steps > 1e-9)
    assert steps[place] == pytest.approx(6.0)
    assert SHAPE[0] // 4 - 1 <= place < 3 * SHAPE[0] // 4
    np.testing.assert_allclose(perfect.true_matrices, np.tile(np.eye(3), (SHAPE[0], 1, 1)))


def test_the_shadow_takes_its_share_at_the_last_rows_and_nothing_at_the_first(particle, perfect):
    shaded = acquire(particle, np.random.default_rng(2), PERFECT.replace(shadow=0.4))
    ratio = shaded.image_quality / perfect.image_quality
    np.testing.assert_array_equal(ratio[:, : SHAPE[1] // 3], 1)
    assert ratio.min() >= 0.6 - 1e-6
    assert ratio[:, -1].mean() == pytest.approx(0.6, abs=0.06)
    assert (np.diff(ratio.mean(axis=(0, 2))) < 1e-6).all()


def test_angles_of_a_point_are_any_of_the_six_that_mean_the_same_crystal(particle, perfect):
    mixed = acquire(particle, np.random.default_rng(2), PERFECT.replace(equivalent_angles=True))
    seen, plain = (quaternions_from_euler(each.euler_angles) for each in (mixed, perfect))
    assert np.degrees(misorientation_angle(seen, plain, "-3m")).max() < 0.01
    turned = np.round(np.degrees(misorientation_angle(seen, plain, "-1")))
    assert (turned == 0).mean() == pytest.approx(1 / 6, abs=0.01)
    assert (turned == 120).mean() == pytest.approx(1 / 3, abs=0.01)
    assert (turned == 180).mean() == pytest.approx(1 / 2, abs=0.01)


def test_electrons_see_what_lies_below_and_nothing_above(particle):
    """Of two grains one above the other only the upper shows the boundary, the nearer the more."""
    layers = replace(particle, architecture=Layers(), label_of_grain=np.arange(3, dtype=np.int32))
    alone = replace(particle, architecture=Layers(), label_of_grain=np.array([0, 1, 1], np.int32))
    settings = PERFECT.replace(information_depth_nm=40.0)
    both, one = (
        acquire(each, np.random.default_rng(2), settings).image_quality[:, 10, 10]
        for each in (layers, alone)
    )
    # The boundary lies 20 nm below slice 8: a third of the signal comes from above it.
    assert (both != one).tolist() == [z in (7, 8) or z > 8 for z in range(SHAPE[0])]
    assert 1 - both[8] / one[8] > 1.5 * (1 - both[7] / one[7]) > 0


class Layers:
    """Grain 1 down to 420 nm, grain 2 below."""

    def grain_at(self, points):
        return np.where(points[:, 2] < 420, 1, 2)


def test_a_lost_slice_is_not_annotated_and_exists(particle):
    settings = PERFECT.replace(lost_slices=(8,))
    with pytest.raises(SettingsError, match=r"\[8\]"):
        acquire(particle, np.random.default_rng(0), settings)
    with pytest.raises(SettingsError, match=r"lost(.|\n)*\[16\]"):
        acquire(particle, np.random.default_rng(0), PERFECT.replace(lost_slices=(16,)))


def test_boundaries_of_lattices_that_nearly_coincide_are_weak():
    turn = Rotation.from_euler("x", [[0], [3], [30]], degrees=True).as_quat(scalar_first=True)
    flipped = multiply(variants()[1], turn[0])
    contrast = BoundaryContrast.of(np.vstack([turn[:1], turn, flipped]), 10.0)
    first, second = np.array([1, 1, 1, 1, 0, 2]), np.array([1, 2, 3, 4, 2, 2])
    found = contrast.between(first, second)
    assert found == pytest.approx([0, 0.2 + 0.8 * 0.3, 1, 0.2, 1, 0], abs=1e-3)
    assert BoundaryContrast.of(turn, 0).between(first[:2], second[:2]).tolist() == [0, 1]
