"""Moments of the profiles that plane sections show of grains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.errors import ComputationError
from electrode_grains.generation.moments import PlainMoments, name_moments
from electrode_grains.generation.response import free_numbers
from electrode_grains.morphometry import measure_profiles

Floats = NDArray[np.float64]
PROFILE = ("equivalent_diameter_nm", "circularity", "aspect_ratio")
PROFILE_PAIRS = tuple(combinations(PROFILE, 2))
DENSITY = "boundary_density_per_nm"
LEAST_PROFILES = 30


@dataclass(frozen=True)
class Profiles:
    """Profiles of one or several sections.

    Attributes
    ----------
    table : DataFrame
        As from `measure_profiles`, with `section` (from 0) and `cluster`: profiles of one number
        are of one grain.
    """

    table: pd.DataFrame

    @classmethod
    def of_planes(
        cls,
        planes: Sequence[NDArray[Any]],
        pixel_nm: float,
        sources: Sequence[int] | None = None,
    ) -> Self:
        """Measure planes of labels; where their sources are equal, so are the grains of a label.

        Planes without a grain have no profiles.
        """
        origin = range(len(planes)) if sources is None else sources
        tables = [
            measure_profiles(plane, (pixel_nm, pixel_nm)).assign(section=number, source=source)
            for number, (plane, source) in enumerate(zip(planes, origin, strict=True))
            if (plane > 0).any()
        ]
        if not tables:
            raise ComputationError("no section shows a grain")
        whole = pd.concat(tables, ignore_index=True)
        whole["cluster"] = whole.groupby(["source", "label"]).ngroup()
        return cls(whole)

    def whole(self) -> pd.DataFrame:
        """Profiles that no window cuts."""
        return self.table[~self.table["touches_window"]].reset_index(drop=True)


@dataclass(frozen=True)
class SectionMoments(PlainMoments):
    """Moments of diameter, circularity and aspect ratio of profiles, and the boundary density.

    Attributes
    ----------
    means, stds : mapping of str to float
        By characteristic, of all profiles: those seen whole are weighted by the inverse chance
        of that.
    correlations : mapping of str to float
        Pearson's, by "first ~ second".
    boundary_density_per_nm : float
        Half the perimeters over the areas: the length of boundary for each unit of area.
    profile_count : int
    """

    means: Mapping[str, float]
    stds: Mapping[str, float]
    correlations: Mapping[str, float]
    boundary_density_per_nm: float
    profile_count: int

    @classmethod
    def of_profiles(cls, profiles: Profiles) -> Self:
        """Moments of the profiles that no window cuts.

        Raises
        ------
        ComputationError
            If these are fewer than 30.
        """
        whole = profiles.whole()
        if len(whole) < LEAST_PROFILES:
            raise ComputationError(
                "too few whole profiles for means and correlations",
                found=f"{len(whole)} of at least 10 pixels",
                expected=f"at least {LEAST_PROFILES}",
                remedy="take further or larger sections",
            )
        return cls._of(whole)

    @classmethod
    def _of(cls, whole: pd.DataFrame) -> Self:
        values = whole[list(PROFILE)].to_numpy(float)
        weights = whole["edge_weight"].to_numpy(float)
        area = np.pi / 4 * whole[PROFILE[0]].to_numpy(float) ** 2
        means = np.average(values, axis=0, weights=weights)
        spread = np.cov(values, rowvar=False, aweights=weights, ddof=0)
        stds = np.sqrt(np.diag(spread))
        related = spread / np.outer(stds, stds)
        places = list(combinations(range(len(PROFILE)), 2))
        return cls(
            dict(zip(PROFILE, map(float, means), strict=True)),
            dict(zip(PROFILE, map(float, stds), strict=True)),
            {
                f"{x} ~ {y}": float(related[place])
                for (x, y), place in zip(PROFILE_PAIRS, places, strict=True)
            },
            0.5 * float(weights @ whole["perimeter_nm"] / (weights @ area)),
            len(whole),
        )

    @classmethod
    def resampled(cls, profiles: Profiles, count: int, rng: np.random.Generator) -> list[Self]:
        """Moments of bootstrap samples of grains: all profiles of one are drawn together."""
        whole = profiles.whole()
        _, cluster = np.unique(whole["cluster"], return_inverse=True)
        order = np.argsort(cluster, kind="stable")
        sizes = np.bincount(cluster)
        ends = np.cumsum(sizes)
        found = []
        for _ in range(count):
            drawn = rng.integers(0, len(sizes), len(sizes))
            rows = np.concatenate([order[ends[n] - sizes[n] : ends[n]] for n in drawn])
            found.append(cls._of(whole.iloc[rows]))
        return found

    def named(self) -> dict[str, float]:
        """Moments by the names of their rows in a table."""
        values = name_moments(self.means, self.stds, self.correlations, PROFILE, PROFILE_PAIRS)
        return values | {DENSITY: self.boundary_density_per_nm}

    def vector(self) -> Floats:
        """The same as `free_numbers`, shape (10,)."""
        return free_numbers(self.named())
