"""Scores, choices, edits and warnings against definitions, other libraries and exact bounds."""

import numpy as np
import pandas as pd
import pytest
from skimage import measure, metrics

from electrode_grains.errors import InputError
from electrode_grains.grains import (
    SegmentationSettings,
    apply_edits,
    boundary_agreement,
    compare_statistics,
)
from electrode_grains.grains.checks import check_grains, count_cut_by_window
from electrode_grains.grains.grey_evidence import (
    GreyBoundaries,
    boundaries_brighter,
    compare_evidence,
    grey_landscape,
)
from electrode_grains.grains.labelling import summable
from electrode_grains.grains.segmentation import segment_grains_with_report


@pytest.mark.parametrize("seed", range(3))
def test_interiors_of_all_slices_are_compared_as_scikit_image_does(seed):
    """Sections of grains and drawn interiors are pieces of their slice, told apart over slices."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (4, 7, 8))
    drawn = rng.choice([1, 2, 3], (4, 7, 8), p=[0.3, 0.6, 0.1])
    drawn[1] = 0  # not annotated

    found = boundary_agreement(labels, drawn)

    sections, interiors = np.zeros((2, 4, 7, 8), int)
    for z in (0, 2, 3):
        own = measure.label(labels[z], background=0, connectivity=1)
        inner = measure.label(drawn[z] == 2, connectivity=1)
        sections[z] = np.where(own > 0, own + sections.max(), 0)
        interiors[z] = np.where(inner > 0, inner + interiors.max(), 0)
    inside = interiors > 0
    split, joined = metrics.variation_of_information(interiors[inside], sections[inside])
    error, *_ = metrics.adapted_rand_error(interiors, sections)
    assert found["annotated_slices"] == 3
    assert found["interior_information"] == pytest.approx(split + joined)
    assert found["interior_rand_error"] == pytest.approx(error)


def test_lines_count_in_annotated_voxels_of_grains_alone():
    labels = np.array([[[1, 1, 2, 2, 0, 3]]])
    drawn = np.array([[[0, 1, 2, 2, 2, 2]]])

    found = boundary_agreement(labels, drawn, tolerance=0)

    # Lines of the labels: voxels 1, 2, 3 and 5; voxel 4 is no grain, and voxel 0 is not drawn.
    assert found["boundary_precision"] == pytest.approx(1 / 4)
    assert found["boundary_recall"] == 1
    assert found["boundary_f1"] == pytest.approx(2 * 0.25 / 1.25)


def walled(bright):
    """Two grains in three slices with a wall between them that only grey values show."""
    drawn = np.full((3, 9, 14), 2)
    drawn[:, :, 7] = 1
    image = np.where(drawn == 1, 1.0, 0.0) if bright else np.where(drawn == 1, 0.0, 1.0)
    image += 0.05 * np.random.default_rng(2).random(image.shape)
    network = np.stack([np.full(drawn.shape, 0.5), np.full(drawn.shape, 0.5), 0.0 * drawn])
    return drawn, image, network


def test_the_best_grey_values_are_the_best_of_all_widths_and_depths_that_the_notes_name():
    drawn, image, network = walled(bright=True)
    settings = SegmentationSettings(merge_mode="iq", minimum_voxels=3)

    found = compare_evidence(1.0, network, image, drawn, settings=settings)

    plain = settings.replace(merge_mode="none", place_sweeps=0, merge_boundary=0.5)
    tried = {}
    for width in (0.7, 1.5):
        flooded = GreyBoundaries(bright=True, width=width).class_probability(network, image)
        for depth in (0.01, 0.03, 0.1, 0.2):
            labels, _ = segment_grains_with_report(
                flooded, settings=plain.replace(minima_depth=depth)
            )
            tried[width, depth] = boundary_agreement(labels, drawn)["interior_information"]
    least = min(tried.values())
    assert found.grey == least
    assert (found.best.width, found.depth) == min(key for key in tried if tried[key] == least)
    assert len(set(tried.values())) > 1


def test_grey_values_between_the_quantiles_run_from_nought_to_one():
    image = np.arange(201.0).reshape(1, 1, -1)

    landscape = grey_landscape(image, bright=True).ravel()

    # The quantiles .01 and .99 of 0 to 200 are 2 and 198.
    expected = np.clip((np.arange(201) - 2) / 196, 0, 1)
    np.testing.assert_allclose(landscape, expected, atol=1e-6)
    np.testing.assert_allclose(grey_landscape(image, bright=False).ravel(), 1 - expected, atol=1e-6)
    even = grey_landscape(np.full((1, 2, 2), 7.0), bright=True)
    assert even.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


@pytest.mark.parametrize(("wall", "grain", "brighter"), [(2.0, 1.0, True), (1.0, 1.0, False)])
def test_boundaries_are_brighter_where_their_mean_is_greater(wall, grain, brighter):
    drawn = np.array([[[1, 2, 0, 3]]])
    image = np.array([[[wall, grain, 9.0, 9.0]]])

    assert boundaries_brighter(image, drawn) is brighter
    assert boundaries_brighter(image, np.where(drawn == 1, 0, drawn)) is False
    assert boundaries_brighter(image, np.where(drawn == 2, 0, drawn)) is False
    assert boundaries_brighter(np.where(drawn == 1, np.nan, image), drawn) is False


def test_probabilities_are_rounded_to_multiples_of_half_a_unit_of_float32():
    values = np.array([0.5, 1 - 2.0**-24, 2.0**-24, 2.0**-26, 3 * 2.0**-25 + 1e-9, 1.0])

    found = summable(values)

    expected = [0.5, 1 - 2.0**-24, 2.0**-24, 0.0, 2 * 2.0**-24, 1.0]
    assert found.tolist() == expected
    assert (found * 2.0**24 % 1 == 0).all()


@pytest.mark.parametrize(("large", "warned"), [(4, False), (5, True)])
def test_a_grain_of_more_than_half_the_particle_is_warned_of(large, warned):
    labels = np.zeros((3, 3, 11), int)
    labels[1, 1, 1 : 1 + large], labels[1, 1, 1 + large : 9] = 7, 8
    labels[1, 1, 8] = 9

    warnings = check_grains(labels)

    assert any("largest grain (7) holds" in each for each in warnings) == warned
    assert not any("cut by the window" in each for each in warnings)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("end", [0, -1])
def test_a_grain_in_any_outermost_layer_is_cut(axis, end):
    labels = np.zeros((4, 5, 6), int)
    labels[1:3, 1:3, 1:3] = 2
    assert count_cut_by_window(labels) == 0
    place = [1, 3, 4]
    place[axis] = labels.shape[axis] - 1 if end else 0
    labels[tuple(place)] = 5

    assert count_cut_by_window(labels) == 1
    assert not any("all 1 grains" in each for each in check_grains(labels))
    whole = np.where(labels == 2, 0, labels)
    assert "all 1 grains are cut by the window" in check_grains(whole)[-1]


def test_a_split_takes_labels_while_its_type_has_some():
    labels = np.full((1, 1, 6), 253, np.uint8)
    three = [{"action": "split", "at": [[0, 0, 0], [0, 0, 3], [0, 0, 5]]}]

    edited, (entry,) = apply_edits(labels, three)

    assert edited.ravel()[[0, 3, 5]].tolist() == [253, 254, 255]
    assert entry.labels_after == (253, 254, 255)
    assert entry.voxels_changed == (edited != labels).sum()
    with pytest.raises(InputError, match="no label is left"):
        apply_edits(labels + np.uint8(1), three)


def test_a_piece_that_no_voxel_of_a_split_reaches_keeps_its_label():
    labels = np.zeros((3, 4, 9), np.int32)
    labels[1, 1:3, 1:5], labels[1, 1, 7] = 4, 4

    edited, (entry,) = apply_edits(labels, [{"action": "split", "at": [[1, 1, 1], [1, 1, 4]]}])

    assert edited[1, 1, 7] == 4
    assert edited[1, 1:3, 1:5].tolist() == [[4, 4, 5, 5]] * 2
    assert entry.voxels_changed == 4


def test_a_boundary_that_is_no_number_stops_a_split_of_its_grain_alone():
    labels = np.array([[[1, 1, 1, 2]]], np.int32)
    split = [{"action": "split", "at": [[0, 0, 0], [0, 0, 2]]}]
    apply_edits(labels, split, np.array([[[0.1, 0.2, 0.3, np.nan]]]))
    with pytest.raises(InputError, match="not finite in grain 1"):
        apply_edits(labels, split, np.array([[[0.1, np.nan, 0.3, 0.0]]]))
    with pytest.raises(InputError, match="different shapes"):
        apply_edits(labels, split, np.zeros((1, 1, 3)))


def test_statistics_are_compared_over_whole_grains_relative_where_they_have_a_length():
    true = pd.DataFrame(
        {"equivalent_diameter_nm": [100.0, 200.0, 300.0, 9e9], "sphericity": [0.9, 0.8, 0.7, 0.0],
         "convexity": [1.0, 0.9, 0.95, 0.0], "elongation": [0.5, 0.6, 0.8, 0.0],
         "touches_window": [False, False, False, True]}
    )  # fmt: skip
    found = true.assign(
        equivalent_diameter_nm=[110.0, 220.0, 330.0, 1.0], sphericity=[0.8, 0.7, 0.6, 1.0]
    )

    errors = compare_statistics(found, true)

    size, shape = (errors["mean"][name] for name in ("equivalent_diameter_nm", "sphericity"))
    assert size == pytest.approx({"found": 220.0, "true": 200.0, "error": 0.1})
    assert shape == pytest.approx({"found": 0.7, "true": 0.8, "error": -0.1})
    spread = errors["std"]["equivalent_diameter_nm"]
    assert spread == pytest.approx({"found": 110.0, "true": 100.0, "error": 0.1})
    pair = errors["correlation"]["equivalent_diameter_nm:sphericity"]
    assert pair == pytest.approx({"found": -1.0, "true": -1.0, "error": 0.0})
    alone = compare_statistics(found[:1], true[:1])
    assert alone["std"]["sphericity"] == {"found": None, "true": None, "error": None}
