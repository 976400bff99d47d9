"""Which of its variants is a grain's own, where an indexer flips points in patches.

The variant of each point is known up to the choice of one per grain: with a choice made, a point is
*flipped* if its variant is another. Patches of flips do not stop at the boundaries of grains, so
that neighbouring grains bear witness for each other, even for one that lies in a patch as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from electrode_grains.grains.labelling import Labels, facing

FITTED_POINTS = 40_000  # their parameters scatter by .02
# Flips are the exception. In patches the model's own field may be above 0, which would let all
# grains change sides at once; a little below it decides that alone.
LARGEST_FIELD = -0.1
LARGEST_COUPLING = 4.0
# Points are alike over more than their neighbours, so that faces repeat each other.
EVIDENCE = 0.5
ROUNDS, SWEEPS, FIRST_TEMPERATURE, DAMPING = 3, 80, 10.0, 0.5
COOLED = 0.6  # part of the sweeps in which the temperature falls

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class FlipModel:
    """How flips of neighbouring points depend on each other; all in nats.

    Attributes
    ----------
    within, across : float
        Cost of a face between a flipped point and one that is not: in a grain, between two.
    change : float
        Cost of a face in a grain between two flipped points of different variants.
    field : float
        Gain of a flipped point, below 0.
    """

    within: float
    change: float
    field: float
    across: float


@dataclass(frozen=True)
class _Counts:
    """What the choice depends on: points and faces by the variants that they have.

    Attributes
    ----------
    points : ndarray of float64, shape (n, variants)
        Weight of the points of each grain.
    faces : ndarray of float64, shape (n, variants, variants)
        Faces within each grain.
    first, second : ndarray of int, shape (m,)
        Grains in contact.
    contacts : ndarray of float64, shape (m, variants, variants)
        Faces of each contact, by the variants in the first and in the second grain.
    """

    points: Floats
    faces: Floats
    first: Places
    second: Places
    contacts: Floats


def choose_variants(
    labels: Labels,
    variant: NDArray[np.integer],
    weight: NDArray[np.floating],
    variants: int = 4,
) -> tuple[Places, Floats, FlipModel]:
    """Choose the own variant of each grain.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Compact labels 1 to n.
    variant : ndarray of int, shape (z, y, x)
        From 0, numbered in each grain in its own way; -1 where none is known.
    weight : ndarray of float, shape (z, y, x)
        Confidence of the points.
    variants : int
        Their number, four of the pseudo-cube.

    Returns
    -------
    choice : ndarray of int, shape (n + 1,)
        Most probable variant of each grain.
    probability : ndarray of float64, shape (n + 1, variants)
        Of each variant; all alike where nothing is known.
    model : FlipModel

    Notes
    -----
    Flips are a Markov random field on the points (an Ising model of flipped or not, a Potts model
    of the variants of those flipped). Its parameters are those of the largest
    pseudo-likelihood [1]_ under the choice so far, which begins with the vote; the choice is
    that of belief propagation [2]_ on the graph of grains in contact, cooled from a high
    temperature. Where flips do not depend on each other all couplings are 0, and what is left
    is the vote. A grain that was flipped as a whole while its neighbours were not cannot be told.

    References
    ----------
    .. [1] J. Besag, J. R. Stat. Soc. D 24 (1975) 179-195.
    .. [2] J. S. Yedidia, W. T. Freeman, Y. Weiss, IEEE Trans. Inf. Theory 51 (2005) 2282-2312.
    """
    counts = _count(labels, variant, weight, variants)
    choice = counts.points.argmax(axis=1)
    for _ in range(ROUNDS):
        model = _fit(labels, variant, choice, variants)
        own, shared = _energies(counts, model)
        probability = _propagate(own, counts.first, counts.second, shared, choice)
        choice = probability.argmax(axis=1)
    return choice, probability, model


def _count(
    labels: Labels, variant: NDArray[np.integer], weight: NDArray[np.floating], variants: int
) -> _Counts:
    known = (labels > 0) & (variant >= 0)
    size = int(labels.max(initial=0)) + 1
    trust = weight[known].astype(float)
    trust /= trust.mean() if len(trust) else 1.0
    place = labels[known].astype(np.int64) * variants + variant[known]
    points = np.bincount(place, trust, size * variants).astype(float).reshape(size, variants)
    pairs: list[NDArray[np.int64]] = []
    for low, high in facing(3):
        both = known[low] & known[high]
        sides = [labels[side][both].astype(np.int64) for side in (low, high)]
        seen = [variant[side][both].astype(np.int64) for side in (low, high)]
        turned = sides[0] > sides[1]
        first, second = (np.where(turned, sides[k], sides[1 - k]) for k in (1, 0))
        left, right = (np.where(turned, seen[k], seen[1 - k]) for k in (1, 0))
        pairs.append(((first * size + second) * variants + left) * variants + right)
    codes, number = np.unique(np.concatenate(pairs), return_counts=True)
    pair, cell = np.divmod(codes, variants**2)
    distinct, row = np.unique(pair, return_inverse=True)
    flat = np.zeros((len(distinct), variants**2))
    flat[row, cell] = number
    table = flat.reshape(-1, variants, variants)
    grain = (distinct // size).astype(np.intp)
    other = (distinct % size).astype(np.intp)
    inner = grain == other
    faces = np.zeros((size, variants, variants))
    faces[grain[inner]] = table[inner]
    return _Counts(points, faces, grain[~inner], other[~inner], table[~inner])


def _energies(counts: _Counts, model: FlipModel) -> tuple[Floats, Floats]:
    """Log-probabilities of the choices: of each grain, (n, 4), and of each contact, (m, 4, 4)."""
    points, faces = counts.points, counts.faces
    same = np.einsum("gii->gi", faces)
    total = faces.sum(axis=(1, 2))[:, None]
    mixed = faces.sum(axis=1) + faces.sum(axis=2) - 2 * same
    flipped = total - mixed - same
    changes = flipped - (same.sum(axis=1, keepdims=True) - same)
    own = -model.within * mixed - model.change * changes
    own += model.field * (points.sum(axis=1, keepdims=True) - points)
    contacts = counts.contacts
    one_side = contacts.sum(axis=2)[:, :, None] + contacts.sum(axis=1)[:, None] - 2 * contacts
    return EVIDENCE * own, -EVIDENCE * model.across * one_side


def _fit(labels: Labels, variant: NDArray[np.integer], choice: Places, variants: int) -> FlipModel:
    """Parameters of the largest pseudo-likelihood, on a part of the points."""
    known = (labels > 0) & (variant >= 0)
    places = np.flatnonzero(known)
    places = places[:: max(1, len(places) // FITTED_POINTS)]
    start = np.array([1.0, 1.0, -1.0, 0.5])
    if not len(places):
        return FlipModel(*map(float, start))
    where = np.stack(np.unravel_index(places, labels.shape), axis=1)
    in_grain = np.zeros((len(places), variants))
    across = np.zeros((len(places), 2))  # neighbours in other grains: not flipped, flipped
    here = labels.ravel()[places]
    for axis, size in enumerate(labels.shape):
        for step in (-1, 1):
            beside = where.copy()
            beside[:, axis] += step
            inside = (beside[:, axis] >= 0) & (beside[:, axis] < size)
            beside[~inside] = 0
            index = tuple(beside.T)
            grain, seen = labels[index], variant[index]
            usable = inside & known[index]
            own = np.flatnonzero(usable & (grain == here))
            in_grain[own, seen[own]] += 1
            other = np.flatnonzero(usable & (grain != here))
            across[other, (seen[other] != choice[grain[other]]).astype(int)] += 1
    rows, chosen = np.arange(len(places)), choice[here]
    mine, total = in_grain[rows, chosen], in_grain.sum(axis=1)
    features = np.zeros((len(places), variants, 4))
    for state in range(variants):
        true = state == chosen
        features[:, state, 0] = -np.where(true, total - mine, mine)
        features[:, state, 1] = -np.where(true, 0, total - mine - in_grain[:, state])
        features[:, state, 2] = ~true
        features[:, state, 3] = -np.where(true, across[:, 1], across[:, 0])
    seen = variant.ravel()[places]

    def loss(values: Floats) -> tuple[float, Floats]:
        score = features @ values
        score -= score.max(axis=1, keepdims=True)
        share = np.exp(score)
        norm = share.sum(axis=1)
        gradient = features[rows, seen] - np.einsum("nk,nkp->np", share / norm[:, None], features)
        # A weak pull to 0 holds what the data do not tell.
        value = -(score[rows, seen] - np.log(norm)).sum() + 0.1 * (values**2).sum()
        return value / len(rows), (0.2 * values - gradient.sum(axis=0)) / len(rows)

    limits = [(0, LARGEST_COUPLING)] * 2 + [(-6.0, 6.0), (0, LARGEST_COUPLING)]
    within, change, field, other = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=limits
    ).x
    return FlipModel(float(within), float(change), min(float(field), LARGEST_FIELD), float(other))


def _propagate(own: Floats, first: Places, second: Places, shared: Floats, start: Places) -> Floats:
    """Probabilities of the choices of all grains, shape (n, 4), by annealed belief propagation."""
    sender, receiver = np.concatenate([first, second]), np.concatenate([second, first])
    table = np.concatenate([shared, shared.transpose(0, 2, 1)])  # (edge, sender, receiver)
    edges = np.arange(len(table))
    back = np.roll(edges, len(first))
    message = table[edges, start[sender]] / FIRST_TEMPERATURE
    for sweep in range(SWEEPS):
        temperature = max(1.0, FIRST_TEMPERATURE ** (1 - sweep / (COOLED * SWEEPS)))
        belief = own / temperature + _gathered(message, receiver, len(own))
        terms = (belief[sender] - message[back])[:, :, None] + table / temperature
        largest = terms.max(axis=1)
        sent = largest + np.log(np.exp(terms - largest[:, None]).sum(axis=1))
        sent -= sent.max(axis=1, keepdims=True)
        message = DAMPING * message + (1 - DAMPING) * sent
    belief = own + _gathered(message, receiver, len(own))
    probability = np.exp(belief - belief.max(axis=1, keepdims=True))
    result: Floats = probability / probability.sum(axis=1, keepdims=True)
    return result


def _gathered(message: Floats, receiver: Places, size: int) -> Floats:
    sums = [np.bincount(receiver, message[:, k], size) for k in range(message.shape[1])]
    return np.stack(sums, axis=1)
