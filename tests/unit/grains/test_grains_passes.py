"""Settings, passes and results of the segmentation as a user meets them."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from electrode_grains.errors import SettingsError
from electrode_grains.grains import (
    BoundaryCandidates,
    DepthCandidates,
    EditSettings,
    SegmentationChoice,
    SegmentationLog,
    SegmentationSettings,
    VoidSettings,
    apply_edits,
    equal_up_to_relabelling,
    segment_grains,
    segment_grains_with_report,
)
from electrode_grains.grains.passes import (
    NAMED_PASSES,
    CutReport,
    SegmentationState,
    find_pass,
    place,
)

CONFIGURATION = Path(__file__).parents[3] / "conf/base/parameters_segmentation.yml"
SETTINGS = SegmentationSettings(
    minima_depth=0.1, merge_boundary=0.6, merge_mode="iq", place_sweeps=0, minimum_voxels=0,
    merge_evidence="score", merge_size_weight=0, particle="all",
)  # fmt: skip


def probability_of(seed, shape=(4, 7, 9)):
    """Random boundary inside, around it a ridge and then background."""
    inside = np.random.default_rng(seed).random(shape) * 0.9
    boundary = np.pad(np.pad(inside, 1, constant_values=0.95), 2)
    background = np.pad(np.zeros(boundary[2:-2, 2:-2, 2:-2].shape), 2, constant_values=0.97)
    return np.stack([boundary, 1 - boundary - background, background])


def test_the_defaults_are_those_of_the_configuration():
    configured = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["segmentation"]
    configured["grains"]["laue_group"] = "-3m"  # of globals.yml
    configured["grains"]["pseudo_symmetry"] = "auto"
    models = {
        "grains": SegmentationSettings, "depths": DepthCandidates, "voids": VoidSettings,
        "boundaries": BoundaryCandidates, "manual": EditSettings,
    }  # fmt: skip

    assert {name: model().model_dump(mode="json") for name, model in models.items()} == configured
    for model in models.values():
        assert all(field.description for field in model.model_fields.values())


def test_a_renamed_setting_is_refused_with_its_new_name():
    with pytest.raises(ValidationError, match="stiffness is called interface_cost now"):
        SegmentationSettings(stiffness=0.4)


def test_depth_and_background_threshold_replace_those_of_the_settings():
    probability = probability_of(3)
    by_settings = SETTINGS.replace(minima_depth=0.3, background_threshold=0.4)

    assert np.array_equal(
        segment_grains(probability, 0.3, 0.4, settings=SETTINGS),
        segment_grains(probability, settings=by_settings),
    )


def test_what_annotated_slices_should_choose_is_warned_of_without_any():
    free = SETTINGS.replace(minima_depth="auto", merge_boundary="auto")

    _, report = segment_grains_with_report(probability_of(1), settings=free)

    assert "no annotated slice has chosen the depth of minima (0.005)" in report.warnings[0]
    assert "boundary score (0.475)" in report.warnings[0]


def test_the_default_passes_are_all_that_are_named_in_the_order_of_the_docs():
    text = (CONFIGURATION.parents[2] / "docs/segmentation.md").read_text(encoding="utf-8")
    headed = re.findall(r"^\d+\. [^`\n]*`(\w+)`", text, flags=re.MULTILINE)

    assert headed == list(SegmentationSettings().passes)
    assert set(headed) == set(NAMED_PASSES)


def test_a_pass_can_be_left_out():
    probability = probability_of(2)
    unmerged = tuple(name for name in SETTINGS.passes if name != "merge")

    labels, report = segment_grains_with_report(
        probability, settings=SETTINGS.replace(passes=unmerged)
    )

    alone = segment_grains(probability, settings=SETTINGS.replace(merge_mode="none"))
    assert np.array_equal(labels, alone)
    assert report.merging is None
    assert [name for name, _ in report.passes] == list(unmerged)


def test_passes_run_in_the_order_given():
    early = ("flood", "merge", "drop_background", "clean_up")

    _, report = segment_grains_with_report(
        probability_of(2), settings=SETTINGS.replace(passes=early)
    )

    assert report.merging.regions == report.basins  # before the background was dropped
    assert report.cleanup.regions == report.merging.grains


def keep_one_slice(state, settings):
    """A pass of a user: leaves the grains of the middle slice."""
    labels = np.zeros_like(state.labels)
    middle = len(labels) // 2
    labels[middle] = state.labels[middle]
    return SegmentationState(labels, state.class_probability), CutReport(regions_cut=1)


def test_a_pass_of_ones_own_takes_its_place(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    own = f"{Path(__file__).stem}.keep_one_slice"
    settings_ = SETTINGS.replace(passes=(*SETTINGS.passes, own))

    labels, report = segment_grains_with_report(probability_of(4), settings=settings_)

    assert np.flatnonzero(labels.any(axis=(1, 2))).tolist() == [len(labels) // 2]
    assert report.passes[-1] == (own, CutReport(regions_cut=1))
    assert report.basins_cut_by_orientation == 1


@pytest.mark.parametrize("name", ["wash", "no_such_module.wash", "json.wash"])
def test_an_unknown_pass_is_refused_with_those_that_are_known(name):
    with pytest.raises(SettingsError, match=f"(?s){name}.*drop_background"):
        find_pass(name)


def test_nothing_unmeasured_becomes_a_grain():
    probability = probability_of(5, (8, 9, 10))
    measured = np.random.default_rng(6).random(probability.shape[1:]) > 0.05
    measured[7] = False

    labels = segment_grains(probability, settings=SETTINGS, measured=measured)
    basins = segment_grains_with_report(
        probability, settings=SETTINGS, measured=measured,
        basins=np.arange(1, labels.size + 1, dtype=np.int32).reshape(labels.shape),
    )[0]  # fmt: skip

    assert not labels[~measured].any()
    assert not basins[~measured].any()
    assert (labels[measured & (probability[2] < 0.5)] > 0).mean() > 0.95


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), axes=st.permutations([0, 1, 2]))
def test_grains_do_not_depend_on_the_order_of_axes(seed, axes):
    probability = probability_of(seed)
    probability[0] += 1e-3 * np.random.default_rng(seed).random(probability.shape[1:])  # no ties
    # Merging has ties by construction: faces of one voxel count the same value.
    rule = SETTINGS.replace(merge_mode="none")

    turned = segment_grains(probability.transpose(0, *(1 + a for a in axes)), settings=rule)

    expected = segment_grains(probability, settings=rule).transpose(axes)
    assert equal_up_to_relabelling(turned, expected)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), shift=st.tuples(*[st.integers(-1, 1)] * 3))
def test_grains_move_with_the_particle(seed, shift):
    probability = probability_of(seed)
    rule = SETTINGS.replace(minimum_voxels=3)

    moved = segment_grains(np.roll(probability, shift, axis=(1, 2, 3)), settings=rule)

    assert np.array_equal(
        moved, np.roll(segment_grains(probability, settings=rule), shift, (0, 1, 2))
    )


def test_the_log_comes_back_from_its_json():
    labels, report = segment_grains_with_report(probability_of(7), settings=SETTINGS)
    edits = [{"action": "remove", "at": [5, 5, 5]}, {"action": "remove", "at": [0, 0, 0]}]
    choice = SegmentationChoice(
        minima_depth=0.1, merge_boundary=0.6, best={"minima_depth": 0.1, "merge_boundary": 0.5},
        judged_by_slices=[3],
        merge_boundary_curve={"grain_count": [4, 3], "boundary_f1": [0.5, None]},
    )  # fmt: skip
    _, entries = apply_edits(labels, edits, outdated="report")

    log = SegmentationLog.of(report, choice, entries)
    again = SegmentationLog.from_dict(json.loads(json.dumps(log.to_dict())))

    assert json.dumps(again.to_dict()) == json.dumps(log.to_dict())
    assert [entry.applied for entry in again.edits] == [True, False]
    assert "edit 2 (remove at [(0, 0, 0)]) does not fit" in again.warnings[-1]
    assert isinstance(again.choice.merge_boundary_curve["grain_count"][0], int)
    with pytest.raises(ValidationError, match="basins"):
        SegmentationLog.from_dict({k: v for k, v in log.to_dict().items() if k != "basins"})


def test_where_orientations_decide_faces_between_slices_cost_as_those_within():
    labels = np.full((5, 7, 7), 2, np.int32)
    labels[2, 3, 3] = 1  # a point that no class speaks for or against
    state = SegmentationState(labels, np.full((3, *labels.shape), 1 / 3))
    across = SETTINGS.replace(place_sweeps=1, interface_cost=0.0, slice_interface_cost=1.0)

    assert place(state, across)[1].voxels_placed == 1
    decided = dataclasses.replace(state, linked=np.zeros_like(labels))
    assert place(decided, across)[1].voxels_placed == 0


def test_voxels_whose_orientation_is_linked_stay_and_others_move():
    labels = np.full((5, 7, 7), 2, np.int32)
    labels[2, 3, 3] = labels[2, 3, 5] = 1  # points that no class speaks for or against
    state = SegmentationState(labels, np.full((3, *labels.shape), 1 / 3))
    rule = SETTINGS.replace(place_sweeps=1, interface_cost=1.0)
    linked = np.zeros_like(labels)
    linked[2, 3, 3] = 1

    placed, report = place(dataclasses.replace(state, linked=linked), rule)

    assert report.voxels_placed == 1
    assert placed.labels[2, 3, 3] != placed.labels[2, 3, 4] == placed.labels[2, 3, 5]
