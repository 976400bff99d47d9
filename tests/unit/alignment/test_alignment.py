import json
import re
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from electrode_grains.alignment import (
    AlignmentSettings,
    SliceTransforms,
    alignment_error,
    apply_transforms,
    estimate_transforms,
    rigid_matrix,
    rotate_orientations,
)
from electrode_grains.alignment.drift import regularise_drift
from electrode_grains.alignment.registration import SettingChanges
from electrode_grains.errors import InputError, SettingsError

CENTER = (35.5, 31.5)
SHAPE = (64, 72)


def body(depth: int, seed: int = 0):
    """A random smooth solid, a little different from slice to slice."""
    noise = np.random.default_rng(seed).standard_normal((depth + 8, 96, 104))
    smooth = ndimage.gaussian_filter(noise, (4, 3, 3))
    return (smooth / smooth.std())[4:-4]


def scanned(depth: int, motions, seed: int = 0, noise: float = 0.1):
    """Slices of the body after motions (x, y, radians), with noise, and the true matrices."""
    solid = body(depth, seed)
    rng = np.random.default_rng(seed + 1)
    matrices = np.array([rigid_matrix(x, y, angle, CENTER) for x, y, angle in motions])
    slices = []
    for image, matrix in zip(solid, matrices, strict=True):
        back = np.linalg.inv(matrix)
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        sx = back[0, 0] * x + back[0, 1] * y + back[0, 2] + 16
        sy = back[1, 0] * x + back[1, 1] * y + back[1, 2] + 16
        slices.append(ndimage.map_coordinates(image, [sy, sx], order=3))
    return np.array(slices) + noise * rng.standard_normal((depth, *SHAPE)), matrices


def test_drift_with_rotation_is_found():
    rng = np.random.default_rng(4)
    motions = np.cumsum(rng.normal(0, [1.0, 1.0, 0.004], (10, 3)), axis=0)
    slices, true = scanned(10, motions)
    error = alignment_error(estimate_transforms(slices), true, SHAPE)

    assert error["raw_rms_px"] > 1.0
    assert error["step_rms_px"] < 0.15
    assert error["cumulated_rms_px"] < 0.5  # a random walk of ten such steps
    assert error["rotation_rms_rad"] < 0.004


@pytest.mark.parametrize("seed", range(3))
def test_steps_of_some_pixels_are_not_underestimated(seed):
    rng = np.random.default_rng(seed)
    motions = [(*rng.uniform(-3, 3, 2), 0) for _ in range(6)]
    slices, true = scanned(6, motions, seed)
    found = estimate_transforms(slices, mode="translation")
    steps = np.diff(np.column_stack([found.shift_x, found.shift_y]), axis=0).ravel()
    expected = np.diff(true[:, :2, 2], axis=0).ravel()
    assert steps @ expected / (expected @ expected) == pytest.approx(1, abs=0.03)


def test_a_jump_of_many_pixels_is_found():
    motions = [(0, 0, 0)] * 3 + [(14, -9, 0)] * 3
    slices, true = scanned(6, motions)
    error = alignment_error(estimate_transforms(slices, mode="translation"), true, SHAPE)
    assert error["cumulated_rms_px"] < 0.3


def test_a_slice_without_contrast_is_flagged_and_shifts_nobody_else():
    slices, true = scanned(6, [(0.8 * z, 0, 0) for z in range(6)])
    slices[3] = 7.0
    transforms = estimate_transforms(
        slices, rotation_correlation_length=None, require_evidence=False
    )
    others = [0, 1, 2, 4, 5]

    assert "no contrast" in transforms.flags[3][0]
    kept = transforms.matrices[others]
    apart = kept[:, :2, 2] - true[others][:, :2, 2]
    assert np.ptp(apart[:, 0]) < 0.3


def test_one_ruined_slice_neither_moves_nor_cuts_the_rest():
    slices, _ = scanned(7, [(1.5 * z, -z, 0) for z in range(7)])
    clean = estimate_transforms(slices, reference="previous", rotation_correlation_length=None)
    slices[3] = np.random.default_rng(9).normal(size=SHAPE)
    transforms = estimate_transforms(slices, reference="previous", rotation_correlation_length=None)
    others = [0, 1, 2, 4, 5, 6]
    apart = np.column_stack(
        [transforms.shift_x - clean.shift_x, transforms.shift_y - clean.shift_y]
    )[others]

    assert "matches no earlier slice" in transforms.flags[3][0]
    assert transforms.flags[4] == ("registered to slice 2, not 3",)
    assert all(not transforms.flags[z] for z in (0, 1, 2, 5, 6))
    # One registration over two slices replaces two over one: an error of some 0.1 px each.
    assert np.ptp(apart, axis=0).max() < 0.3
    np.testing.assert_allclose(transforms.matrices[3], transforms.matrices[2])


@pytest.mark.parametrize("ruin", [np.nan, 3.0], ids=["not a number", "constant"])
def test_a_first_slice_without_contrast_is_flagged_and_the_second_starts_the_stack(ruin):
    slices, true = scanned(5, [(0.8 * z, 0, 0) for z in range(5)])
    slices[0] = ruin
    transforms = estimate_transforms(slices, reference="previous")
    apart = (transforms.matrices - true)[1:, 0, 2]

    assert "its place is unknown" in transforms.flags[0][0]
    assert "starts the stack" in transforms.flags[1][0]
    assert np.ptp(apart) < 0.3


def test_a_stack_of_noise_is_flagged_and_left_where_it_is():
    noise = np.random.default_rng(2).normal(size=(4, *SHAPE))
    transforms = estimate_transforms(noise, reference="previous")
    assert all("matches no earlier slice" in flags[0] for flags in transforms.flags[1:])
    np.testing.assert_allclose(transforms.matrices, np.tile(np.eye(3), (4, 1, 1)), atol=1e-12)


def torn(image, by=9):
    """The lower half is displaced, as where the sample charges during a scan."""
    image = image.copy()
    image[len(image) // 2 :] = np.roll(image[len(image) // 2 :], by, axis=1)
    return image


@pytest.mark.parametrize("bad", [0, 1, 4, 8, 9])
def test_a_torn_slice_moves_no_other_when_neighbours_must_agree(bad):
    slices, _ = scanned(10, [(0.8 * z, -0.4 * z, 0) for z in range(10)])
    clean = estimate_transforms(slices, require_evidence=False)
    slices[bad] = torn(slices[bad])
    transforms = estimate_transforms(slices, require_evidence=False)
    others = np.delete(np.arange(10), bad)
    apart = np.column_stack(
        [transforms.shift_x - clean.shift_x, transforms.shift_y - clean.shift_y]
    )

    assert not any(clean.flags)
    assert "midway" in transforms.flags[bad][0]
    assert np.ptp(apart[others], axis=0).max() < 0.1
    if 0 < bad < 9:  # beyond the ends there is nothing to lie midway to
        assert np.ptp(apart, axis=0).max() < 0.2


def test_two_lost_slices_in_a_row_are_bridged_and_lie_between_their_neighbours():
    slices, _ = scanned(9, [(0.8 * z, 0, 0) for z in range(9)])
    clean = estimate_transforms(slices, require_evidence=False)
    slices[4:6] = np.random.default_rng(5).normal(size=(2, *SHAPE))
    transforms = estimate_transforms(slices, require_evidence=False)

    assert "midway" in transforms.flags[4][0]
    assert "midway" in transforms.flags[5][0]
    assert transforms.flags[6] == ("registered to slice 3, not 5",)
    assert np.ptp(transforms.shift_x - clean.shift_x) < 0.2


def test_good_stacks_are_aligned_alike_with_one_and_two_neighbours():
    rng = np.random.default_rng(7)
    slices, _ = scanned(8, rng.normal(0, [1.0, 1.0, 0.004], (8, 3)))
    one = estimate_transforms(slices, reference="previous")
    two = estimate_transforms(slices, reference="neighbours")
    assert not any(two.flags)
    np.testing.assert_array_equal(one.matrices, two.matrices)


def test_a_stack_of_noise_has_no_good_slice():
    noise = np.random.default_rng(2).normal(size=(6, *SHAPE))
    transforms = estimate_transforms(noise)
    assert all(transforms.flags[1:])
    np.testing.assert_allclose(transforms.matrices, np.tile(np.eye(3), (6, 1, 1)), atol=1e-12)


def test_accumulated_rotation_is_removed_and_a_jump_is_kept():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(0, 0.002, 60))
    jump = np.where(np.arange(60) >= 30, 0.1, 0.0)
    matrices = np.array([rigid_matrix(0, 0, angle, CENTER) for angle in walk + jump])
    moved, _ = regularise_drift(matrices, CENTER, None, 4.0)
    rotation = np.arctan2(moved[:, 1, 0], moved[:, 0, 0])

    assert walk.std() > 0.006
    assert (rotation - jump).std() < 0.5 * walk.std()
    assert np.diff(rotation)[29] == pytest.approx(np.diff(walk + jump)[29], abs=0.002)


def test_without_a_correlation_length_nothing_is_forgotten():
    matrices = np.array([rigid_matrix(z, -z, 0.01 * z, CENTER) for z in range(5)])
    moved, notes = regularise_drift(matrices, CENTER, None, None)
    np.testing.assert_allclose(moved, matrices, atol=1e-9)
    assert notes == ()


def test_a_slow_rotation_that_is_removed_is_noted():
    matrices = np.array([rigid_matrix(0, 0, 0.002 * z, CENTER) for z in range(60)])
    _, notes = regularise_drift(matrices, CENTER, None, 4.0)
    assert re.search(r"slow rotation of 3\.\d degrees", notes[0])


def test_a_large_correlation_length_keeps_everything():
    matrices = np.array([rigid_matrix(0, 0, a, CENTER) for a in np.linspace(0, 0.1, 9) ** 2])
    moved, _ = regularise_drift(matrices, CENTER, 1e6, 1e6)
    steps = [np.diff(np.arctan2(m[:, 1, 0], m[:, 0, 0])) for m in (matrices, moved)]
    np.testing.assert_allclose(steps[0], steps[1], atol=1e-9)


def test_a_strict_alignment_refuses_what_it_would_flag():
    slices, _ = scanned(6, [(0, 0, 0)] * 6)
    slices[3] = 7.0
    with pytest.raises(InputError, match=r"2 slices could not(.|\n)*slice 3: no contrast"):
        estimate_transforms(slices, reference="previous", strict=True)


def test_texture_around_a_particle_does_not_disturb_its_registration():
    """Noise that is smooth, as strong as the grains, and new in every slice."""
    solid = body(6, 3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = np.hypot(y - CENTER[1], x - CENTER[0]) < 24
    rng = np.random.default_rng(4)
    texture = ndimage.gaussian_filter(rng.standard_normal((6, *SHAPE)), (0, 2, 2))
    grains = 6 + solid[:, 16 : 16 + SHAPE[0], 16 : 16 + SHAPE[1]]
    slices = np.where(inside, grains, texture / texture.std())
    flat, textured = (
        estimate_transforms(slices, mode="translation", mask_background=flatten)
        for flatten in (True, False)
    )
    wander = [np.hypot(t.shift_x, t.shift_y).max() for t in (flat, textured)]
    assert wander[0] < 0.2
    assert wander[0] < wander[1]


def test_a_share_of_missing_values_is_no_obstacle():
    slices, true = scanned(4, [(1.2 * z, 0.7 * z, 0) for z in range(4)])
    slices[np.random.default_rng(3).random(slices.shape) < 0.02] = np.nan
    error = alignment_error(estimate_transforms(slices), true)
    assert error["cumulated_rms_px"] < 0.3


def test_slices_can_be_registered_to_the_first():
    slices, true = scanned(4, [(2.0 * z, 0, 0) for z in range(4)])
    transforms = estimate_transforms(slices, reference="first", mode="translation")
    assert all(not flags for flags in transforms.flags)
    assert alignment_error(transforms, true)["cumulated_rms_px"] < 0.3


def test_detrending_keeps_what_is_linear_and_removes_the_rest():
    wobble = np.array([0, 1.0, -1.0, -1.0, 1.0, 0.0, 0.0, 0.0])
    slices, _ = scanned(8, [(0.5 * z + wobble[z], 0, 0) for z in range(8)])
    plain = estimate_transforms(slices, mode="translation")
    kept = estimate_transforms(slices, mode="translation", detrend="linear")
    z = np.arange(8)

    assert np.polyfit(z, plain.shift_x, 1)[0] > 0.3
    assert np.polyfit(z, kept.shift_x, 1)[0] == pytest.approx(0, abs=1e-9)
    residual = plain.shift_x - np.polyval(np.polyfit(z, plain.shift_x, 1), z)
    np.testing.assert_allclose(kept.shift_x, residual, atol=1e-9)


def test_a_rotation_about_the_centre_is_no_shift():
    blank = np.full(1, np.nan)
    matrices = rigid_matrix(0.0, 0.0, 0.2, CENTER)[None]
    turned = SliceTransforms(matrices, "rigid_body", blank, blank, blank, ((),), CENTER)
    assert (turned.shift_x[0], turned.shift_y[0]) == pytest.approx((0, 0), abs=1e-12)
    assert turned.rotation[0] == pytest.approx(0.2)
    assert SliceTransforms.from_dict(turned.to_dict()).center == CENTER


def test_errors_ignore_the_common_frame():
    drift = [(1.0, 2.0, 0.01), (0.0, 0.0, 0.0), (-2.0, 1.0, 0.02)]
    transforms = transforms_of(*drift)
    frame = rigid_matrix(5.0, -3.0, 0.1, CENTER)
    error = alignment_error(transforms, transforms.matrices @ frame, SHAPE)
    assert error["cumulated_rms_px"] < 1e-3
    assert error["step_rms_px"] < 1e-3


def test_true_matrices_of_another_stack_are_refused():
    with pytest.raises(InputError, match="3 true matrices"):
        alignment_error(transforms_of((0, 0, 0)), np.tile(np.eye(3), (3, 1, 1)), SHAPE)


def test_labels_beyond_the_precision_of_floats_survive():
    labels = np.full((1, *SHAPE), 2**63 + 1, np.uint64)
    moved = apply_transforms(labels, transforms_of((3, 0, 0)), order=0, fill=7)
    assert set(np.unique(moved).tolist()) == {7, 2**63 + 1}


def test_the_frame_lies_in_the_window_on_average():
    slices, _ = scanned(6, [(2.0 * z, -z, 0) for z in range(6)])
    matrices = estimate_transforms(slices).matrices
    moved = matrices @ np.array([*CENTER, 1.0])
    np.testing.assert_allclose(moved.mean(axis=0)[:2], CENTER, atol=1e-6)


def transforms_of(*motions):
    matrices = np.array([rigid_matrix(*motion, CENTER) for motion in motions])
    blank = np.full(len(motions), np.nan)
    return SliceTransforms(matrices, "rigid_body", blank, blank, blank, ((),) * len(motions))


def test_the_transforms_survive_json():
    transforms = transforms_of((1.5, -2, 0.01), (0, 0, 0))
    again = SliceTransforms.from_dict(json.loads(json.dumps(transforms.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.matrices, transforms.matrices)
    assert again.flags == transforms.flags


@settings(deadline=None)
@given(x=st.integers(-5, 5), y=st.integers(-5, 5), order=st.sampled_from([0, 1, 3]))
def test_whole_pixel_shifts_move_values_exactly_and_mask_the_rest(x, y, order):
    volume = np.random.default_rng(0).random((1, *SHAPE))
    moved = apply_transforms(volume, transforms_of((x, y, 0)), order=order)
    rows, columns = SHAPE
    ys = slice(max(0, -y), min(rows, rows - y))
    xs = slice(max(0, -x), min(columns, columns - x))
    shifted = volume[:, max(0, y) : rows + min(0, y), max(0, x) : columns + min(0, x)]
    np.testing.assert_allclose(moved[:, ys, xs], shifted, atol=1e-9)
    assert np.isnan(moved).sum() == moved.size - shifted.size


def test_labels_keep_their_values_and_dtype():
    labels = np.random.default_rng(0).integers(0, 2**31, (2, *SHAPE)).astype(np.uint64) * 3
    moved = apply_transforms(labels, transforms_of((0.4, 0.6, 0.02), (3, 1, 0)), order=0)
    assert moved.dtype == np.uint64
    assert set(np.unique(moved)) <= {0, *np.unique(labels)}


def test_one_missing_value_does_not_spoil_its_surroundings():
    volume = np.ones((1, *SHAPE))
    volume[0, 30, 30] = np.nan
    moved = apply_transforms(volume, transforms_of((0.3, 0.2, 0)), order=3)
    assert np.isnan(moved[0, 25:35, 25:35]).sum() == 1


@pytest.mark.parametrize("order", [2, 3, 5])
def test_a_spline_stays_in_the_range_of_the_data(order):
    volume = np.zeros((1, *SHAPE))
    volume[:, 20:40, 20:40] = 200.0
    moved = apply_transforms(volume, transforms_of((0.4, 0.3, 0.02)), order=order)
    assert np.nanmin(moved) == 0
    assert np.nanmax(moved) == 200


def test_a_slice_that_does_not_move_keeps_its_values_and_its_gaps():
    volume = np.random.default_rng(0).random((1, *SHAPE)).astype(np.float32)
    volume[0, 3, 4] = np.nan
    volume[0, 5, 6] = np.inf
    moved = apply_transforms(volume, transforms_of((0, 0, 0)), order=3)
    gaps = ~np.isfinite(volume)
    np.testing.assert_array_equal(np.isnan(moved), gaps)
    np.testing.assert_array_equal(moved[~gaps], volume[~gaps])


def test_labels_cannot_be_interpolated():
    with pytest.raises(InputError, match="order 3"):
        apply_transforms(np.zeros((1, 4, 4), int), transforms_of((0, 0, 0)), order=3)


def test_crystals_turn_with_their_slice():
    angle = 0.3
    crystal = Rotation.random(rng=np.random.default_rng(1))
    field = np.broadcast_to(crystal.as_quat(scalar_first=True), (1, 2, 2, 4))
    turned = rotate_orientations(field, transforms_of((0, 0, angle)))
    aligned_direction = np.array([1.0, 0.0, 0.0])
    scanned_direction = np.array([np.cos(angle), np.sin(angle), 0.0])
    ours = Rotation.from_quat(turned[0, 0, 0], scalar_first=True)
    np.testing.assert_allclose(
        ours.apply(aligned_direction), crystal.apply(scanned_direction), atol=1e-6
    )


def test_conf_base_holds_the_defaults():
    text = Path("conf/base/parameters_preprocessing.yml").read_text(encoding="utf-8")
    written = yaml.safe_load(text)["preprocessing"]["alignment"]
    assert AlignmentSettings(**written) == AlignmentSettings()
    assert set(written) == set(AlignmentSettings.model_fields)


def test_single_settings_change_those_that_are_given():
    assert set(get_type_hints(SettingChanges)) == set(AlignmentSettings.model_fields) - {
        "spline_order"
    }
    slices, _ = scanned(4, [(1.5 * z, 0, 0) for z in range(4)])
    by_name = estimate_transforms(slices, AlignmentSettings(smoothing=1.0), mode="translation")
    at_once = estimate_transforms(slices, AlignmentSettings(smoothing=1.0, mode="translation"))
    np.testing.assert_array_equal(by_name.matrices, at_once.matrices)
    assert by_name.mode == "translation"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"mode": "elastic"}, "elastic"),
        ({"reference": "mean"}, "mean"),
        ({"detrend": "cubic"}, "cubic"),
        ({"smoothing": -1.0}, r"-1\.0"),
        ({"smothing": 1.0}, "smothing"),
        ({"rotation_memory": 4.0}, "rotation_correlation_length"),
        ({"shift_memory": 4.0}, "shift_correlation_length"),
        ({"flatten_surroundings": True}, "mask_background"),
    ],
)
def test_unknown_settings_are_refused(setting, says):
    with pytest.raises(SettingsError, match=says):
        estimate_transforms(np.zeros((2, 8, 8)), **setting)


def test_a_single_image_is_no_stack():
    with pytest.raises(InputError, match=r"\(8, 8\)"):
        estimate_transforms(np.zeros((8, 8)))
