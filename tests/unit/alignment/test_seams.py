"""Stacks that are turned or mirrored from some slice on, and slices that are missing."""

import json
import re

import numpy as np
import pytest
from benchmarks.cells import cells, shifted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from electrode_grains.alignment import (
    SliceTransforms,
    apply_transforms,
    estimate_transforms,
    rotate_orientations,
)
from electrode_grains.alignment.matching import Slices, match_neighbours, match_unmoved
from electrode_grains.alignment.pairs import prepare_slices
from electrode_grains.alignment.seams import find_seams, step_excess
from electrode_grains.alignment.symmetries import (
    SYMMETRIES,
    TurnedSlices,
    possible_symmetries,
    set_upright,
    symmetry_matrix,
)
from electrode_grains.errors import InputError, SettingsError

INVERSE = {"turn_90": "turn_270", "turn_270": "turn_90"}
SEAM = 11


@pytest.fixture(scope="module")
def sound():
    volume = cells((26, 64, 64), 2, long=2.0)
    return shifted(volume, np.random.default_rng(0).normal(0, 1, (26, 2)))


def turned(stack, symmetry, first=SEAM, last=None):
    """Slices as a microscope gives them that turns or mirrors its maps."""
    stack = stack.copy()
    for z in range(first, len(stack) if last is None else last + 1):
        stack[z] = set_upright(stack[z], INVERSE.get(symmetry, symmetry))
    return stack


def test_a_sound_stack_has_no_seam(sound):
    assert not any(estimate_transforms(sound).flags)


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_a_turned_half_is_named_and_can_be_undone(sound, symmetry):
    scanned = turned(sound[:20], symmetry)
    flags = estimate_transforms(scanned).flags
    assert f"{{first: {SEAM}, symmetry: {symmetry}}}" in flags[SEAM][0]
    assert [z for z, told in enumerate(flags) if told] == [SEAM]


def test_the_undoing_moves_everything_as_if_the_slices_were_upright(sound):
    scanned = turned(sound[:20], "turn_90")
    undo = [TurnedSlices(first=SEAM, symmetry="turn_90")]
    transforms = estimate_transforms(scanned, undo=undo)
    upright = estimate_transforms(sound[:20])
    assert not any(transforms.flags)
    np.testing.assert_allclose(transforms.shift_x, upright.shift_x, atol=1e-9)
    np.testing.assert_allclose(
        apply_transforms(scanned, transforms, order=3),
        apply_transforms(sound[:20], upright, order=3),
        atol=1e-6,
    )
    again = SliceTransforms.from_dict(json.loads(json.dumps(transforms.to_dict())))
    np.testing.assert_array_equal(again.lattice_turns, transforms.lattice_turns)


def test_the_end_of_a_mirrored_range_is_named_too(sound):
    flags = estimate_transforms(turned(sound, "mirror_x", 8, 16)).flags
    assert "mirrored along x" in flags[8][0]
    assert "upright again" in flags[17][0]


@pytest.mark.parametrize("missing", [1, 3])
def test_missing_slices_are_counted_within_one(sound, missing):
    flags = estimate_transforms(np.delete(sound, range(SEAM, SEAM + missing), axis=0)).flags
    assert [z for z, told in enumerate(flags) if told] == [SEAM]
    looks, about = (
        re.search(rf"{word} ([\d.]+) slice", flags[SEAM][0]) for word in ("looks", "about")
    )
    counted = float(looks[1]) - 1 if looks else int(about[1])
    assert "missing" in flags[SEAM][0]
    assert abs(counted - missing) <= 1


def test_a_copied_slice_is_named_and_not_its_neighbours(sound):
    flags = estimate_transforms(np.insert(sound, SEAM, sound[SEAM - 1], axis=0)).flags
    assert [z for z, told in enumerate(flags) if told] == [SEAM]
    assert "repeats the slice before" in flags[SEAM][0]


def test_orientations_that_stay_clear_a_slice_that_looks_different(sound):
    lost = np.delete(sound, range(SEAM, SEAM + 3), axis=0)
    slices = Slices(prepare_slices(lost, 0.6, True), "rigid_body", True, 0.1, (31.5, 31.5))
    matches = match_neighbours(slices, lambda done, total: None)
    changes = np.zeros(len(lost))

    assert [seam.slice for seam in find_seams(slices, matches)] == [SEAM]
    assert find_seams(slices, matches, changes) == []
    changes[SEAM] = 2.0
    assert [seam.slice for seam in find_seams(slices, matches, changes)] == [SEAM]


@given(st.floats(0, 5), st.floats(0.1, 10), st.floats(0, 4), st.integers(3, 20))
def test_an_excess_counts_spacings_whatever_noise_and_contrast(noise, contrast, lost, at):
    depth = np.arange(24.0) + lost * (np.arange(24) >= at)
    single, double = np.full((2, 24), np.nan)
    single[1:] = noise + contrast * np.diff(depth)
    double[2:] = noise + contrast * (depth[2:] - depth[:-2])

    excess = step_excess(single, double)[1:]

    np.testing.assert_allclose(excess, np.where(np.arange(1, 24) == at, lost, 0), atol=1e-9)


def test_where_steps_scatter_by_spacings_only_orientations_name_a_seam():
    rng = np.random.default_rng(5)
    noise = ndimage.gaussian_filter(rng.normal(size=(30, 48, 48)), (0.3, 2, 2))
    shared = ndimage.gaussian_filter(rng.normal(size=(48, 48)), 2)
    stack = shared / shared.std() + 0.7 * noise / noise.std()
    slices = Slices(prepare_slices(stack, 0.6, False), "none", False, 0.1, (23.5, 23.5))
    matches = match_unmoved(slices, lambda done, total: None)
    changes = rng.normal(0, 0.3, len(stack))
    changes[0] = np.nan
    steps = [match.after for match in matches]
    poorest = 2 + int(np.argmin(steps[2:-1]))

    assert find_seams(slices, matches) == []
    assert find_seams(slices, matches, changes) == []
    changes[poorest] = 4.0
    assert [seam.slice for seam in find_seams(slices, matches, changes)] == [poorest]


def test_a_strict_alignment_refuses_a_seam(sound):
    with pytest.raises(InputError, match=rf"slice {SEAM}: from slice {SEAM} on mirrored along y"):
        estimate_transforms(turned(sound[:18], "mirror_y"), strict=True)


@pytest.mark.parametrize(
    ("undo", "says"),
    [
        ({"first": 30, "symmetry": "turn_180"}, "30 to None"),
        ({"first": 0, "last": 26, "symmetry": "turn_180"}, "0 to 26"),
        ({"first": 0, "symmetry": "turn_90"}, "60 x 64"),
        ({"first": 5, "last": 4, "symmetry": "turn_180"}, "comes before"),
        ({"first": 5, "symmetry": "upside_down"}, "upside_down"),
    ],
)
def test_impossible_turns_are_refused(sound, undo, says):
    with pytest.raises(SettingsError, match=says):
        estimate_transforms(sound[:, :60], undo=[undo])


@settings(deadline=None)
@given(st.sampled_from(SYMMETRIES), st.integers(1, 5), st.integers(1, 5))
def test_an_upright_image_has_the_value_that_the_matrix_names(symmetry, rows, columns):
    image = np.arange(rows * columns).reshape(rows, columns)
    if symmetry not in possible_symmetries(image.shape):
        return
    matrix = symmetry_matrix(symmetry, ((columns - 1) / 2, (rows - 1) / 2))
    upright = set_upright(image, symmetry)
    for (y, x), value in np.ndenumerate(upright):
        sx, sy, _ = matrix @ [x, y, 1]
        assert image[round(sy), round(sx)] == value
    np.testing.assert_array_equal(set_upright(upright, INVERSE.get(symmetry, symmetry)), image)


@pytest.mark.parametrize("follows", [True, False])
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_crystals_of_an_undone_slice_point_as_before(symmetry, follows):
    """A vector v of the upright slice is Q v in the scan's, with Q proper and S in the plane."""
    blank = np.full(1, np.nan)
    plain = SliceTransforms(np.eye(3)[None], "none", blank, blank, blank, ((),), (2.0, 2.0))
    transforms = plain.turned_back((TurnedSlices(symmetry=symmetry, lattice_turned=follows),))
    in_plane = symmetry_matrix(symmetry, (0, 0))[:2, :2]
    turn = np.eye(3)
    turn[:2, :2] = in_plane
    turn[2, 2] = np.linalg.det(in_plane)
    crystal = Rotation.random(rng=np.random.default_rng(3))
    scanned = crystal * Rotation.from_matrix(turn).inv() if follows else crystal
    field = np.broadcast_to(scanned.as_quat(scalar_first=True), (1, 5, 5, 4))
    restored = rotate_orientations(
        apply_transforms(np.moveaxis(field, -1, 0), transforms, order=0).transpose(1, 2, 3, 0),
        transforms,
    )
    ours = Rotation.from_quat(restored[0, 2, 3], scalar_first=True)
    assert (ours * crystal.inv()).magnitude() < 1e-6
