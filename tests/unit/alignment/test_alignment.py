import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from electrode_grains.alignment import (
    SliceTransforms,
    alignment_error,
    apply_transforms,
    estimate_transforms,
    rigid_matrix,
    rotate_orientations,
)
from electrode_grains.problems import InputProblem, SettingsProblem

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


def test_a_jump_of_many_pixels_is_found():
    motions = [(0, 0, 0)] * 3 + [(14, -9, 0)] * 3
    slices, true = scanned(6, motions)
    error = alignment_error(estimate_transforms(slices, mode="translation"), true, SHAPE)
    assert error["cumulated_rms_px"] < 0.3


def test_a_slice_without_contrast_is_flagged_and_shifts_nobody_else():
    slices, true = scanned(6, [(0.8 * z, 0, 0) for z in range(6)])
    slices[3] = 7.0
    transforms = estimate_transforms(slices)
    others = [0, 1, 2, 4, 5]

    assert "no contrast" in transforms.flags[3][0]
    kept = transforms.matrices[others]
    apart = kept[:, :2, 2] - true[others][:, :2, 2]
    assert np.ptp(apart[:, 0]) < 0.3


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


def test_labels_cannot_be_interpolated():
    with pytest.raises(InputProblem, match="order 3"):
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


def test_an_unknown_mode_is_refused():
    with pytest.raises(SettingsProblem, match="elastic"):
        estimate_transforms(np.zeros((2, 8, 8)), mode="elastic")
