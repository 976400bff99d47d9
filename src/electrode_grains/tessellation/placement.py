"""How grains lie in their particle: where the large ones are, and where the long axes point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import SettingsError

Floats = NDArray[np.float64]
NODES = 2001  # of a tabulated distribution
LEAST_LAYER = 0.02  # share of a domain's voxels among which the seed of a grain is drawn


@dataclass(frozen=True)
class Placement:
    """How grains lie between the centre and the surface of their particle.

    Attributes
    ----------
    size_gradient : float
        Correlation of size and distance to the centre, of normal scores: below 0 the large
        grains lie inside. 0 places grains of all sizes alike.
    long_axis_concentration : float
        Watson's concentration of the long axes about the radius when the grains are drawn;
        below 0 they lie along the surface, 0 leaves them as they come.
    protrusion : float
        How far outer grains may stick out of the shell, and leave pits in it, in mean diameters:
        with 1 the particle consists of whole grains, with 0 all end at the shell.
    """

    size_gradient: float = 0.0
    long_axis_concentration: float = 0.0
    protrusion: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no particle has."""
        for name, low, high in (("size_gradient", -1, 1), ("protrusion", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise SettingsError(
                    "no grains can lie so",
                    where=name,
                    found=f"{getattr(self, name):g}",
                    expected=f"from {low} to {high}",
                )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Placement from what `to_dict` returned."""
        return cls(**content)


def layered_seeds(
    volumes: Floats,
    domain: NDArray[np.bool_],
    spacing: Sequence[float],
    center: Floats,
    gradient: float,
    rng: np.random.Generator,
) -> Floats:
    """Seeds of grains of given volumes whose size is related to their distance to a centre.

    Parameters
    ----------
    volumes : ndarray of float64, shape (n,)
    domain : ndarray of bool, shape (z, y, x)
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    center : ndarray of float64, shape (3,)
        (x, y, z) in nm from the first voxel.
    gradient : float
        Correlation of the normal scores of volume and distance, in [-1, 1].
    rng : Generator

    Returns
    -------
    ndarray of float64, shape (n, 3)
        (x, y, z) in nm.

    Notes
    -----
    Grains are put in an order, correlated with their size, in which they fill the domain
    outwards from the centre: each has its seed in the layer of its share of the volume, so that
    seeds are as dense as grains of their size can be.
    """
    from scipy.special import ndtri

    count = len(volumes)
    scores = ndtri((np.argsort(np.argsort(volumes)) + 0.5) / count)
    mixed = gradient * scores + math.sqrt(1 - gradient**2) * rng.standard_normal(count)
    order = np.argsort(mixed)
    filled = np.cumsum(volumes[order]) - volumes[order] / 2
    where = np.argwhere(domain)[:, ::-1].astype(float)
    step = np.asarray(spacing, float)[::-1]
    outwards = where[np.argsort(((where * step - center) ** 2).sum(axis=1), kind="stable")]
    half = np.maximum(volumes[order] / volumes.sum(), LEAST_LAYER) / 2
    share = np.clip(filled / volumes.sum() + half * rng.uniform(-1, 1, count), 0, 1)
    chosen = np.minimum((share * len(outwards)).astype(np.int64), len(outwards) - 1)
    seeds = np.empty((count, 3))
    seeds[order] = (outwards[chosen] + rng.uniform(-0.5, 0.5, (count, 3))) * step
    return seeds


def frames_about(radial: Floats, concentration: float, rng: np.random.Generator) -> Floats:
    """Draw frames whose third axes lie about given directions.

    Parameters
    ----------
    radial : ndarray of float64, shape (n, 3)
        Directions (x, y, z), of any length.
    concentration : float
        Watson's.
    rng : Generator

    Returns
    -------
    ndarray of float64, shape (n, 3, 3)
        Unit vectors as columns.
    """
    long = watson_axes(radial, concentration, rng)
    other = np.cross(long, rng.standard_normal(long.shape))
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    return np.stack([np.cross(long, other), other, long], axis=2)


def watson_axes(radial: Floats, concentration: float, rng: np.random.Generator) -> Floats:
    r"""Draw an axis about each direction from Watson's distribution.

    Parameters
    ----------
    radial : ndarray of float64, shape (n, 3)
        Directions, of any length; a zero vector is about no direction.
    concentration : float
        k of the density proportional to :math:`\exp(k \cos^2 \theta)`.
    rng : Generator

    Returns
    -------
    ndarray of float64, shape (n, 3)
        Unit vectors.
    """
    nodes, shares = _watson_cosines(concentration)
    cosine = np.interp(rng.uniform(0, 1, len(radial)), shares, nodes)
    free = rng.standard_normal((2, *radial.shape))
    length = np.linalg.norm(radial, axis=1, keepdims=True)
    pole = np.where(length > 0, radial / np.maximum(length, 1e-300), free[0])
    pole /= np.linalg.norm(pole, axis=1, keepdims=True)
    across = np.cross(pole, free[1])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    axes: Floats = cosine[:, None] * pole + np.sqrt(1 - cosine**2)[:, None] * across
    return axes


def mean_watson_angle(concentration: float) -> float:
    """Mean angle in rad of an axis from the direction of Watson's distribution; 1 at 0.

    Examples
    --------
    >>> round(mean_watson_angle(0.0), 4)
    1.0
    """
    nodes, shares = _watson_cosines(concentration)
    angles = np.arccos(np.clip(nodes, 0, 1))
    return float(((angles[1:] + angles[:-1]) / 2 * np.diff(shares)).sum())


def _watson_cosines(concentration: float) -> tuple[Floats, Floats]:
    """Cosines from 0 to 1, and the share of the distribution below each."""
    nodes = np.sin(np.linspace(0, np.pi / 2, NODES))  # dense near 1, where angles are small
    density = np.exp(concentration * (nodes**2 - (concentration > 0)))
    steps = (density[1:] + density[:-1]) / 2 * np.diff(nodes)
    shares = np.concatenate([[0.0], np.cumsum(steps)])
    return nodes, shares / shares[-1]
