"""Strains, chains of steps and the table of slices, by their definitions."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from electrode_grains.alignment import (
    SliceTransforms,
    apply_transforms,
    registration,
    slice_table,
    strain,
)
from electrode_grains.alignment.evidence import LatticeTurns
from electrode_grains.alignment.matching import Match, Slices
from electrode_grains.alignment.precision import RIGID, sandwich
from electrode_grains.alignment.seams import Seam
from electrode_grains.alignment.strain import (
    _excess,
    _step_strains,
    accumulated,
    describe_strain,
    step_strain,
    strain_matrices,
)
from electrode_grains.alignment.symmetries import WORDS
from electrode_grains.alignment.transforms import rigid_matrix
from electrode_grains.errors import InputError

SHAPE, CENTER = (72, 80), (39.5, 35.5)


def matches(count, between=(), after=0.9):
    return [
        Match(np.eye(3), max(z - 1, 0), 0.1, after if z else np.nan, between=z in between)
        for z in range(count)
    ]


def image(seed=0):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2) * 8


def moved(picture, matrix):
    y, x = np.indices(SHAPE)
    places = np.tensordot(np.linalg.inv(matrix), np.array([x, y, np.ones(SHAPE)]), 1)
    return ndimage.map_coordinates(picture, places[1::-1], order=3, mode="nearest")


@pytest.mark.parametrize("quickly", [False, True])
@pytest.mark.parametrize("true", [(0.03, 0.0, 0.0), (0.0, -0.02, 0.0), (0.0, 0.0, 0.02), (0, 0, 0)])
def test_the_strain_of_an_image_is_that_by_which_it_was_stretched(true, quickly):
    picture = image()
    (linear,) = strain_matrices(np.array([true], float), CENTER)
    step = rigid_matrix(1.0, -2.0, 0.02, CENTER)
    other = moved(moved(picture, linear), step)
    found, errors = step_strain(picture, other, step, quickly)
    np.testing.assert_allclose(found, true, atol=0.002)
    assert (errors > 0).all()
    assert (errors < 0.01).all()


def test_images_without_anything_in_common_have_no_strain():
    for other in (np.zeros(SHAPE), np.ones(SHAPE)):
        found, errors = step_strain(image(), other, np.eye(3))
        assert not found.any()
        assert np.isinf(errors).all()
    far, errors = step_strain(image(), moved(image(), np.diag([1.6, 1.6, 1.0])), np.eye(3))
    assert (np.isinf(errors).all() and not far.any()) or np.abs(far).max() <= 0.3


def test_the_matrices_of_strains_are_symmetric_maps_about_the_centre():
    (matrix,) = strain_matrices(np.array([[0.03, -0.02, 0.01]]), CENTER)
    np.testing.assert_allclose(matrix[:2, :2], [[1.03, 0.01], [0.01, 0.98]])
    np.testing.assert_allclose(matrix @ [*CENTER, 1], [*CENTER, 1])
    np.testing.assert_allclose(matrix @ [CENTER[0] + 10, CENTER[1], 1], [49.8, 35.6, 1])


def excess(values, error=0.001, share=1.0):
    strains = np.zeros((len(values), 3))
    strains[:, 1] = values
    return _excess(strains, np.full_like(strains, error), share)[:, 1]


@pytest.mark.parametrize(
    ("size", "error", "share", "counts"),
    [
        (0.0051, 0.001, 1.0, True), (0.0049, 0.0001, 1.0, False), (0.010, 0.0021, 1.0, False),
        (0.010, 0.0019, 1.0, True), (0.0031, 0.0001, 0.6, True), (0.0029, 0.0001, 0.6, False),
        (-0.0051, 0.001, 1.0, True),
    ],
)  # fmt: skip
def test_a_strain_counts_beyond_half_a_percent_and_five_errors(size, error, share, counts):
    values = np.full(15, 0.02)  # grains that taper strain all slices alike
    values[7] += size
    expected = np.zeros(15)
    expected[7] = size if counts else 0
    np.testing.assert_allclose(excess(values, error, share), expected, atol=1e-15)


def test_what_scatters_as_much_elsewhere_is_no_strain():
    values = np.where(np.arange(21) % 2, 0.004, -0.004)
    values[10] = 0.02
    assert not excess(values, 1e-5).any()
    strains = np.zeros((15, 3))
    strains[7] = [0.02, 0.001, 0.0]  # all parts of a slice that stands out count
    np.testing.assert_allclose(_excess(strains, np.full((15, 3), 1e-4), 1.0)[7], strains[7])


def test_steps_without_strain_are_left_out_of_the_usual():
    strains = np.full((12, 3), np.nan)
    assert not _excess(strains, np.full((12, 3), 0.001), 1.0).any()
    strains[[0, 1]] = 0.5
    assert not _excess(strains, np.full((12, 3), 0.001), 1.0).any()
    strains[2:11] = 0.5
    strains[6] = 0.6
    found = _excess(strains, np.full((12, 3), 0.001), 1.0)
    assert np.flatnonzero(found.any(axis=1)).tolist() == [6]
    np.testing.assert_allclose(found[6], 0.1)


def test_steps_between_and_without_contrast_are_not_measured(monkeypatch):
    images = [image(), None, image(), image()]
    slices = Slices(images, "rigid_body", False, 0.1, CENTER)
    found, errors = _step_strains(
        slices, matches(4, between=(2,)), lambda *_: (np.ones(3), np.ones(3))
    )
    assert np.isnan(found[:3]).all()
    assert np.isinf(errors[:3]).all()
    assert (found[3] == 1).all()
    monkeypatch.setattr(strain, "_look", lambda *_: (np.zeros(3), np.ones(3)))
    assert not strain.significant_strains(slices, matches(4)).any()


def test_strains_add_up_along_the_slices_that_each_was_registered_to():
    steps = np.zeros((5, 3))
    steps[2], steps[4] = 0.03, 0.01
    chain = matches(5)
    chain[4] = Match(np.eye(3), 1)
    total = accumulated(steps, chain)[:, 0]
    np.testing.assert_allclose(total - total[0], [0, 0, 0.03, 0.03, 0.01])
    assert np.median(total) == pytest.approx(0)


def test_a_warning_names_percents_and_the_whole_change_of_the_right_angle():
    assert describe_strain(np.array([0.012, -0.02, 0.0075])) == (
        "distorted against the slice before: stretched by +1.2 % along x and -2.0 % along y, "
        "sheared by +1.5 %; mode: affine corrects it"
    )


# Chains


def test_steps_add_up_and_bad_slices_lie_evenly_between():
    steps = [rigid_matrix(x, -x, 0.01 * x, CENTER) for x in (0, 1, 2, 3, 4, 5)]
    chain = [Match(step, max(z - 1, 0), 0.5, 0.9) for z, step in enumerate(steps)]
    chain[5] = Match(steps[5], 1, 0.5, 0.9)
    matrices = registration._chain(chain, CENTER)
    expected = [np.eye(3)]
    for z in range(1, 5):
        expected.append(steps[z] @ expected[-1])
    np.testing.assert_allclose(matrices, [*expected, steps[5] @ expected[1]])
    chain = [Match(rigid_matrix(3.0 * (z == 3), 0, 0, CENTER), max(z - 1, 0) if z != 3 else 0,
                   between=z in (1, 2)) for z in range(4)]  # fmt: skip
    x = registration._chain(chain, CENTER)[:, 0, 2]
    np.testing.assert_allclose(x, [0, 1, 2, 3])
    ends = [Match(np.eye(3), max(z - 1, 0), between=z == 0) for z in range(3)]
    np.testing.assert_allclose(registration._chain(ends, CENTER), np.tile(np.eye(3), (3, 1, 1)))


def test_steps_are_unknown_where_a_slice_was_placed_or_matched_nothing():
    chain = matches(4, between=(2,))
    chain[3] = Match(rigid_matrix(2, 1, 0.1, CENTER), 1, 0.1, 0.9)
    chain[1] = Match(np.eye(3), 0)
    found = registration._steps(chain, CENTER)
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2], [2, 1, 0.1])


def test_significant_steps_are_kept_with_the_correlation_that_they_reach():
    picture = image()
    slices = Slices([picture, picture, None], "rigid_body", False, 0.1, CENTER)
    chain = [
        Match(np.eye(3), 0),
        Match(rigid_matrix(5, 0, 0, CENTER), 0, 0.1, 0.3),
        Match(np.eye(3), 1),
    ]
    evidence = SimpleNamespace(significant=lambda steps: 0 * steps)
    kept = registration._keep_significant(slices, chain, evidence)
    assert kept[0] is chain[0]
    np.testing.assert_allclose(kept[1].step, np.eye(3))
    assert kept[1].after == pytest.approx(1)
    assert kept[1].before == 0.1
    assert np.isnan(kept[2].after)


def transforms(flags, **more):
    count = len(flags)
    matrices = np.tile(np.eye(3), (count, 1, 1))
    return SliceTransforms(
        matrices, "rigid_body", np.ones(count), np.full(count, 0.5), np.ones(count), flags, **more
    )


def test_flagged_slices_are_refused_by_number():
    registration.refuse_flagged(transforms(((), ())))
    with pytest.raises(InputError, match="2 slices could not be aligned reliably") as refusal:
        registration.refuse_flagged(transforms((("a", "b"), (), ("c",))))
    assert "\n  slice 0: a; b\n  slice 2: c" in str(refusal.value)


def test_a_window_that_is_covered_too_little_is_flagged():
    chain = matches(3)
    matrices = np.array([rigid_matrix(x, 0, 0, CENTER) for x in (0, 23.4, 24.6)])
    found = registration._result(matrices, "rigid_body", chain, (3, *SHAPE), CENTER, ("note",))
    assert found.flags == ((), (), ("covers only 69% of the window",))
    assert found.notes == ("note",)
    np.testing.assert_array_equal(found.registered_to, [0, 0, 1])


def test_the_table_of_slices_names_references_and_leaves_unknown_turns_empty():
    turns = np.radians([[1.0, 2.0, 3.0], [np.nan] * 3])
    lattice = LatticeTurns(turns, turns / 10, np.zeros(2), np.ones(2))
    known = transforms(((), ("x", "y"), ()), registered_to=np.array([0, 0, 5]), lattice=lattice)
    table = slice_table(known, ["a", "b", "c"])
    assert table["registered_to"].tolist() == ["", "a", ""]
    assert table["flags"].tolist() == ["", "x; y", ""]
    np.testing.assert_allclose(table["tilt_y_degrees"], [np.nan, 2.0, np.nan])
    np.testing.assert_allclose(table["lattice_rotation_error_degrees"], [np.nan, 0.3, np.nan])
    assert table["correlation_after"].eq(0.5).all()
    plain = slice_table(transforms(((), ())), ["a", "b"])
    assert plain["registered_to"].eq("").all()
    assert plain["tilt_x_degrees"].isna().all()


def test_flags_of_seams_come_before_others_unless_the_slice_is_only_strained(monkeypatch):
    found = [Seam(2, 0.3, 0.9, missing=2.0), Seam(3, 0.3, 0.9, next(iter(WORDS))),
             Seam(4, 0.3, 0.9, missing=3.0)]  # fmt: skip
    monkeypatch.setattr(registration, "find_seams", lambda *_: found)
    strains = np.zeros((5, 3))
    strains[3:] = 0.01
    chain = [Match(np.eye(3), max(z - 1, 0), flags=("before",)) for z in range(5)]
    flagged = registration._flag_seams(None, chain, None, strains)
    assert [len(match.flags) for match in flagged] == [1, 1, 2, 2, 1]
    assert "2 slices missing before it" in flagged[2].flags[0]
    assert "from slice 3 on" in flagged[3].flags[0]
    assert flagged[2].flags[1] == "before"


def test_slices_that_do_not_move_keep_whole_numbers():
    labels = np.arange(24).reshape(2, 3, 4)
    still = transforms(((), ()))
    np.testing.assert_array_equal(apply_transforms(labels, still, order=0), labels)


def test_a_record_without_a_centre_has_none():
    known = transforms(((), ())).to_dict()
    known.pop("center", None)
    assert SliceTransforms.from_dict(known).center == (0.0, 0.0)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_newtons_step_does_not_depend_on_the_unit_of_the_image(scale):
    first, second = image(), moved(image(), rigid_matrix(0.4, -0.3, 0.0, CENTER))
    plain, other = sandwich(first, second, RIGID), sandwich(scale * first, scale * second, RIGID)
    for one, two in zip(plain, other, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-6)
