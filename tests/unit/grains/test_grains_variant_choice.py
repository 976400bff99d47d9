"""The own variant of each grain, from its points and from those of its neighbours."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import KDTree

from electrode_grains.grains.variant_choice import choose_variants

SHAPE = (36, 56, 56)


@pytest.fixture(scope="module")
def cells():
    """Voronoi cells about ten voxels wide."""
    points = np.stack(np.mgrid[tuple(slice(n) for n in SHAPE)], -1).reshape(-1, 3)
    seeds = np.random.default_rng(3).random((110, 3)) * SHAPE
    return (KDTree(seeds).query(points)[1] + 1).reshape(SHAPE).astype(np.int32)


def smooth(rng, sigma):
    return ndimage.gaussian_filter(rng.standard_normal(SHAPE), sigma)


def seen(own, flipped, wrong, labels, rng):
    """Variant of each point: the grain's own, or one of three others; a part unknown."""
    variant = np.where(flipped, (own[labels] + wrong) % 4, own[labels])
    variant[rng.random(SHAPE) < 0.05] = -1
    return variant


def patches(labels, rng, share, one_variant, sigma=3.0):
    own = rng.integers(0, 4, labels.max() + 1)
    field = smooth(rng, sigma)
    wrong = np.argmax([smooth(rng, sigma) for _ in range(3)], 0) + 1
    if not one_variant:
        wrong = rng.integers(1, 4, SHAPE)
    return own, seen(own, field < np.quantile(field, share), wrong, labels, rng)


@pytest.mark.parametrize("one_variant", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
def test_grains_that_patches_cover_are_told_by_their_neighbours(cells, share, one_variant):
    rng = np.random.default_rng(8)
    own, variant = patches(cells, rng, share, one_variant)

    choice, probability, _ = choose_variants(cells, variant, np.ones(SHAPE))

    right = choice[1:] == own[1:]
    decided = probability[1:].max(axis=1) >= 0.99
    votes = np.bincount((cells * 4 + variant)[variant >= 0], minlength=len(own) * 4).reshape(-1, 4)
    if share == 0.4:
        assert (votes.argmax(axis=1)[1:] == own[1:]).mean() < 0.9
    assert right.mean() >= 0.99
    assert right[decided].all()
    assert decided.mean() > 0.95


def test_flips_of_single_points_are_outvoted(cells):
    rng = np.random.default_rng(9)
    own = rng.integers(0, 4, cells.max() + 1)
    variant = seen(own, rng.random(SHAPE) < 0.6, rng.integers(1, 4, SHAPE), cells, rng)

    choice, _, model = choose_variants(cells, variant, np.ones(SHAPE))

    assert np.array_equal(choice[1:], own[1:])
    assert model.field == pytest.approx(np.log(0.2 / 0.4), abs=0.1)  # one wrong variant to the own
    assert max(model.within, model.change, model.across) < 0.1


def test_patches_that_end_at_grains_are_no_witnesses_and_leave_doubt(cells):
    """Each grain with flips of its own: more than a half of some, which nothing can tell."""
    rng = np.random.default_rng(10)
    own, field = rng.integers(0, 4, cells.max() + 1), smooth(rng, 3)
    flipped, wrong = np.zeros(SHAPE, bool), np.ones(SHAPE, int)
    for grain, share in enumerate(rng.uniform(0, 0.5, cells.max()), 1):
        inside = cells == grain
        flipped[inside] = field[inside] < np.quantile(field[inside], share)
        wrong[inside] = rng.integers(1, 4)
    variant = seen(own, flipped, wrong, cells, rng)

    choice, probability, model = choose_variants(cells, variant, np.ones(SHAPE))

    decided = probability[1:].max(axis=1) >= 0.99
    assert model.across < 0.5 * model.within
    assert (choice[1:] == own[1:])[decided].mean() >= 0.98


def test_the_choice_follows_the_grains_whatever_their_numbers(cells):
    rng = np.random.default_rng(11)
    _, variant = patches(cells, rng, 0.3, True)
    order = np.concatenate([[0], 1 + rng.permutation(int(cells.max()))])
    plain = choose_variants(cells, variant, np.ones(SHAPE))[0]
    turned = choose_variants(order[cells].astype(np.int32), variant, np.ones(SHAPE))[0]
    assert np.array_equal(turned[order], plain)


def test_where_no_variant_is_known_nothing_is_chosen():
    labels = np.ones((2, 3, 4), np.int32)
    _, probability, _ = choose_variants(labels, np.full((2, 3, 4), -1), np.ones((2, 3, 4)))
    assert probability == pytest.approx(0.25)
