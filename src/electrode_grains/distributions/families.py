"""The registry of marginal families, and which of them compete for a characteristic."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from electrode_grains.descriptors import MODELLED
from electrode_grains.distributions.families_bounded import ANGULAR_FAMILIES, UNIT_FAMILIES
from electrode_grains.distributions.families_positive import POSITIVE_FAMILIES
from electrode_grains.distributions.families_real import REAL_FAMILIES
from electrode_grains.distributions.family_declaration import MarginalFamily
from electrode_grains.errors import SettingsError

MARGINAL_FAMILIES: Mapping[str, MarginalFamily] = MappingProxyType(
    {
        family.name: family
        for family in (*POSITIVE_FAMILIES, *REAL_FAMILIES, *UNIT_FAMILIES, *ANGULAR_FAMILIES)
    }
)


def family_named(name: str) -> MarginalFamily:
    """Look a family up in the registry.

    Raises
    ------
    SettingsError
        If there is none of that name.
    """
    try:
        return MARGINAL_FAMILIES[name]
    except KeyError:
        raise SettingsError(
            "unknown marginal family", found=repr(name), expected=", ".join(MARGINAL_FAMILIES)
        ) from None


def candidate_families(characteristic: str) -> tuple[tuple[str, ...], tuple[float, float]]:
    """Families that compete for a characteristic of grains, and their common support.

    Parameters
    ----------
    characteristic : str
        Column of the grain table, e.g. `sphericity`.

    Returns
    -------
    families : tuple of str
        Names in `MARGINAL_FAMILIES`.
    support : (float, float)
        Range that every candidate is truncated to, in the unit of the column.

    Raises
    ------
    SettingsError
        If the characteristic is not one of those modelled.

    Notes
    -----
    Section 2.5 of Furat, Finegan et al., J. Power Sources 483 (2021) 229148 names
    log-normal, gamma, Weibull, inverse Gaussian, beta, generalized extreme value laws,
    a truncated mixture of two normals for the azimuth and sin for the polar angle. Its
    convexity, printed as a generalized extreme value law with k = 0, has the published
    mean, deviation and correlation only as a Gumbel law of minima, which is a candidate.

    Examples
    --------
    >>> candidate_families("polar_angle")[0]
    ('sine', 'watson', 'beta_cosine', 'uniform')
    """
    if characteristic not in MODELLED:
        raise SettingsError(
            "no marginal families are set for this characteristic",
            found=repr(characteristic),
            expected=", ".join(MODELLED),
        )
    known = MODELLED[characteristic]
    return known.families, known.fitted_support


def smallest_diameter(
    equivalent_diameter_nm: float, voxel_count: int, minimum_voxels: int
) -> float:
    """Diameter below which a sample of grains was cut.

    Parameters
    ----------
    equivalent_diameter_nm, voxel_count : float, int
        Of any grain of the volume, which tell the size of a voxel.
    minimum_voxels : int
        Voxels that a grain needs to be in the sample.

    Returns
    -------
    float
        In nm. Diameters are counts of voxels: the cut lies half a voxel below the least
        count, so that the smallest grains are inside the support of a truncated law.

    Examples
    --------
    >>> round(smallest_diameter(200.9, 34, 34), 2)
    199.91
    """
    share = (minimum_voxels - 0.5) / voxel_count
    return float(equivalent_diameter_nm * share ** (1.0 / 3.0))
