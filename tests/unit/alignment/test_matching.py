"""Which slice each one is registered to, decided on registrations that are written down."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize

from electrode_grains.alignment import matching, pairs, seams
from electrode_grains.alignment.drift import _large_trend, _regularise, regularise_drift
from electrode_grains.alignment.matching import Slices, match_earlier, match_neighbours
from electrode_grains.alignment.pairs import Pair, noise_correlation, register_pair
from electrode_grains.alignment.seams import Seam, find_seams, seam_warnings
from electrode_grains.alignment.transforms import center_motion, rigid_matrix

CENTER = (9.5, 7.5)
SHAPE = (16, 20)


def shift(x):
    return rigid_matrix(float(x), 0.0, 0.0, CENTER)


def slices_of(count, correlations=None, steps=None, blank=()):
    """Slices whose registrations are given; by default all move by 1 and correlate by distance."""
    images = [None if z in blank else np.full(SHAPE, float(z)) for z in range(count)]
    slices = Slices(images, "rigid_body", True, 0.2, CENTER)
    asked = []

    def pair(first, second, *, key):
        asked.append(key)
        after = (correlations or {}).get(key, 0.9 ** (key[1] - key[0]))
        step = (steps or {}).get(key, shift(key[1] - key[0]))
        return Pair(step, 0.1, after, 1.0)

    def registered(reference, moving):
        if images[reference] is None or images[moving] is None:
            return None
        return pair(images[reference], images[moving], key=(reference, moving))

    slices.pair = slices.check = registered
    slices.asked = asked
    return slices


def quiet(done, total):
    pass


def test_good_slices_follow_each_other():
    progress = []
    found = match_neighbours(slices_of(6), lambda done, total: progress.append((done, total)))
    assert [match.reference for match in found] == [0, 0, 1, 2, 3, 4]
    assert not any(match.flags or match.between for match in found)
    assert [match.step[0, 2] for match in found] == [0, 1, 1, 1, 1, 1]
    assert progress == [(z, 5) for z in range(1, 6)]


def test_a_slice_that_is_torn_lies_midway_and_the_next_goes_around_it():
    torn = {(1, 2): 0.7, (2, 3): 0.7, (0, 2): 0.6, (2, 4): 0.6}
    found = match_neighbours(slices_of(6, torn), quiet)
    assert [match.between for match in found] == [False, False, True, False, False, False]
    assert "resemble each other more" in found[2].flags[0]
    assert (found[3].reference, found[3].flags) == (1, ("registered to slice 1, not 2",))
    assert found[3].step[0, 2] == 2


@pytest.mark.parametrize(("single", "is_bad"), [(0.81 / 1.079, True), (0.81 / 1.081, False)])
def test_a_slice_is_torn_where_those_around_it_correlate_better_by_eight_in_a_hundred(
    single, is_bad
):
    known = {(2, 3): single, (3, 4): single - 0.01}
    slices = slices_of(7, known)
    assert matching._is_outlier(slices, 3) is not is_bad
    assert matching._is_outlier(slices_of(3), 1) is False


def test_the_ends_are_judged_by_the_next_double_step():
    for z, single, double in ((0, (0, 1), (1, 3)), (6, (5, 6), (3, 5))):
        assert matching._is_outlier(slices_of(7, {single: 0.5, double: 0.81}), z)
        assert not matching._is_outlier(slices_of(7, {single: 0.8, double: 0.81}), z)


def test_the_first_slice_is_said_to_be_bad_too():
    found = match_neighbours(slices_of(7, {(0, 1): 0.5, (0, 2): 0.4}), quiet)
    assert "resemble each other" in found[0].flags[0]
    assert found[0].reference == 0
    assert found[1].flags == ("no earlier slice is good: starts the stack",)


def test_a_slice_around_which_nothing_closes_is_bad():
    steps = {(2, 3): shift(9), (3, 4): shift(-5)}
    steps |= {(1, 3): shift(20), (3, 5): shift(-30), (2, 4): shift(40)}
    found = match_neighbours(slices_of(9, steps=steps), quiet)
    assert [z for z, match in enumerate(found) if match.between] == [3]
    assert found[3].flags == ("registrations to its neighbours disagree: lies midway between them",)


def test_a_step_that_does_not_close_is_replaced_by_a_detour():
    steps = {(3, 4): shift(7)}
    found = match_neighbours(slices_of(9, steps=steps), quiet)
    assert found[4].flags == ("its step disagrees with those around: replaced by a detour",)
    assert found[4].step[0, 2] == pytest.approx(1)
    assert not any(match.flags for z, match in enumerate(found) if z != 4)
    small = match_neighbours(slices_of(9, steps={(3, 4): shift(1.9)}), quiet)
    assert not any(match.flags for match in small)  # less than a pixel: noise


@pytest.mark.parametrize(("after", "counts"), [(0.44, False), (0.46, True)])
def test_registrations_below_half_of_the_usual_are_none(after, counts):
    slices = slices_of(8, {(3, 4): after, (2, 4): 0.3, (1, 4): 0.3, (0, 4): 0.3})
    found = match_neighbours(slices, quiet)
    assert slices.floor == pytest.approx(0.5 * 0.9)
    assert (found[4].after == after) is counts
    assert any("matches no earlier slice" in flag for flag in found[4].flags) is not counts


def test_misfits_are_how_far_two_steps_are_from_the_double_step():
    slices = slices_of(5, steps={(2, 3): shift(1.5)}, correlations={(3, 4): 0.05})
    found = matching._misfits(slices)
    assert set(found) == {1, 2, 3}
    assert found[1] == pytest.approx(0)
    assert found[2] == pytest.approx(0.5)
    assert np.isnan(found[3])


@pytest.mark.parametrize(
    ("misfit", "bad"),
    [
        ({3: 2.0, 4: 2.0, 5: 2.0}, True),
        ({3: 2.0, 4: 1.0, 5: 2.0}, False),
        ({3: 2.0, 4: 2.0, 5: np.nan}, True),
        ({3: 2.0, 4: 2.0, 5: 0.5}, False),
        ({4: 2.0}, False),  # nothing beyond says that others close
        ({4: 2.0, 6: 0.5}, True),
        ({4: 2.0, 6: 2.0}, False),
        ({4: 2.0, 2: 1.0}, True),
        ({}, False),
    ],
)
def test_a_slice_is_inconsistent_where_no_triangle_closes_and_others_do(misfit, bad):
    assert matching._is_inconsistent(4, misfit, 1.0) is bad


def test_earlier_slices_are_tried_in_turn_and_what_was_reached_is_said():
    ruined = {(2, 3): 0.1, (1, 3): 0.15, (0, 3): 0.12}
    found = match_earlier(slices_of(6, ruined, blank=(5,)), "previous", quiet)
    assert found[3].flags == (
        "matches no earlier slice (correlation at most 0.15, noise reaches 0.20): takes the "
        "motion of the slice before",
    )
    assert (found[3].before, found[3].after, found[3].reference) == (0.1, 0.1, 2)
    assert found[4].reference == 3
    assert found[5].flags == ("no contrast: takes the motion of the slice before",)
    bridged = match_earlier(slices_of(6, {(2, 3): 0.1}), "previous", quiet)
    assert bridged[3].flags == ("registered to slice 1, not 2",)
    assert bridged[3].step[0, 2] == 2


def test_four_slices_are_looked_back_at():
    slices = slices_of(8, {(z, 7): 0.1 for z in range(7)})
    match_earlier(slices, "previous", quiet)
    assert [key for key in slices.asked if key[1] == 7] == [(6, 7), (5, 7), (4, 7), (3, 7)]


def test_slices_are_registered_to_the_first_that_shows_something():
    found = match_earlier(slices_of(5, blank=(0,)), "first", quiet)
    assert found[0].flags == ("no contrast: its place is unknown",)
    assert found[1].flags == ("no earlier slice has contrast: starts the stack",)
    assert [match.reference for match in found[2:]] == [1, 1, 1]
    assert found[2].flags == ("registered to slice 1, not 0",)
    plain = match_earlier(slices_of(5), "first", quiet)
    assert [match.reference for match in plain] == [0] * 5
    assert not any(match.flags for match in plain)


def test_unmoved_slices_tell_how_they_lie():
    found = matching.match_unmoved(slices_of(4, blank=(2,)), quiet)
    assert [match.flags for match in found] == [(), (), ("no contrast",), ()]
    assert found[1].after == found[1].before == pytest.approx(0.9)
    assert np.isnan(found[2].after)
    assert np.isnan(found[3].after)
    assert all((match.step == np.eye(3)).all() for match in found)


# Seams


def seamed(correlations, count=24, changes=None, blank=()):
    matches = [SimpleNamespace(between=False) for _ in range(count)]
    slices = slices_of(count, correlations, blank=blank)

    def correlation(reference, moving, step):
        ends = int(reference[0, 0]), int(moving[0, 0])
        assert step[0, 2] == ends[1] - ends[0]  # where two steps lead
        return slices.pair(*ends).after

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seams, "correlation", correlation)
        return find_seams(slices, matches, changes)


@pytest.fixture
def no_symmetry(monkeypatch):
    """No turn of the window helps."""
    monkeypatch.setattr(seams, "register_pair", lambda *_: SimpleNamespace(after=0.0))


def lost(before, count, missing):
    """Correlations of a stack that lacks slices before one."""
    return {
        (a, b): 0.9 ** (b - a + missing * (a < before <= b))
        for a in range(count)
        for b in range(a + 1, count)
    }


@pytest.mark.parametrize("missing", [1, 2, 4])
def test_lost_slices_are_counted_by_the_decay_of_the_correlation(no_symmetry, missing):
    (seam,) = seamed(lost(12, 24, missing))
    assert seam.slice == 12
    assert seam.missing == pytest.approx(missing, abs=0.06)
    assert seam.correlation == pytest.approx(0.9 ** (1 + missing))
    assert seam.usual == pytest.approx(0.9)
    assert seam.symmetry is None


def test_a_sound_stack_and_a_short_one_have_no_seam(no_symmetry):
    assert seamed({}) == []
    assert seamed(lost(12, 24, 0.8)) == []  # so much slices differ in thickness
    assert seamed(lost(3, 6, 3), count=6) == []


def test_a_symmetry_that_restores_the_correlation_is_the_reason(monkeypatch):
    tried = []

    def register(reference, moving, mode, guess):
        tried.append((mode, guess))
        return SimpleNamespace(after=0.9 if len(tried) == 2 else 0.3)

    monkeypatch.setattr(seams, "register_pair", register)
    (seam,) = seamed({(a, b): 0.3 for a in range(12) for b in range(12, 24)})
    assert seam.symmetry == seams.possible_symmetries(SHAPE)[1]
    assert seam.missing is None
    assert set(tried) == {("rigid_body", True)}


@pytest.mark.parametrize(("after", "repeats"), [(0.995, True), (0.97, True), (0.94, False)])
def test_a_slice_that_repeats_the_one_before_is_told(no_symmetry, after, repeats):
    found = seamed({(11, 12): after, (10, 12): 0.89, (11, 13): 0.89})
    assert [(seam.slice, seam.missing) for seam in found] == ([(12, -1.0)] if repeats else [])


def test_where_orientations_change_as_usual_only_the_brightness_changed(no_symmetry):
    drop, changes = lost(12, 24, 3), np.zeros(24)
    assert seamed(drop, changes=changes) == []
    for changed, seams_found in ((0.39, 0), (0.41, 1), (np.nan, 1)):  # by the images, if unknown
        changes[12] = changed
        assert len(seamed(drop, changes=changes)) == seams_found


def test_warnings_say_where_what_and_how_to_undo_it():
    numbers = "(correlation 0.30, usually 0.90)"
    turned = [Seam(5, 0.3, 0.9, "half_turn"), Seam(9, 0.3, 0.9, "half_turn")]
    names = list(seams.possible_symmetries((4, 4)))
    if "half_turn" not in names:
        turned = [Seam(5, 0.3, 0.9, names[1]), Seam(9, 0.3, 0.9, names[1])]
    found = seam_warnings(turned)
    name = turned[0].symmetry
    assert found[5].startswith(f"from slice 5 on {seams.WORDS[name]} {numbers}: look at it")
    assert found[5].endswith(f"undo: [{{first: 5, symmetry: {name}}}]")
    assert found[9] == f"from here on upright again {numbers}"
    one = f"slice spacings away from the one before {numbers}: it is thicker, or a slice is missing"
    found = {
        0.7: f"looks 1.7 {one}", 1.4: f"looks 2.4 {one}",
        1.6: f"about 2 slices missing before it {numbers}",
        5.4: f"about 5 slices missing before it {numbers}",
        5.6: f"about 6 slices or more missing before it {numbers}",
    }  # fmt: skip
    for missing, told in found.items():
        (text,) = seam_warnings([Seam(7, 0.3, 0.9, missing=missing)]).values()
        assert text.startswith(f"{told}: if so, depths beyond it are too small; give them in")
    (text,) = seam_warnings([Seam(7, 0.3, 0.9, missing=-1.0)]).values()
    assert text == f"repeats the slice before {numbers}: leave one of them out"
    assert seam_warnings([Seam(7, 0.3, 0.9)]) == {}


# Pairs and drift


def test_noise_correlates_by_the_root_of_independent_values():
    assert noise_correlation((5, 100, 70), 0.0) == pytest.approx(3.5 / np.sqrt(7000))
    assert noise_correlation((100, 70), 2.0) == pytest.approx(3.5 / np.sqrt(7000 / (4 * np.pi * 4)))
    assert noise_correlation((4, 4), 0.0) == 0.5


@pytest.mark.parametrize(
    ("after", "coverage", "improves"),
    [(0.5, 1.0, True), (0.5, 0.7, True), (0.5, 0.6, False), (0.49, 1.0, False), (0.6, 0.5, True)],
)
def test_a_motion_improves_where_it_correlates_at_least_as_well_over_its_overlap(
    after, coverage, improves
):
    pair = Pair(np.eye(3), 0.5, after, coverage)
    assert pair.improves is improves
    assert pair.significance == pytest.approx(after * np.sqrt(coverage))


def test_pixels_inside_are_those_whose_centre_falls_into_a_pixel():
    step = rigid_matrix(3.2, -1.7, 0.2, CENTER)
    expected = np.zeros(SHAPE, bool)
    for y, x in np.ndindex(SHAPE):
        sx, sy = (step @ [x, y, 1])[:2]
        expected[y, x] = -0.5 < sx < 19.5 and -0.5 < sy < 15.5
    np.testing.assert_array_equal(pairs._inside(step, SHAPE), expected)
    assert pairs.covered_share(step, SHAPE) == pytest.approx(expected.mean())


def test_correlations_are_those_of_numpy_over_the_overlap():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, *SHAPE)) + rng.normal(size=SHAPE)
    plain = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert pairs.correlation(first, second, np.eye(3)) == pytest.approx(plain)
    moved = pairs.correlation(first, second, rigid_matrix(4, -3, 0, CENTER))
    overlap = np.corrcoef(first[3:, :16].ravel(), second[:13, 4:].ravel())[0, 1]
    assert moved == pytest.approx(overlap)
    assert pairs.correlation(first, second, rigid_matrix(16, 0, 0, CENTER)) != -1.0
    assert pairs.correlation(first, second, rigid_matrix(17, 0, 0, CENTER)) == -1.0
    assert pairs.correlation(np.ones(SHAPE), second, np.eye(3)) == 0.0


def test_a_halved_image_has_the_means_of_four():
    image = np.random.default_rng(0).normal(size=(7, 9))
    expected = image[:6, :8].reshape(3, 2, 4, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(pairs.halved(image), expected)
    place = pairs.DOUBLE @ [1, 2, 1]
    np.testing.assert_array_equal(place[:2], [2.5, 4.5])  # the middle of pixels 2, 3 and 4, 5


def test_missing_values_become_the_median_and_extremes_are_cut():
    image = np.random.default_rng(0).normal(size=SHAPE)
    image[3, 4] = np.nan
    image[0, 0], image[0, 1] = 100, -100
    filled = pairs.without_extremes(image)
    known = image[np.isfinite(image)]
    assert filled[3, 4] == np.median(known)
    np.testing.assert_array_equal(
        filled[np.isfinite(image)], np.clip(known, *np.percentile(known, [1, 99]))
    )
    assert pairs.without_extremes(np.full(SHAPE, np.nan)) is None
    assert pairs.without_extremes(np.ones(SHAPE)) is None
    (prepared,) = pairs.prepare_slices(image[None], 0.0, mask_background=False)
    assert prepared.mean() == pytest.approx(0, abs=1e-12)
    assert prepared.std() == pytest.approx(1)


def test_the_far_shifts_are_where_phase_correlation_has_its_peak():
    image = np.random.default_rng(1).normal(size=(40, 48))
    for y, x in ((7, -11), (-9, 4), (0, 5)):
        moved = np.roll(image, (y, x), axis=(0, 1))
        for step in pairs._far_shifts(image, moved):
            np.testing.assert_allclose(step, rigid_matrix(x, y, 0, CENTER), atol=1e-12)
        assert len(pairs._far_shifts(image, moved)) == 1  # both ways say the same
    assert pairs._far_shifts(image, np.roll(image, (2, -2), axis=(0, 1))) == []


def test_a_search_that_ends_at_its_limits_says_so(monkeypatch):
    image = np.random.default_rng(1).normal(size=(40, 50))

    def found(x, y, degrees):
        step = rigid_matrix(x, y, np.radians(degrees), (24.5, 19.5))
        candidate = pairs._Candidate(step, 0.9, 1.0)
        monkeypatch.setattr(pairs, "_improve", lambda *_: candidate)
        return register_pair(image, image, "rigid_body", False).at_bound

    assert not any(found(*motion) for motion in ((22.5, 0, 0), (0, 18.0, 0), (0, 0, 9.4)))
    assert all(
        found(*motion)
        for motion in ((22.6, 0, 0), (-22.6, 0, 0), (0, 18.1, 0), (0, -18.1, 0), (0, 0, 9.6),
                       (0, 0, -9.6))
    )  # fmt: skip
    assert register_pair(image, image, "none", False) == Pair(pytest.approx(np.eye(3)), 1, 1, 1)


@pytest.mark.parametrize("length", [3.0, 10.0])
def test_drift_is_what_makes_the_sum_of_its_definition_least(length):
    rng = np.random.default_rng(0)
    positions = np.cumsum(rng.normal(0, 0.1, 20))
    steps = np.diff(positions)

    def total(q):
        return ((np.diff(q) - steps) ** 2).sum() + (q**2).sum() / length**2

    best = minimize(total, positions, tol=1e-14).x
    np.testing.assert_allclose(_regularise(positions, length), best, atol=1e-5)
    jumped = positions + 5.0 * (np.arange(20) >= 8)
    kept = _regularise(jumped, length)
    assert kept[8] - kept[7] == pytest.approx(5.0, abs=0.3)


def test_a_rotation_that_is_removed_is_noted_beyond_two_degrees_and_a_walk():
    slow = np.linspace(0, 2.04, 30)
    assert "a slow rotation of 2.0 degrees" in _large_trend(slow)[0]
    assert _large_trend(slow * 0.97) == []
    walk = np.cumsum(np.random.default_rng(3).choice([-1.0, 1.0], 30))
    assert _large_trend(walk) == []


@pytest.mark.parametrize("lengths", [(4.0, None), (None, 4.0), (4.0, 9.0), (None, None)])
def test_shifts_and_rotations_are_regularised_by_their_own_lengths(lengths):
    motions = np.cumsum(np.random.default_rng(2).normal(0, [0.2, 0.3, 0.002], (15, 3)), axis=0)
    matrices = np.array([rigid_matrix(*motion, CENTER) for motion in motions])
    found, notes = regularise_drift(matrices, CENTER, *lengths)
    shift, rotation = lengths
    expected = [
        motions[:, axis] if length is None else _regularise(motions[:, axis], length)
        for axis, length in ((0, shift), (1, shift), (2, rotation))
    ]
    np.testing.assert_allclose(center_motion(found, CENTER), np.transpose(expected), atol=1e-9)
    assert notes == ()
    two, _ = regularise_drift(matrices[:2], CENTER, *lengths)
    np.testing.assert_allclose(two, matrices[:2])


def test_a_seam_behind_steps_that_stand_alone_is_found(no_symmetry):
    found = seamed(lost(18, 24, 3), blank=range(4, 14))
    assert [seam.slice for seam in found] == [18]


@pytest.mark.parametrize(("count", "seams_found"), [(8, 1), (7, 0)])
def test_a_step_is_judged_by_four_others_at_least(no_symmetry, count, seams_found):
    """Of so many slices as many less two steps have neighbours on both sides, itself among them."""
    assert len(seamed(lost(4, count, 3), count=count)) == seams_found


def test_surroundings_are_flattened_where_most_slices_show_them(monkeypatch):
    stack = np.random.default_rng(0).normal(size=(4, *SHAPE))
    for shown, flat in ((2, 0), (3, 3)):
        bodies = iter([np.zeros(SHAPE, bool) if z < shown else None for z in range(4)])
        monkeypatch.setattr(pairs, "particle_body", lambda image, bodies=bodies: next(bodies))
        flattened = []
        monkeypatch.setattr(
            pairs, "_flatten", lambda image, body, seen=flattened: seen.append(1) or image
        )
        pairs.prepare_slices(stack, 0.5, mask_background=True)
        assert len(flattened) == flat
