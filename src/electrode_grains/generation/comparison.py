"""Virtual particles beside the data and the fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance

from electrode_grains.distributions.energy import energy_distance
from electrode_grains.generation.moments import CHARACTERISTICS, ShapeMoments

BAND = (0.025, 0.975)


def compare_generation(
    data: pd.DataFrame,
    virtual: Sequence[pd.DataFrame],
    fit: ShapeMoments,
    *,
    resamples: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Set virtual particles beside data and fit, with the bands of the data.

    Parameters
    ----------
    data : DataFrame
        Grains of the data, as from `characterize_grains`.
    virtual : sequence of DataFrame
        Grains of each virtual particle.
    fit : ShapeMoments
        What the fits imply.
    resamples : int
        Of the data's grains, for each band.
    rng : Generator

    Returns
    -------
    DataFrame
        One row per quantity: `quantity`, `data`, `fit` (NaN where it says nothing), `virtual`
        (mean over particles), `virtual_std`, `lower` and `upper` (95 % band of samples as large
        as a virtual particle's, drawn from the data) and `inside`.

    Notes
    -----
    Distances are those of a particle's grains from all grains of the data: Wasserstein's for
    each characteristic, in its unit, and the energy distance of all four together, each in its
    standard deviation. Their band is of two samples drawn from the data, and only what lies
    above it is outside.
    """
    whole = _whole(data)
    particles = [_whole(table) for table in virtual]
    size = max(2, round(float(np.mean([len(table) for table in particles]))))
    measured = _quantities(whole, whole)
    made = pd.DataFrame([_quantities(table, whole) for table in particles])

    def resampled(count: int) -> pd.DataFrame:
        return whole.iloc[rng.integers(0, len(whole), count)]

    drawn = pd.DataFrame(
        [_quantities(resampled(size), resampled(len(whole))) for _ in range(resamples)]
    )
    lower, upper = drawn.quantile(BAND[0]), drawn.quantile(BAND[1])
    lower[lower.index.str.contains("distance")] = -np.inf
    implied = fit.named()
    mean = made.mean()
    table = pd.DataFrame(
        {
            "data": pd.Series(measured),
            "fit": pd.Series({name: implied.get(name, np.nan) for name in measured}),
            "virtual": mean,
            "virtual_std": made.std().fillna(0.0),
            "lower": lower.replace(-np.inf, np.nan),
            "upper": upper,
            "inside": (mean >= lower) & (mean <= upper),
        }
    )
    return table.rename_axis("quantity").reset_index()


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    columns = [*CHARACTERISTICS, "neighbour_count", "surface_area_nm2", "volume_nm3"]
    whole = table.loc[~table["touches_window"].astype(bool), columns]
    return whole.dropna().reset_index(drop=True)


def _quantities(grains: pd.DataFrame, data: pd.DataFrame) -> dict[str, float]:
    values = ShapeMoments.of_grains(grains).named()
    values["mean neighbour_count"] = float(grains["neighbour_count"].mean())
    surface = grains["surface_area_nm2"].sum() / grains["volume_nm3"].sum()
    values["grain surface per volume per_um"] = 1e3 * float(surface)
    for name in CHARACTERISTICS:
        values[f"distance {name}"] = float(wasserstein_distance(grains[name], data[name]))
    scale = data[list(CHARACTERISTICS)].std().to_numpy()
    first, second = (table[list(CHARACTERISTICS)].to_numpy() / scale for table in (grains, data))
    values["energy distance of all four"] = energy_distance(first, second)
    return values
