"""Statistics of the grains of one particle, each with its standard error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Literal["mean", "spread", "dependence"]
PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Statistic:
    """A number about the grains of a particle.

    Attributes
    ----------
    subject : str
        Characteristic, or two of them as ``x ~ y``.
    kind : {"mean", "spread", "dependence"}
        Mean, standard deviation, or Kendall's tau.
    value, error : float
        Its value and standard error, in the unit of the characteristic.
    grain_count : int
        Grains that it was computed from.
    """

    subject: str
    kind: Kind
    value: float
    error: float
    grain_count: int


def particle_statistics(
    grains: Mapping[str, Array], pairs: Sequence[tuple[str, str]], *, minimum_grains: int
) -> Iterator[Statistic]:
    """Compute mean and spread of each characteristic, and the dependence of each pair.

    Parameters
    ----------
    grains : mapping of str to ndarray, shape (n,)
        Characteristics, one value per grain; values that are not finite are left out.
    pairs : sequence of (str, str)
        Characteristics whose dependence is measured.
    minimum_grains : int
        A statistic of fewer grains is left out.

    Notes
    -----
    The error of a standard deviation s is ``s sqrt(m4 / s^4 - 1) / (2 sqrt(n))`` with the fourth
    central moment m4, which holds for skewed characteristics too.
    """
    for name, column in grains.items():
        values = column[np.isfinite(column)]
        count = len(values)
        if count < minimum_grains:
            continue
        mean = float(values.mean())
        deviation = values - mean
        std = float(values.std(ddof=1))
        yield Statistic(name, "mean", mean, std / np.sqrt(count), count)
        fourth = float(np.mean(deviation**4))
        excess = max(fourth / std**4 - 1.0, 0.0) if std > 0 else 0.0
        yield Statistic(name, "spread", std, std * np.sqrt(excess / count) / 2.0, count)
    for x, y in pairs:
        both = np.isfinite(grains[x]) & np.isfinite(grains[y])
        if both.sum() >= minimum_grains:
            tau, error = kendall_tau(grains[x][both], grains[y][both])
            if np.isfinite(tau):
                yield Statistic(f"{x} ~ {y}", "dependence", tau, error, int(both.sum()))


def kendall_tau(x: Array, y: Array) -> tuple[float, float]:
    r"""Kendall's tau (tau-b) and its standard error.

    Parameters
    ----------
    x, y : ndarray, shape (n,)

    Returns
    -------
    tau, error : float
        NaN where either is constant.

    Notes
    -----
    With :math:`c_i` the mean over all other grains j of the sign of
    :math:`(x_i - x_j)(y_i - y_j)`, tau is their mean and its variance :math:`4 \operatorname{var}
    (c_i) / n`, as of any U-statistic of order two (Hoeffding, Ann. Math. Stat. 19 (1948) 293-325).

    Examples
    --------
    >>> tau, _ = kendall_tau(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4]))
    >>> round(tau, 4)
    0.6667
    """
    number = len(x)
    concordance = np.empty(number)
    untied_x = untied_y = 0.0
    step = max(1, PAIRS_AT_ONCE // number)
    for start in range(0, number, step):
        rows = slice(start, start + step)
        of_x = np.sign(x[rows, None] - x)
        of_y = np.sign(y[rows, None] - y)
        concordance[rows] = np.einsum("ij,ij->i", of_x, of_y)
        untied_x += float(np.count_nonzero(of_x))
        untied_y += float(np.count_nonzero(of_y))
    if not untied_x or not untied_y:
        return np.nan, np.nan
    scale = number / np.sqrt(untied_x * untied_y)
    scores = concordance * scale
    return float(scores.mean()), float(2.0 * scores.std(ddof=1) / np.sqrt(number))
