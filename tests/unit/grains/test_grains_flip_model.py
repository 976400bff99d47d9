"""The model of flipped points: each part against its definition on grains of a few voxels."""

import itertools

import numpy as np
import pytest

from electrode_grains.grains import variant_choice
from electrode_grains.grains.variant_choice import (
    EVIDENCE,
    LARGEST_COUPLING,
    LARGEST_FIELD,
    FlipModel,
    choose_variants,
)

MODEL = FlipModel(within=0.7, change=0.4, field=-1.3, across=0.3)
SHAPE = (3, 4, 5)


def grains_of(seed, shape=SHAPE, grains=3, variants=4):
    """Labels, variants and weights at random; a part of the points unknown."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, grains + 1, shape).astype(np.int32)
    labels.flat[:grains] = np.arange(1, grains + 1)
    variant = rng.integers(-1, variants, shape)
    return labels, variant, rng.uniform(0.2, 2, shape)


def faces_of(shape):
    for voxel in np.ndindex(*shape):
        for axis in range(3):
            beside = tuple(place + (axis == k) for k, place in enumerate(voxel))
            if beside[axis] < shape[axis]:
                yield voxel, beside


def known_faces(labels, variant):
    known = (labels > 0) & (variant >= 0)
    return [(a, b) for a, b in faces_of(labels.shape) if known[a] and known[b]]


@pytest.mark.parametrize("seed", range(5))
def test_points_and_faces_are_counted_by_grain_and_variant(seed):
    labels, variant, weight = grains_of(seed)
    known = (labels > 0) & (variant >= 0)
    points, faces = np.zeros((4, 4)), np.zeros((4, 4, 4))
    for voxel in np.argwhere(known):
        points[labels[tuple(voxel)], variant[tuple(voxel)]] += weight[tuple(voxel)]
    contacts = {}
    for one, other in known_faces(labels, variant):
        if labels[one] == labels[other]:
            faces[labels[one], variant[one], variant[other]] += 1
            continue
        low, high = sorted((one, other), key=lambda place: labels[place])
        table = contacts.setdefault((labels[low], labels[high]), np.zeros((4, 4)))
        table[variant[low], variant[high]] += 1

    found = variant_choice._count(labels, variant, weight, 4)

    np.testing.assert_allclose(found.points, points / weight[known].mean())
    np.testing.assert_array_equal(found.faces, faces)
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs == sorted(contacts)
    for pair, table in zip(pairs, found.contacts, strict=True):
        np.testing.assert_array_equal(table, contacts[pair])


def test_of_a_window_without_a_grain_nothing_but_its_outside_is_told():
    outside = np.zeros((2, 2, 2), np.int32)

    choice, probability, _ = choose_variants(outside, outside, np.ones(outside.shape))

    assert choice.shape == (1,)
    np.testing.assert_allclose(probability, [[0.25] * 4])


def energy(labels, variant, weight, choice):
    """Log-probability of all choices together, by the definition of the model."""
    known = (labels > 0) & (variant >= 0)
    flipped = variant != choice[labels]
    total = MODEL.field * (weight * flipped)[known].sum() / weight[known].mean()
    for one, other in known_faces(labels, variant):
        is_apart = flipped[one] != flipped[other]
        if labels[one] != labels[other]:
            total -= MODEL.across * is_apart
        elif is_apart:
            total -= MODEL.within
        elif flipped[one] and variant[one] != variant[other]:
            total -= MODEL.change
    return EVIDENCE * total


@pytest.mark.parametrize("seed", range(4))
def test_energies_of_choices_are_those_of_their_flipped_points_and_faces(seed):
    labels, variant, weight = grains_of(seed)
    counts = variant_choice._count(labels, variant, weight, 4)

    own, shared = variant_choice._energies(counts, MODEL)

    for choice in itertools.product([0], range(4), range(4), range(4)):
        found = sum(own[grain, choice[grain]] for grain in range(1, 4))
        for first, second, table in zip(counts.first, counts.second, shared, strict=True):
            found += table[choice[first], choice[second]]
        assert found == pytest.approx(energy(labels, variant, weight, np.array(choice)))


def pseudo_likelihood(values, labels, variant, choice):
    """Sum over the points of the logarithm of their probability given their neighbours."""
    within, change, field, across = values
    neighbours = {}
    for one, other in known_faces(labels, variant):
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    total = 0.0
    for place in zip(*np.nonzero((labels > 0) & (variant >= 0)), strict=True):
        own = choice[labels[place]]
        gains = np.zeros(4)
        for state in range(4):
            is_flipped = state != own
            gains[state] += field * is_flipped
            for beside in neighbours.get(place, ()):
                beside_flipped = variant[beside] != choice[labels[beside]]
                if labels[beside] != labels[place]:
                    gains[state] -= across * (is_flipped != beside_flipped)
                elif is_flipped != beside_flipped:
                    gains[state] -= within
                elif is_flipped and variant[beside] != state:
                    gains[state] -= change
        total += gains[variant[place]] - np.log(np.exp(gains).sum())
    return total - 0.1 * np.square(values).sum()  # a weak pull to 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_fitted_model_has_the_largest_pseudo_likelihood(seed):
    rng = np.random.default_rng(seed)
    labels = np.ones((4, 6, 8), np.int32)
    labels[:, 3:] = 2
    labels[:, :, 6:] = 3
    choice = np.array([0, 2, 1, 3])
    patch = np.zeros(labels.shape, bool)
    patch[1:3, 1:5, 2:7] = True
    variant = np.where(patch ^ (rng.random(labels.shape) < 0.1), 0, choice[labels])
    variant[rng.random(labels.shape) < 0.1] = rng.integers(0, 4)
    variant[rng.random(labels.shape) < 0.1] = -1

    model = variant_choice._fit(labels, variant, choice, 4)

    found = np.array([model.within, model.change, model.field, model.across])
    most = pseudo_likelihood(found, labels, variant, choice)
    lower, upper = [0, 0, -6, 0], [LARGEST_COUPLING, LARGEST_COUPLING, LARGEST_FIELD, 4]
    for place, step in itertools.product(range(4), (-0.02, 0.02)):
        changed = found.copy()
        changed[place] = np.clip(changed[place] + step, lower[place], upper[place])
        assert pseudo_likelihood(changed, labels, variant, choice) <= most + 1e-9
    assert (found >= lower).all()
    assert (found <= upper).all()


def test_flips_that_outnumber_the_rest_do_not_let_all_grains_change_sides():
    labels = np.ones((3, 3, 3), np.int32)
    variant = np.zeros(labels.shape, int)
    variant[0, 0, 0] = 1

    model = variant_choice._fit(labels, variant, np.array([0, 1]), 4)

    assert model.field == LARGEST_FIELD


def test_a_model_of_no_points_is_the_one_to_begin_with():
    nothing = np.zeros((2, 2, 2), np.int32)

    model = variant_choice._fit(nothing, nothing, np.zeros(1, int), 4)

    assert model == FlipModel(within=1.0, change=1.0, field=-1.0, across=0.5)


@pytest.mark.parametrize("seed", range(4))
def test_on_a_graph_without_rings_the_choices_are_as_probable_as_all_ways_say(seed):
    """Belief propagation is exact on a tree: here a chain of three grains, and one alone."""
    rng = np.random.default_rng(seed)
    own, shared = rng.normal(0, 1, (4, 4)), rng.normal(0, 1, (2, 4, 4))
    first, second = np.array([0, 1]), np.array([1, 2])
    expected = np.zeros((4, 4))
    for choice in itertools.product(range(4), repeat=4):
        gain = sum(own[grain, choice[grain]] for grain in range(4))
        gain += sum(shared[k, choice[a], choice[b]] for k, (a, b) in enumerate([(0, 1), (1, 2)]))
        expected[np.arange(4), choice] += np.exp(gain)
    expected /= expected.sum(axis=1, keepdims=True)

    found = variant_choice._propagate(own, first, second, shared, own.argmax(axis=1))

    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("start", [0, 1])
def test_cooling_leads_to_the_more_probable_of_two_choices_wherever_it_starts(start):
    """A torus of grains that all favour variant 0 a little, and to agree with each other a lot."""
    place = np.arange(36).reshape(6, 6)
    first = np.tile(place.ravel(), 2)
    second = np.concatenate([np.roll(place, -1, axis).ravel() for axis in (0, 1)])
    own = np.tile([0.3, 0.0, 0.0, 0.0], (36, 1))
    shared = np.tile(3.0 * np.eye(4), (72, 1, 1))

    found = variant_choice._propagate(own, first, second, shared, np.full(36, start))

    assert (found.argmax(axis=1) == 0).all()
