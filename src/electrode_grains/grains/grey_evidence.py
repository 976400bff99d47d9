"""Whether grey values show the grains better than the network does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.classes import (
    BACKGROUND_CHANNEL,
    BOUNDARY,
    BOUNDARY_CHANNEL,
    INTERIOR,
    INTERIOR_CHANNEL,
)
from electrode_grains.errors import ComputationError, InputError
from electrode_grains.grains.annotation_scores import boundary_agreement
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.segmentation import segment_grains_with_report
from electrode_grains.grains.settings import SegmentationSettings

WIDTHS = (0.7, 1.5)
"""Standard deviations of the Gaussian kernels within a slice, in pixels."""
DEPTHS = (0.01, 0.03, 0.1, 0.2)
RANGE = (0.01, 0.99)  # quantiles of grey values that become 0 and 1
MARGIN = 0.05  # bits by which grey values must be better
UNUSED_THRESHOLD = 0.5  # of no effect where nothing is merged, but a number is asked for


class GreyBoundaries(JsonResult):
    """How grey values become a landscape to flood.

    Attributes
    ----------
    bright : bool
        Whether boundaries are brighter than grains.
    width : float
        Standard deviation of the Gaussian kernel, in pixels.
    """

    bright: bool
    width: float

    def class_probability(
        self,
        class_probability: NDArray[np.floating],
        image: NDArray[np.floating],
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> NDArray[np.float32]:
        """Class probabilities whose boundary is that of grey values, the background as given.

        Parameters
        ----------
        class_probability : ndarray of float, shape (3, z, y, x)
        image : ndarray of float, shape (z, y, x)
            Grey values; NaN where nothing was measured.
        spacing : three floats
            Of voxels along z, y, x; the kernel is as wide in nm across slices as within.
        """
        landscape = grey_landscape(image, self.bright, _sigma(self.width, spacing))
        background = np.asarray(class_probability, np.float32)[BACKGROUND_CHANNEL]
        boundary = landscape * (1 - background)
        result = np.empty(np.shape(class_probability), np.float32)
        result[BACKGROUND_CHANNEL], result[BOUNDARY_CHANNEL] = background, boundary
        result[INTERIOR_CHANNEL] = 1 - background - boundary
        return result


class EvidenceComparison(JsonResult):
    """A watershed of grey values beside what the network leads to, on annotated slices.

    Attributes
    ----------
    network, grey : float
        Variation of information (bits) between the sections of grains and the annotated
        interiors.
    best : GreyBoundaries
        Under which grey values do best.
    depth : float
        Depth of minima with which they do.
    """

    network: float
    grey: float
    best: GreyBoundaries
    depth: float

    @property
    def prefers_grey(self) -> bool:
        """Whether grey values are better by more than chance."""
        return self.grey < self.network - MARGIN

    def warnings(self) -> list[str]:
        """What a reader of the results must know."""
        if not self.prefers_grey:
            return []
        return [
            "a plain watershed of the grey values finds the annotated sections of grains better "
            f"than the network does ({self.grey:.3f} against {self.network:.3f} bits from them): "
            "annotate more slices, or raise boundary_model.training.epochs; "
            "segmentation.grains.boundary_evidence decides which of both is taken"
        ]


def boundaries_brighter(image: NDArray[np.floating], annotation: NDArray[np.integer]) -> bool:
    """Whether annotated boundaries are brighter than interiors on average.

    Parameters
    ----------
    image : ndarray of float, shape (z, y, x)
    annotation : ndarray of int, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    """
    measured = np.isfinite(image)
    drawn, inner = (image[(annotation == kind) & measured] for kind in (BOUNDARY, INTERIOR))
    return bool(drawn.size and inner.size and drawn.mean() > inner.mean())


def grey_landscape(
    image: NDArray[np.floating], bright: bool, sigma: Sequence[float] = (0, 0, 0)
) -> NDArray[np.float32]:
    """Grey values from 0 to 1, high where boundaries are.

    Parameters
    ----------
    image : ndarray of float, shape (z, y, x)
        NaN where nothing was measured, which becomes 1.
    bright : bool
        Whether boundaries are brighter than grains.
    sigma : three floats
        Standard deviations (z, y, x) of a Gaussian kernel, in voxels.

    Returns
    -------
    ndarray of float32, shape (z, y, x)

    Raises
    ------
    InputError
        If nothing is measured.

    Examples
    --------
    >>> image = np.array([[[9.0, 9.0, 1.0, 9.0, np.nan]]])
    >>> grey_landscape(image, bright=False).round().tolist()
    [[[0.0, 0.0, 1.0, 0.0, 1.0]]]
    """
    values, measured = np.asarray(image, np.float64), np.isfinite(image)
    if not measured.any():
        raise InputError("no voxel has a grey value")
    low, high = np.quantile(values[measured], RANGE)
    scaled = np.clip((values - low) / (high - low or 1.0), 0, 1)
    scaled = np.where(measured, scaled if bright else 1 - scaled, 1.0)
    smooth = ndimage.gaussian_filter(scaled, sigma)
    return np.where(measured, smooth, 1.0).astype(np.float32)


def compare_evidence(
    network: float,
    class_probability: NDArray[np.floating],
    image: NDArray[np.floating],
    annotation: NDArray[np.integer],
    *,
    settings: SegmentationSettings,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> EvidenceComparison | None:
    """Flood grey values, and score the best of them by annotated slices.

    Parameters
    ----------
    network : float
        Variation of information (bits) that the segmentation by the network reaches on these
        slices.
    class_probability : ndarray of float, shape (3, z, y, x)
        The background is the network's, in both.
    image : ndarray of float, shape (z, y, x)
        Grey values; NaN where nothing was measured.
    annotation : ndarray of int, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    settings : SegmentationSettings
        Of what is removed as background or small; nothing is merged.
    spacing : three floats
        Of voxels along z, y, x.

    Returns
    -------
    EvidenceComparison or None
        None where no interior is annotated, or grey values leave no grain.

    Notes
    -----
    H-minima and watershed in space, nothing merged; of 8 pairs of smoothing and depth the best
    by the same slices. The network has mostly been trained on them, so that the comparison
    favours it: where grey values win nevertheless, they are better.
    """
    if not (np.asarray(annotation) == INTERIOR).any():
        return None
    bright, measured = boundaries_brighter(image, annotation), np.isfinite(image)
    plain = settings.replace(merge_mode="none", place_sweeps=0)
    tried: list[tuple[float, float, float]] = []
    for width in WIDTHS:
        grey = GreyBoundaries(bright=bright, width=width)
        flooded = grey.class_probability(class_probability, image, spacing)
        for depth in DEPTHS:
            with_depth = plain.replace(minima_depth=depth, merge_boundary=UNUSED_THRESHOLD)
            information = _information(flooded, annotation, with_depth, measured)
            tried.append((information, width, depth))
    least, width, depth = min(tried)
    if np.isinf(least):
        return None
    best = GreyBoundaries(bright=bright, width=width)
    return EvidenceComparison(network=network, grey=least, best=best, depth=depth)


def _information(
    class_probability: NDArray[np.floating],
    annotation: NDArray[np.integer],
    settings: SegmentationSettings,
    measured: NDArray[np.bool_],
) -> float:
    """Variation of information against annotated slices; infinite where no grain is left."""
    try:
        labels, _ = segment_grains_with_report(
            class_probability, settings=settings, measured=measured
        )
    except ComputationError:
        return np.inf
    information = boundary_agreement(labels, annotation)["interior_information"]
    return np.inf if information is None else information


def choose_evidence(
    wanted: Literal["auto", "network", "grey"], comparison: EvidenceComparison | None
) -> GreyBoundaries | None:
    """What the segmentation takes for boundaries: grey values, or the network (None).

    Parameters
    ----------
    wanted : {"auto", "network", "grey"}
        auto: what is better on annotated slices, the network where nothing was compared.
    comparison : EvidenceComparison, optional
    """
    if comparison is None or wanted == "network":
        return None
    return comparison.best if wanted == "grey" or comparison.prefers_grey else None


def _sigma(width: float, spacing: Sequence[float]) -> list[float]:
    """Of a kernel that is as wide in nm across slices as within, in voxels."""
    return [width * spacing[1] / step for step in spacing]
