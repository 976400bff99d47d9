"""Stacks as they are: lost slices, names whose last number is not the slice, copies."""

import numpy as np
import pytest
import xarray as xr

from electrode_grains.ebsd import ReadingOptions, inspect_scans, stack_scans
from electrode_grains.errors import InputError, SettingsError


def scan(value):
    values = np.arange(6.0).reshape(2, 3) + value
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), values),
            "confidence_index": (("y", "x"), np.full((2, 3), 0.5)),
            "euler_angles": (("y", "x", "angle"), np.full((2, 3, 3), 0.1)),
            "phase": (("y", "x"), np.ones((2, 3), np.int16)),
        },
        attrs={"step_nm": (50.0, 50.0)},
    )


def scans(*numbers, name="slice_{:03d}"):
    return {name.format(number): scan(10.0 * number) for number in numbers}


def test_a_lost_slice_keeps_its_depth_and_holds_no_measurement():
    stack = stack_scans(scans(3, 5, 6), 50.0, options=ReadingOptions(missing_slices=(4,)))
    assert stack.attrs["slices"] == ("slice_003", "missing_004", "slice_005", "slice_006")
    assert stack["z"].to_numpy().tolist() == [0, 50, 100, 150]
    assert np.isnan(stack["image_quality"][1]).all()
    assert np.isnan(stack["euler_angles"][1]).all()
    assert (stack["confidence_index"][1] == -1).all()
    assert (stack["phase"][1] == 0).all()
    assert float(stack["image_quality"][2, 0, 0]) == 50
    assert stack.attrs["notes"] == ("slice 4 is missing and stays without measurement",)


def test_a_lost_slice_that_nobody_names_is_refused_with_the_way_out():
    with pytest.raises(InputError, match="missing slices before it") as refusal:
        stack_scans(scans(3, 5), 50.0)
    assert "missing_slices" in " ".join(str(refusal.value).split())


@pytest.mark.parametrize("number", [3, 2, 9])
def test_only_what_lacks_within_the_stack_can_be_missing(number):
    with pytest.raises(SettingsError, match=f"missing_slices: {number}"):
        stack_scans(scans(3, 5), 50.0, options=ReadingOptions(missing_slices=(4, number)))


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("NMC_{:03d}_20kV", r"NMC_(\d+)_"),
        ("slice{:03d}_50nm", r"slice(\d+)"),
        ("{}_of_9", r"^(\d+)"),
    ],
)
def test_a_pattern_says_which_number_counts_the_slices(name, pattern):
    given = scans(10, 8, 9, name=name)
    with pytest.raises(InputError, match=r"doubled slice number(.|\n)*slice_pattern"):
        stack_scans(given, 50.0)
    stack = stack_scans(given, 50.0, options=ReadingOptions(slice_pattern=pattern))
    assert stack.attrs["slices"] == ("slice_008", "slice_009", "slice_010")
    assert stack["image_quality"][:, 0, 0].to_numpy().tolist() == [80, 90, 100]


def test_a_pattern_that_does_not_fit_is_told_for_each_name():
    _, issues = inspect_scans(
        {**scans(1, 2), "overview_1": scan(0), "slice_001b": scan(1)},
        options=ReadingOptions(slice_pattern=r"slice_(\d+)"),
    )
    assert [(row.slice, row.problem) for row in issues] == [
        ("overview_1", "no slice number in the name"),
        ("slice_001b", "doubled slice number"),
    ]


@pytest.mark.parametrize("pattern", [r"slice_\d+", r"(\d+)_(\d+)", "("])
def test_a_pattern_has_one_group(pattern):
    with pytest.raises(ValueError, match=r"groups?,|expression"):
        ReadingOptions(slice_pattern=pattern)


def test_a_copy_of_the_slice_before_draws_a_note():
    given = {**scans(1, 2), "slice_003": scan(20.0)}
    (note,) = stack_scans(given, 50.0).attrs["notes"]
    assert note == "slice_003: the same image as the slice before"
