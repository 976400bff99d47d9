"""Virtual particles beside the data and the fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance

from electrode_grains.distributions.energy import energy_distance
from electrode_grains.generation.moments import CHARACTERISTICS, ShapeMoments

BAND = (0.025, 0.975)
LOW_ANGLE = np.radians(15.0)
NEEDED = [*CHARACTERISTICS, "neighbour_count", "surface_area_nm2", "volume_nm3"]
PLACE = "distance_to_center_nm"
RADIAL = ("radial_angle", "c_axis_radial_angle")  # of the longest axis, of the lattice
Quantities = Callable[[pd.DataFrame, pd.DataFrame], dict[str, float]]


def compare_generation(
    data: pd.DataFrame,
    virtual: Sequence[pd.DataFrame],
    fit: ShapeMoments,
    *,
    resamples: int,
    rng: np.random.Generator,
    contacts: pd.DataFrame | None = None,
    virtual_contacts: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """Set virtual particles beside data and fit, with the bands of the data.

    Parameters
    ----------
    data : DataFrame
        Grains of the data, as from `measure_particle`.
    virtual : sequence of DataFrame
        Grains of each virtual particle.
    fit : ShapeMoments
        What the fits imply.
    resamples : int
        Of the data's grains, for each band.
    rng : Generator
    contacts : DataFrame, optional
        Of the data; misorientations are compared where it has them.
    virtual_contacts : sequence of DataFrame, optional
        Of each virtual particle.

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
    above it is outside. Misorientations, in rad, are weighted by contact area.
    """
    table = _compared(_whole(data), [_whole(each) for each in virtual], _of_grains, resamples, rng)
    known = None if contacts is None else _misoriented(contacts)
    if known is not None and len(known) and virtual_contacts:
        made = [_misoriented(each) for each in virtual_contacts]
        table = pd.concat([table, _compared(known, made, _of_contacts, resamples, rng)])
    implied = fit.named()
    table.insert(1, "fit", [implied.get(name, np.nan) for name in table.index])
    return table.rename_axis("quantity").reset_index()


def _compared(
    data: pd.DataFrame,
    particles: Sequence[pd.DataFrame],
    quantities: Quantities,
    resamples: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """What is measured of data and particles, with bands of the data, one row per quantity."""
    size = max(2, round(float(np.mean([len(table) for table in particles]))))
    known = quantities(data, data)  # data without orientations know less than virtual grains
    made = pd.DataFrame([quantities(table, data) for table in particles])[list(known)]

    def resampled(count: int) -> pd.DataFrame:
        return data.iloc[rng.integers(0, len(data), count)]

    drawn = pd.DataFrame(
        [quantities(resampled(size), resampled(len(data))) for _ in range(resamples)]
    )
    lower, upper = drawn.quantile(BAND[0]), drawn.quantile(BAND[1])
    lower[lower.index.str.contains("distance of|energy")] = -np.inf
    mean = made.mean()
    return pd.DataFrame(
        {
            "data": pd.Series(known),
            "virtual": mean,
            "virtual_std": made.std().fillna(0.0),
            "lower": lower.replace(-np.inf, np.nan),
            "upper": upper,
            "inside": (mean >= lower) & (mean <= upper),
        }
    ).dropna(subset=["data", "virtual"])


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    whole = table.loc[~table["touches_window"].astype(bool)]
    return whole.dropna(subset=NEEDED).reset_index(drop=True)


def _misoriented(contacts: pd.DataFrame) -> pd.DataFrame:
    if "misorientation_angle" not in contacts:
        return contacts.iloc[:0]
    return contacts.dropna(subset=["misorientation_angle"])


def _of_grains(grains: pd.DataFrame, data: pd.DataFrame) -> dict[str, float]:
    values = ShapeMoments.of_grains(grains).named()
    values["mean neighbour_count"] = float(grains["neighbour_count"].mean())
    surface = grains["surface_area_nm2"].sum() / grains["volume_nm3"].sum()
    values["grain surface per volume per_um"] = 1e3 * float(surface)
    if PLACE in grains:
        related = grains[PLACE].corr(grains[CHARACTERISTICS[0]])
        values[f"correlation {PLACE} ~ {CHARACTERISTICS[0]}"] = float(related)
    for name in RADIAL:
        if name in grains:
            values[f"mean {name}"] = float(grains[name].mean())
    for name in CHARACTERISTICS:
        values[f"distance of {name}"] = float(wasserstein_distance(grains[name], data[name]))
    scale = data[list(CHARACTERISTICS)].std().to_numpy()
    first, second = (table[list(CHARACTERISTICS)].to_numpy() / scale for table in (grains, data))
    values["energy distance of all four"] = energy_distance(first, second)
    return values


def _of_contacts(contacts: pd.DataFrame, data: pd.DataFrame) -> dict[str, float]:
    angle, area = contacts["misorientation_angle"], contacts["interface_area_nm2"]
    return {
        "mean misorientation_angle": float(np.average(angle, weights=area)),
        "share of boundaries below 15 degrees": float(area[angle < LOW_ANGLE].sum() / area.sum()),
        "distance of misorientation_angle": float(
            wasserstein_distance(
                angle, data["misorientation_angle"], area, data["interface_area_nm2"]
            )
        ),
    }
