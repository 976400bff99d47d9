"""What goes wrong where an indexer decides: flips, patches, boundaries without contrast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.pseudo_cube import pseudo_cubic

LEAST_CONTRAST = 0.2  # of a boundary between lattices whose strong bands coincide
OTHER_VARIANTS = 3


def smooth_field(
    shape: tuple[int, ...], sigma: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Gaussian field of unit spread; white where sigma is 0."""
    field = rng.standard_normal(shape)
    if sigma > 0:
        field = ndimage.gaussian_filter(field, sigma)
    scaled: NDArray[np.float64] = field / max(float(field.std()), 1e-12)
    return scaled


def patches_of(
    region: NDArray[np.bool_],
    share: float,
    sigma: float,
    rng: np.random.Generator,
    pull: NDArray[np.floating[Any]] | None = None,
) -> NDArray[np.bool_]:
    """Patches that cover a share of a region: where a smooth field is largest.

    Parameters
    ----------
    region : ndarray of bool, shape (z, y, x)
    share : float
    sigma : float
        Of the field in pixels; 0 makes single points.
    rng : Generator
    pull : ndarray of float, shape (z, y, x), optional
        Added to the field of unit spread.
    """
    if share == 0 or not region.any():
        return np.zeros(region.shape, bool)
    field = smooth_field(region.shape, sigma, rng)
    if pull is not None:
        field = field + pull
    # Of equals only some may be taken, so by rank.
    inside = np.flatnonzero(region)
    chosen = inside[np.argsort(-field.ravel()[inside], kind="stable")[: round(share * len(inside))]]
    found = np.zeros(region.size, bool)
    found[chosen] = True
    return found.reshape(region.shape)


def flipped_variants(
    region: NDArray[np.bool_], share: float, sigma: float, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Variant that the indexer takes at each point, 0 for the right one, shape (z, y, x).

    Which of the other three it takes is a matter of patches as well.
    """
    flipped = patches_of(region, share, sigma, rng)
    if not flipped.any():
        return np.zeros(region.shape, np.intp)
    others = [smooth_field(region.shape, sigma, rng) for _ in range(OTHER_VARIANTS)]
    return np.where(flipped, 1 + np.argmax(others, axis=0), 0)


@dataclass(frozen=True)
class BoundaryContrast:
    """How much of its contrast the boundary between two grains shows.

    Attributes
    ----------
    field : OrientationField, shape (n + 1,)
        Orientations by label, under the symmetry of the pseudo-cube: what two lattices share
        of their strong bands counts, at low angles and at special ones.
    full : float
        Angle in rad from which on the contrast is full; it falls to a fifth at 0.
    """

    field: OrientationField
    full: float

    @classmethod
    def of(cls, orientations: NDArray[np.floating[Any]], full_degrees: float) -> Self:
        """Contrast of grains by their orientations, shape (n + 1, 4)."""
        return cls(pseudo_cubic(OrientationField(orientations)), float(np.radians(full_degrees)))

    def between(
        self, first: NDArray[np.integer[Any]], second: NDArray[np.integer[Any]]
    ) -> NDArray[np.float64]:
        """Contrast between labels of two arrays of one shape; 0 where they are the same."""
        contrast: NDArray[np.float64] = (first != second).astype(float)
        if self.full == 0:
            return contrast
        both = (first != second) & (first > 0) & (second > 0)
        size = len(self.field.quaternions)
        pairs, place = np.unique(
            first[both].astype(np.int64) * size + second[both], return_inverse=True
        )
        one, other = np.divmod(pairs, size)
        angle = self.field.at(one).misorientation(self.field.at(other))
        weak = LEAST_CONTRAST + (1 - LEAST_CONTRAST) * np.minimum(angle / self.full, 1.0)
        contrast[both] = weak[place]
        return contrast
