"""Which marginal families compete for a characteristic of grains."""

from __future__ import annotations

from electrode_grains.descriptors import MODELLED
from electrode_grains.errors import SettingsError


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
    log-normal, gamma, Weibull, inverse Gaussian, beta, generalized extreme value distributions,
    a truncated mixture of two normals for the azimuth and sin for the polar angle. Its
    convexity, printed as a generalized extreme value distribution with k = 0, has the published
    mean, deviation and correlation only as a Gumbel distribution of minima, which is a candidate.

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
        count, so that the smallest grains are inside the support of a truncated distribution.

    Examples
    --------
    >>> round(smallest_diameter(200.9, 34, 34), 2)
    199.91
    """
    share = (minimum_voxels - 0.5) / voxel_count
    return float(equivalent_diameter_nm * share ** (1.0 / 3.0))
