"""Means, standard deviations and correlations of the shapes of grains: what virtual ones match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.errors import ComputationError, SettingsError

CHARACTERISTICS = ("equivalent_diameter_nm", "sphericity", "convexity", "elongation")
PAIRS = tuple(combinations(CHARACTERISTICS, 2))
LEAST_GRAINS = 20
# What counts as met: of means and standard deviations relative, of correlations absolute.
MEAN_TOLERANCE, STD_TOLERANCE, CORRELATION_TOLERANCE = 0.05, 0.05, 0.1


class PlainMoments:
    """Moments that a file keeps: mappings by name, and numbers."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {name: dict(v) if isinstance(v, Mapping) else v for name, v in vars(self).items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Moments from what `to_dict` returned."""
        return cls(**content)


def name_moments(
    means: Mapping[str, float], stds: Mapping[str, float], correlations: Mapping[str, float],
    names: Sequence[str], pairs: Sequence[tuple[str, str]],
) -> dict[str, float]:  # fmt: skip
    """Moments by the names of their rows, in an order of their own: a file sorts what it keeps."""
    values: dict[str, float] = {}
    for name in names:
        values[f"mean {name}"] = means[name]
        values[f"std {name}"] = stds[name]
    for x, y in pairs:
        values[f"correlation {x} ~ {y}"] = correlations[f"{x} ~ {y}"]
    return values


@dataclass(frozen=True)
class ShapeMoments(PlainMoments):
    """Moments of diameter, sphericity, convexity and elongation over whole grains.

    Attributes
    ----------
    means, stds : mapping of str to float
        By characteristic.
    correlations : mapping of str to float
        Pearson's, by "first ~ second".
    grain_count : int
        0 where the numbers are from a publication.
    """

    means: Mapping[str, float]
    stds: Mapping[str, float]
    correlations: Mapping[str, float]
    grain_count: int = 0

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> ShapeMoments:
        """Moments of a grain table's whole grains.

        Raises
        ------
        ComputationError
            If fewer than 20 grains are whole and have all four characteristics.
        """
        whole = table.loc[~table["touches_window"].astype(bool), list(CHARACTERISTICS)].dropna()
        if len(whole) < LEAST_GRAINS:
            raise ComputationError(
                "too few whole grains for means and correlations",
                found=f"{len(whole)}",
                expected=f"at least {LEAST_GRAINS}",
                remedy="take a larger window, or more particles",
            )
        return cls.of_grains(whole)

    @classmethod
    def of_grains(cls, whole: pd.DataFrame) -> ShapeMoments:
        """Moments of all grains of a table, whose characteristics are known."""
        whole = whole[list(CHARACTERISTICS)]
        matrix = whole.corr().to_numpy()
        return cls(
            {name: float(whole[name].mean()) for name in CHARACTERISTICS},
            {name: float(whole[name].std()) for name in CHARACTERISTICS},
            {f"{x} ~ {y}": float(matrix[_place(x, y)]) for x, y in PAIRS},
            len(whole),
        )

    def checked(self) -> ShapeMoments:
        """The same moments, if grains can have them.

        Raises
        ------
        SettingsError
            If a standard deviation is more than the range of a characteristic allows, or the
            correlations belong to no four quantities; the nearest possible ones are named.
        """
        for name in CHARACTERISTICS:
            mean, std = self.means[name], self.stds[name]
            most = np.inf if name == CHARACTERISTICS[0] else np.sqrt(max(mean * (1 - mean), 0))
            if not (mean > 0 and 0 < std <= most) or (np.isfinite(most) and mean >= 1):
                raise SettingsError(
                    "no grains have such a mean and standard deviation",
                    where=name,
                    found=f"{mean:g} and {std:g}",
                    expected="a positive mean"
                    + (f" below 1, at most {most:.3g}" if np.isfinite(most) else ""),
                )
        matrix = self.correlation_matrix()
        if np.linalg.eigvalsh(matrix).min() < 0:
            near = nearest_correlations(matrix)
            named = {f"{x} ~ {y}": round(float(near[_place(x, y)]), 2) for x, y in PAIRS}
            raise SettingsError(
                "no four quantities have these correlations: their matrix is not positive",
                found=", ".join(f"{pair}: {r:g}" for pair, r in self.correlations.items()),
                expected="such as " + ", ".join(f"{pair}: {r:g}" for pair, r in named.items()),
            )
        return self

    def consistent(self) -> ShapeMoments:
        """The same moments with the nearest correlations that four quantities can have.

        Pairs that are fitted one by one need not belong to any four quantities, above all those
        of few grains.
        """
        matrix = self.correlation_matrix()
        if np.linalg.eigvalsh(matrix).min() >= 0:
            return self
        near = nearest_correlations(matrix)
        return replace(
            self, correlations={f"{x} ~ {y}": float(near[_place(x, y)]) for x, y in PAIRS}
        )

    def correlation_matrix(self) -> NDArray[np.float64]:
        """Matrix of the correlations, in the order of `CHARACTERISTICS`."""
        matrix = np.eye(4)
        for x, y in PAIRS:
            i, j = _place(x, y)
            matrix[i, j] = matrix[j, i] = self.correlations[f"{x} ~ {y}"]
        return matrix

    def deviations(self, target: ShapeMoments) -> NDArray[np.float64]:
        """Distance from a target in units of what counts as met, shape (14,)."""
        means = [self.means[n] / target.means[n] - 1 for n in CHARACTERISTICS]
        stds = [self.stds[n] / target.stds[n] - 1 for n in CHARACTERISTICS]
        pairs = [
            self.correlations[f"{x} ~ {y}"] - target.correlations[f"{x} ~ {y}"] for x, y in PAIRS
        ]
        return np.concatenate(
            [
                np.array(means) / MEAN_TOLERANCE,
                np.array(stds) / STD_TOLERANCE,
                np.array(pairs) / CORRELATION_TOLERANCE,
            ]
        )

    def tolerances(self) -> NDArray[np.float64]:
        """What a deviation is counted in, for each of the moments as `free_numbers`, shape (14,).

        What counts as met, or the standard error of a difference between two particles of so
        many grains where that is smaller, down to a fifth: the more grains were measured, the
        nearer virtual ones are to come.
        """
        count = self.grain_count or 1
        units = []
        for name, value in self.named().items():
            what, characteristic = name.split(" ", 1)
            if what == "correlation":
                met = CORRELATION_TOLERANCE / (1 - min(value**2, 0.99))
                error = 1 / max(count - 3, 1) ** 0.5  # of Fisher's z
            elif what == "mean":
                met = MEAN_TOLERANCE
                error = self.stds[characteristic] / (value * count**0.5)
            else:
                met, error = STD_TOLERANCE, (2 * count) ** -0.5
            units.append(min(max(2**0.5 * error, met / 5), met))
        return np.array(units)

    def named(self) -> dict[str, float]:
        """Moments by the names of their rows in a table."""
        return name_moments(self.means, self.stds, self.correlations, CHARACTERISTICS, PAIRS)


# Tables 2 and 3 of Furat et al., J. Power Sources 483 (2021) 229148; the pair that is not among
# them has an empirical correlation below .1.
PUBLISHED = ShapeMoments(
    dict(zip(CHARACTERISTICS, (514.0, 0.85, 0.79, 0.75), strict=True)),
    dict(zip(CHARACTERISTICS, (173.0, 0.053, 0.062, 0.081), strict=True)),
    {
        f"{x} ~ {y}": r
        for (x, y), r in zip(PAIRS, (-0.47, -0.34, 0.0, 0.92, 0.68, 0.51), strict=True)
    },
)


def nearest_correlations(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation matrix near a symmetric one: its negative eigenvalues cut, rescaled."""
    values, vectors = np.linalg.eigh(matrix)
    cut = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(cut))
    near: NDArray[np.float64] = cut * scale[:, None] * scale
    return near


def _place(x: str, y: str) -> tuple[int, int]:
    return CHARACTERISTICS.index(x), CHARACTERISTICS.index(y)
