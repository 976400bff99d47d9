"""Loss of a fit of quadratic costs to labelled voxels, and its gradient, compiled."""

# mypy: disable-error-code="operator, assignment, arg-type, no-any-return"
# Compiled arithmetic has the types that numba infers, which NumPy's stubs do not follow.

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
TERMS = 10  # 1, u, v, w, u^2, v^2, w^2, uv, uw, vw


@njit(cache=True, nogil=True)
def soft_loss(
    theta: Floats,
    points: Floats,
    own: Integers,
    starts: Integers,
    rivals: Integers,
    centers: Floats,
    frames: Floats,
    counts_errors: bool,
    gradient: Floats,
) -> float:
    """Loss of soft assignments exp(-cost) / sum exp(-cost), summed over voxels.

    The negative logarithm of the probability of the true cell or, with `counts_errors`, one
    minus this probability. Cell i has the cost theta_i . (1, u, ..., vw) of coordinates
    frames_i (x - centers_i); a voxel of cell i compares `rivals[starts[i]:starts[i + 1]]`,
    which include i. `gradient` is added to.
    """
    most = 1
    for i in range(starts.size - 1):
        most = max(most, starts[i + 1] - starts[i])
    terms, scores = np.empty((most, TERMS)), np.empty(most)
    loss = 0.0
    for p in range(points.shape[0]):
        first, last = starts[own[p]], starts[own[p] + 1]
        top, true = -np.inf, 0
        for k in range(last - first):
            i = rivals[first + k]
            a, b, c = (
                points[p, 0] - centers[i, 0],
                points[p, 1] - centers[i, 1],
                points[p, 2] - centers[i, 2],
            )
            u = frames[i, 0, 0] * a + frames[i, 0, 1] * b + frames[i, 0, 2] * c
            v = frames[i, 1, 0] * a + frames[i, 1, 1] * b + frames[i, 1, 2] * c
            w = frames[i, 2, 0] * a + frames[i, 2, 1] * b + frames[i, 2, 2] * c
            terms[k, 0] = 1.0
            terms[k, 1], terms[k, 2], terms[k, 3] = u, v, w
            terms[k, 4], terms[k, 5], terms[k, 6] = u * u, v * v, w * w
            terms[k, 7], terms[k, 8], terms[k, 9] = u * v, u * w, v * w
            score = 0.0
            for t in range(TERMS):
                score -= theta[i, t] * terms[k, t]
            scores[k] = score
            top = max(top, score)
            if i == own[p]:
                true = k
        likely = scores[true] - top
        total = 0.0
        for k in range(last - first):
            scores[k] = math.exp(scores[k] - top) if scores[k] > top - 40 else 0.0
            total += scores[k]
        chance = scores[true] / total
        if counts_errors:
            loss += 1 - chance
            factor = chance
        else:
            loss += math.log(total) - likely
            factor = 1.0
        for k in range(last - first):
            slope = factor * ((1.0 if k == true else 0.0) - scores[k] / total)
            if slope != 0.0:
                i = rivals[first + k]
                for t in range(TERMS):
                    gradient[i, t] += slope * terms[k, t]
    return loss
