"""Small pictures of grains that a proofreader should look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from electrode_grains.figures.encoding import png_data_uri
from electrode_grains.figures.style import grey_range, label_colours

QUALITY = 55
OUTLINE = (1.0, 0.83, 0.0)
GAP, ENLARGED, THICKNESS = 4, 4, 2


def suspect_pictures(
    table: pd.DataFrame,
    image_quality: NDArray[Any],
    labels: NDArray[Any],
    orientation_colours: NDArray[Any] | None = None,
    maximum: int = 24,
    side: int = 36,
) -> list[str]:
    """Cut the surroundings of each suspect out of its slice.

    Parameters
    ----------
    table : DataFrame
        Suspects in their order, with ``label``, ``z``, ``y`` and ``x`` (voxels).
    image_quality : ndarray of float, shape (z, y, x)
        Aligned image quality.
    labels : ndarray of int, shape (z, y, x)
        Grain labels, 0 = no grain.
    orientation_colours : ndarray of float, shape (z, y, x, 3), optional
        Colours of an inverse pole figure in [0, 1].
    maximum : int
        Suspects that are shown.
    side : int
        Voxels of a picture's side, less where the slice is smaller; each is four pixels
        wide, so that outlines stay thin.

    Returns
    -------
    list of str
        Data URIs, one for each of the first `maximum` rows: image quality, and orientations
        (random colours where none are given) beside it, the suspect outlined in yellow.

    Examples
    --------
    >>> table = pd.DataFrame({"label": [1], "z": [0], "y": [2], "x": [2]})
    >>> pictures = suspect_pictures(table, np.eye(5)[None], np.ones((1, 5, 5), dtype=int))
    >>> len(pictures), pictures[0][:16]
    (1, 'data:image/webp;')
    """
    low, high = grey_range(image_quality)
    pictures = []
    places = table.head(maximum)[["label", "z", "y", "x"]].to_numpy(dtype=np.int64)
    for label, z, y, x in places.tolist():
        window = _window(y, x, labels.shape[1:], side)
        grains = labels[z][window]
        quality = np.clip((image_quality[z][window] - low) / (high - low), 0, 1)
        colours = (
            label_colours(grains)[..., :3]
            if orientation_colours is None
            else orientation_colours[z][window]
        )
        panels = [
            _outlined(panel, grains, label)
            for panel in (np.repeat(np.nan_to_num(quality)[..., None], 3, axis=2), colours)
        ]
        gap = np.ones((panels[0].shape[0], GAP, 3))
        picture = np.concatenate([panels[0], gap, panels[1]], axis=1)
        pictures.append(png_data_uri(picture, webp_quality=QUALITY))
    return pictures


def _window(y: int, x: int, shape: tuple[int, ...], side: int) -> tuple[slice, slice]:
    """Square around a pixel that does not leave the slice."""
    starts = [
        int(np.clip(place - side // 2, 0, max(0, size - side)))
        for place, size in zip((y, x), shape, strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def _outlined(panel: NDArray[Any], grains: NDArray[Any], label: int) -> NDArray[np.float64]:
    """Enlarge a panel and draw the outline of one grain around it."""
    block = np.ones((ENLARGED, ENLARGED))
    large = np.stack([np.kron(panel[..., channel], block) for channel in range(3)], axis=-1)
    own = np.kron(grains == label, block).astype(bool)
    large[own & ~binary_erosion(own, iterations=THICKNESS, border_value=1)] = OUTLINE
    return large
