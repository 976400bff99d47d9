"""Voxels without measurement bound the particle as the border of the window does."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from electrode_grains.errors import InputError
from electrode_grains.morphometry import (
    BlockStatistics,
    characterize_grains,
    measure_contacts,
    measure_particle,
    measure_volume,
    summarize_particle,
    transition_areas,
)
from electrode_grains.morphometry.crofton import DIRECTIONS
from electrode_grains.morphometry.edges import _unmeasured_sums, count_places
from proofs import agree, proves

SPACING = (50.0, 40.0, 30.0)
SHAPE = st.shared(hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), key="shape")
LABELS = hnp.arrays(np.int64, SHAPE, elements=st.integers(0, 4))
MEASURED = hnp.arrays(np.bool_, SHAPE)


def cells(shape, count=30, seed=0):
    """A mosaic of nearest seeds, one cell in eight empty."""
    seeds = np.random.default_rng(seed).random((count, 3)) * shape
    place = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    nearest = ((place - seeds) ** 2).sum(axis=-1).argmin(axis=-1)
    return np.where(nearest % 8 == 0, 0, nearest)


@settings(deadline=None, max_examples=30)
@given(labels=LABELS)
def test_a_window_that_was_measured_everywhere_changes_no_byte(labels):
    everywhere = np.ones(labels.shape, bool)
    first, second = (measure_particle(labels, SPACING, region) for region in (None, everywhere))
    pd.testing.assert_frame_equal(first.grains, second.grains, check_exact=True)
    pd.testing.assert_frame_equal(first.contacts, second.contacts, check_exact=True)
    assert first.particle == second.particle


@proves(
    "particle_summary",
    "measured_share",
    oracle="metamorphic",
    by="a measured box is the cropped volume",
)
@proves(
    "grain_table",
    "edge_weight",
    "surface_distance_nm",
    "touches_window",
    oracle="metamorphic",
    by="a measured box is the cropped volume",
)
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.uint64])
def test_a_measured_box_gives_what_the_cropped_volume_gives(dtype):
    labels = cells((16, 18, 20)).astype(dtype)
    box = (slice(2, 15), slice(1, 16), slice(3, 20))
    measured = np.zeros(labels.shape, bool)
    measured[box] = True
    lattice = np.full((*labels.shape, 4), [1.0, 0, 0, 0])
    lattice[~measured] = [0.8, 0.6, 0, 0]  # what lies there belongs to no grain
    quality = np.where(measured, labels / 7.0, 1e6)
    found = measure_particle(labels, SPACING, measured, image_quality=quality, orientations=lattice)
    cropped = measure_particle(
        labels[box], SPACING, image_quality=quality[box], orientations=lattice[box]
    )
    corner = np.array([part.start for part in box])
    for axis, name in enumerate("zyx"):
        for end in ("first", "last"):
            cropped.grains[f"box_{end}_{name}"] += corner[axis]
        cropped.grains[f"centroid_{name}_nm"] += corner[axis] * SPACING[axis]
    pd.testing.assert_frame_equal(found.grains, cropped.grains, rtol=1e-12, atol=1e-9)
    pd.testing.assert_frame_equal(found.contacts, cropped.contacts, check_exact=True)
    expected = cropped.particle.to_dict() | {"measured_share": measured.mean()}
    assert found.particle.to_dict() == pytest.approx(expected)
    agree("measured_share", found.particle.measured_share, measured.mean(), rel=1e-12)
    for name in ("edge_weight", "surface_distance_nm"):
        agree(name, found.grains[name], cropped.grains[name], rel=1e-12)


@proves(
    "grain_table", "touches_window", "voxel_count", oracle="high precision", by="dilation by scipy"
)
@settings(deadline=None, max_examples=60)
@given(labels=LABELS, measured=MEASURED)
def test_grains_are_cut_where_a_face_meets_no_measurement(labels, measured):
    table = characterize_grains(labels, SPACING, measured).set_index("label")
    grains = np.where(measured, labels, 0)
    assert table.index.tolist() == np.unique(grains[grains > 0]).tolist()
    unmeasured = np.pad(~measured, 1, constant_values=True)
    beside = ndimage.binary_dilation(unmeasured)[1:-1, 1:-1, 1:-1]
    for label, row in table.iterrows():
        assert row["voxel_count"] == (grains == label).sum()
        assert row["touches_window"] == bool((beside & (grains == label)).any())
        assert np.isnan(row["edge_weight"]) == row["touches_window"]


@proves(
    "contact_table",
    "interface_area_nm2",
    "touches_window_nm2",
    oracle="high precision",
    by="pairs of voxels, one by one",
)
@settings(deadline=None, max_examples=40)
@given(labels=LABELS, measured=MEASURED)
def test_contacts_count_pairs_of_neighbours_whatever_was_measured(labels, measured):
    areas = transition_areas(SPACING)
    grains = np.pad(np.where(measured, labels, -1), 1, constant_values=-1)
    expected, on_window = {}, {}
    for step, area in zip(DIRECTIONS, areas, strict=True):
        for sign in (1, -1):
            other = np.roll(grains, [-sign * s for s in step], axis=(0, 1, 2))
            for a, b in product(range(1, 5), range(-1, 5)):
                count = int(((grains == a) & (other == b)).sum())
                if count and a != b:
                    pair = (max(b, 0), a)
                    if b <= 0 or b < a:
                        expected[pair] = expected.get(pair, 0.0) + count * area
                    if b == -1:
                        on_window[pair] = on_window.get(pair, 0.0) + count * area
    contacts = measure_contacts(labels, SPACING, measured).set_index(["label_a", "label_b"])
    areas = contacts["interface_area_nm2"]
    assert set(areas.index) == set(expected)
    agree("interface_area_nm2", areas, [expected[pair] for pair in areas.index], rel=1e-9)
    on_border = contacts.loc[contacts["touches_window_nm2"] > 0, "touches_window_nm2"]
    assert set(on_border.index) == set(on_window)
    agree("touches_window_nm2", on_border, [on_window[pair] for pair in on_border.index], rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(labels=LABELS, measured=MEASURED)
def test_faces_of_the_surface_lie_between_a_grain_and_measured_surroundings(labels, measured):
    grain, empty = measured & (labels > 0), measured & (labels == 0)
    expected = []
    for axis in range(3):
        places = np.arange(labels.size).reshape(labels.shape)
        ahead = [np.roll(part, -1, axis) for part in (grain, empty)]
        between = (grain & ahead[1]) | (empty & ahead[0])
        inner = np.moveaxis(between, axis, 0)[:-1]
        expected += (3 * np.moveaxis(places, axis, 0)[:-1][inner] + axis).tolist()
    statistics = measure_volume(labels, threads=1, measured=measured)
    assert statistics.faces.tolist() == sorted(expected)


def test_a_corner_in_common_with_no_measurement_cuts_no_grain():
    labels, measured = np.zeros((5, 5, 5), int), np.ones((5, 5, 5), bool)
    labels[1:3, 1:3, 1:3] = 1
    measured[3, 3, 3] = False
    row = characterize_grains(labels, SPACING, measured).loc[0]
    assert not row["touches_window"]


def test_a_grain_that_is_not_cut_has_its_own_place_where_its_box_has_none():
    labels, measured = np.zeros((4, 4, 4), int), np.ones((4, 4, 4), bool)
    labels[1:3, 1, 1] = 1
    labels[1, 1:3, 1] = 1
    measured[3, 3, 2] = False  # in the layer around the box, beside no face of the grain
    row = characterize_grains(labels, SPACING, measured).loc[0]
    assert row["edge_weight"] == measured.sum()


def test_the_surface_is_where_a_grain_meets_measured_surroundings():
    labels = np.zeros((3, 3, 9), int)
    labels[1, 1, 2:6] = 1
    measured = np.ones(labels.shape, bool)
    measured[..., 0] = False
    whole = characterize_grains(labels, (1, 1, 1), measured).loc[0]
    assert not whole["touches_window"]
    assert whole["surface_distance_nm"] == pytest.approx(0.5**0.5)
    surrounded = labels > 0
    cut = characterize_grains(labels, (1, 1, 1), surrounded).loc[0]
    assert cut["touches_window"]
    assert np.isnan(cut["surface_distance_nm"])
    assert summarize_particle(labels, (1, 1, 1), surrounded)["outer_surface_um2"] == 0


def test_edge_weights_estimate_the_number_of_grains_in_a_ragged_region():
    """Cubes thrown at random: weights over whole ones add up to the number of all."""
    rng = np.random.default_rng(8)
    measured = np.ones((24, 24, 24), bool)
    measured[:6, :9] = False
    measured[18:, :, 20:] = False
    side, wanted, found = 5, [], []
    for _ in range(600):
        first = rng.integers(-side, 24 + side, 3)
        labels = np.zeros((24 + 4 * side,) * 3, int)
        box = tuple(slice(at + 2 * side, at + 3 * side) for at in first)
        labels[box] = 1
        window = labels[(slice(2 * side, -2 * side),) * 3]
        inside = ((first >= 0) & (first < 24)).all()
        wanted.append(bool(inside and measured[tuple(np.clip(first, 0, 23))]))
        table = characterize_grains(window, (1, 1, 1), measured, hulls=False)
        found.append(table["edge_weight"].fillna(0).sum())
    error = np.std(found) / np.sqrt(len(found)) + np.std(wanted) / np.sqrt(len(wanted))
    assert abs(np.mean(found) - np.mean(wanted)) < 3 * error


def test_places_of_a_box_are_counted_one_by_one():
    measured = np.random.default_rng(3).random((5, 6, 7)) < 0.9
    for box in product((1, 2, 3), repeat=3):
        views = np.lib.stride_tricks.sliding_window_view(measured, box)
        count = int(views.all(axis=(-3, -2, -1)).sum())
        assert count_places(_unmeasured_sums(measured), np.array([box]))[0] == count


def test_places_of_a_coarser_lattice_stand_for_those_around_them():
    z, y, x = np.indices((40, 44, 48))
    measured = (z - 20) ** 2 + (y - 22) ** 2 + (x - 24) ** 2 < 19**2
    sums, boxes = _unmeasured_sums(measured), np.array([[5, 6, 7], [9, 4, 12]])
    every = count_places(sums, boxes)
    for step in (2, 3):
        assert count_places(sums, boxes, step) == pytest.approx(every, rel=0.02)


@settings(deadline=None, max_examples=25)
@given(labels=LABELS, measured=MEASURED, step=st.tuples(*[st.integers(1, 4)] * 3))
def test_blocks_of_a_partly_measured_volume_add_up(labels, measured, step):
    whole = measure_volume(labels, threads=1, measured=measured)
    blocks = measure_volume(labels, step, threads=1, measured=measured)
    for name in BlockStatistics.__dataclass_fields__:
        assert np.array_equal(getattr(whole, name), getattr(blocks, name)), name


def test_the_largest_labels_of_64_bits_stay_grains():
    largest = np.iinfo(np.uint64).max
    labels = np.array([[[largest, largest, largest - np.uint64(1), 3]]], np.uint64)
    measured = np.array([[[True, True, True, False]]])
    table = characterize_grains(labels, (1, 1, 1), measured)
    assert table["label"].tolist() == [largest - np.uint64(1), largest]
    assert table["voxel_count"].tolist() == [1, 2]
    assert table["hull_voxel_count"].tolist() == [1, 2]


def test_negative_labels_are_refused_where_something_was_measured():
    labels = np.array([[[-1, 1]]])
    with pytest.raises(InputError, match="not negative"):
        characterize_grains(labels, SPACING, np.array([[[True, False]]]))
    assert len(characterize_grains(labels, SPACING, np.array([[[False, True]]]))) == 1


@pytest.mark.parametrize("measured", [np.ones((1, 1, 3), bool), np.ones((1, 1, 2))])
def test_a_region_of_another_shape_or_type_is_refused(measured):
    with pytest.raises(InputError, match="measured region"):
        characterize_grains(np.array([[[1, 1]]]), SPACING, measured)
