"""Quantiles of families whose distribution function has no inverse in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.distributions.family_declaration import MarginalFamily, Point

Array = NDArray[np.float64]
# Quantiles at once beyond which some are solved first, as the ends of so many intervals.
MANY, INTERVALS = 1000, 400


def invert_tails(family: MarginalFamily, p: Array, q: Array, values: Point) -> Array:
    """Solve F(x) = p by Newton's method, kept inside a shrinking bracket.

    Of many values a few are solved first; each of the others then lies between two of them.

    Parameters
    ----------
    family : MarginalFamily
        With `tails`, `log_density`, and `bracket` where its natural support is infinite.
    p, q : ndarray of float, shape (n,)
        Probabilities below and above the quantile.
    values : tuple of float
        Parameters.

    Returns
    -------
    ndarray of float, shape (n,)
        Quantiles.
    """
    if p.size <= MANY:
        if family.bracket is not None:
            lower, upper = family.bracket(p, q, *values)
        else:
            lower, upper = (np.full_like(p, end) for end in family.natural_support)
        return _solve_tails(family, p, q, values, (lower, upper), 0.5 * (lower + upper))
    order = np.lexsort((-q, p))
    ranks = np.linspace(0, p.size - 1, INTERVALS + 1).round().astype(int)
    nodes = order[ranks]
    known = invert_tails(family, p[nodes], q[nodes], values)
    place = np.empty(p.size, dtype=int)
    place[order] = np.searchsorted(ranks[1:-1], np.arange(p.size), side="right")
    left, right = nodes[place], nodes[place + 1]
    ends = known[place], known[place + 1]
    # a cubic through both ends with the slopes of the inverse function, 1 / density
    width = p[right] - p[left]
    share = np.where(width > 0.0, (p - p[left]) / np.where(width > 0.0, width, 1.0), 0.5)
    first, last = (width * np.exp(-family.log_density(end, *values)) for end in ends)
    rise = ends[1] - ends[0]
    rest = 1.0 - share
    bend = rest * (first - rise) - share * (last - rise)
    start = ends[0] + share * (rise + rest * bend)
    start = np.where((start >= ends[0]) & (start <= ends[1]), start, ends[0] + share * rise)
    return _solve_tails(family, p, q, values, ends, start)


def _solve_tails(
    family: MarginalFamily, p: Array, q: Array, values: Point, ends: tuple[Array, Array], x: Array
) -> Array:
    """Quantiles between two ends, searched from a value between them."""
    lower, upper = (np.array(end, dtype=float) for end in ends)
    x = np.array(x)
    moved = np.full(x.size, np.inf)
    active = np.arange(x.size)  # a value that has converged is not moved any more
    for _ in range(200):
        at, p_at, q_at = x[active], p[active], q[active]
        below, above = family.tails(at, *values)
        excess: Any = np.where(p_at <= q_at, below - p_at, q_at - above)
        low = np.where(excess <= 0.0, at, lower[active])
        high = np.where(excess >= 0.0, at, upper[active])
        proposal = at - excess * np.exp(-family.log_density(at, *values))
        outside = ~((proposal >= low) & (proposal <= high))
        # where a step is not half as long as the last, halve the bracket: Newton's method
        # creeps along a flat tail
        halved = outside | (np.abs(proposal - at) > 0.5 * moved[active])
        proposal = np.where(halved, 0.5 * (low + high), proposal)
        lower[active], upper[active], x[active] = low, high, proposal
        moved[active] = np.abs(proposal - at)
        # the error after a Newton step this short is beyond the digits of the tails
        settled = ~halved & (np.abs(proposal - at) <= 1e-11 * np.abs(proposal))
        active = active[~settled & (high - low > 4e-16 * np.abs(proposal))]
        if not active.size:
            break
    return np.asarray(x)
