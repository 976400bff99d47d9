import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.boundary import normalize_contrast, standardize_channel


def ball_stack(seed=5):
    """A bright ball in a dark ground, with noise: end slices are mere background."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices((30, 60, 60)) - np.array([15, 30, 30])[:, None, None, None]
    inside = (z / 15) ** 2 + (y / 30) ** 2 + (x / 30) ** 2 < 0.9
    return np.where(inside, 100.0, 30.0) + 5 * rng.normal(size=inside.shape), inside


def test_drift_of_the_gain_disappears():
    stack, _ = ball_stack()
    gains = np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.05, 30)))

    steady, drifting = (
        normalize_contrast(volume) for volume in (stack, stack * gains[:, None, None])
    )

    np.testing.assert_allclose(drifting, steady, atol=1e-4)


def test_drift_of_the_offset_disappears():
    stack, _ = ball_stack()
    offsets = np.linspace(0, 40, 30)[:, None, None]

    steady = normalize_contrast(stack, drift="offset")

    np.testing.assert_allclose(
        normalize_contrast(stack + offsets, drift="offset"), steady, atol=1e-4
    )


@pytest.mark.parametrize("drift", ["gain", "offset"])
def test_background_is_as_dark_in_end_slices_as_in_the_middle(drift):
    stack, inside = ball_stack()

    contrast = normalize_contrast(stack, drift=drift)
    background = [np.median(contrast[z][~inside[z]]) for z in (0, 8, 15, 22, 29)]

    noise = 5 / ((100 - 30) / 2)  # in units of normalised contrast
    assert np.ptp(background) < noise


def test_statistics_per_slice_mistake_a_background_slice_for_a_dark_one():
    stack, inside = ball_stack()

    contrast = normalize_contrast(stack, drift="slice")

    assert np.median(contrast[0]) == pytest.approx(np.median(contrast[15]), abs=1e-6)
    assert np.median(contrast[15][~inside[15]]) < -1


@settings(deadline=None, max_examples=20)
@given(factor=st.floats(0.01, 1e4))
def test_contrast_does_not_depend_on_the_unit_of_image_quality(factor):
    stack, _ = ball_stack()

    np.testing.assert_allclose(
        normalize_contrast(stack[:6] * factor), normalize_contrast(stack[:6]), atol=1e-4
    )


def test_voxels_without_a_source_stay_unmeasured():
    stack, _ = ball_stack()
    stack[3:5, :10] = np.nan
    stack[7] = np.nan

    contrast = normalize_contrast(stack)

    assert np.array_equal(np.isnan(contrast), np.isnan(stack))


def test_statistics_of_a_channel_leave_out_what_was_not_measured():
    values = np.random.default_rng(2).normal(5, 3, (4, 9, 9))
    measured = np.ones(values.shape, bool)
    measured[2] = False
    values[2] = 1e6

    scaled = standardize_channel(values, measured)

    assert np.isnan(scaled[2]).all()
    assert np.nanmean(scaled) == pytest.approx(0, abs=1e-5)
    assert np.nanstd(scaled) == pytest.approx(1, abs=1e-5)


def test_slice_behind_a_missing_one_is_not_mistaken_for_a_jump():
    stack, _ = ball_stack()
    whole = normalize_contrast(stack)
    stack[7] = np.nan

    assert np.abs(normalize_contrast(stack)[8] - whole[8]).max() < 0.1


def test_result_is_float32_and_the_input_unchanged():
    stack, _ = ball_stack()
    before = stack.copy()

    assert normalize_contrast(stack).dtype == np.float32
    np.testing.assert_array_equal(stack, before)


def test_volume_without_contrast_is_refused():
    with pytest.raises(ValueError, match="24 finite voxels"):
        normalize_contrast(np.ones((2, 3, 4)))


def test_single_image_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 4\)"):
        normalize_contrast(np.ones((3, 4)))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("drift", "tilt", "'tilt'"),
        ("quantiles", (0.9, 0.1), r"\(0.9, 0.1\)"),
        ("clip", -1.0, "-1.0"),
    ],
)
def test_impossible_setting_is_refused(setting, value, message):
    with pytest.raises(ValueError, match=message):
        normalize_contrast(np.ones((2, 3, 4)), **{setting: value})
