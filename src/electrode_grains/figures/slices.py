"""The slices of a stack as small pictures to leaf through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.figures.encoding import LOSSLESS, png_data_uri
from electrode_grains.figures.style import grey_range, label_colours, outlines

GREY_QUALITY, OVERLAY_QUALITY = 60, 35
OUTLINE = (0.0, 0.0, 0.0, 1.0)


def slice_browser(
    image_quality: NDArray[Any],
    labels: NDArray[Any] | None = None,
    boundary_probability: NDArray[Any] | None = None,
    orientation_colours: NDArray[Any] | None = None,
    maximum_slices: int = 100,
    maximum_side: int = 320,
    spacing_nm: Sequence[float] | None = None,
    slice_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Render slices and their overlays for the report.

    Parameters
    ----------
    image_quality : ndarray of float, shape (z, y, x)
        Aligned image quality.
    labels : ndarray of int, shape (z, y, x), optional
        Grain labels, 0 = no grain (transparent).
    boundary_probability : ndarray of float, shape (z, y, x), optional
        Probability of the class boundary.
    orientation_colours : ndarray of float, shape (z, y, x, 3), optional
        Colours of an inverse pole figure in [0, 1].
    maximum_slices : int
        Slices that are rendered, evenly spread where the stack has more.
    maximum_side : int
        Pixels of the longer side; larger slices are thinned out.
    spacing_nm : (float, float, float), optional
        (dz, dy, dx), for a scale bar.
    slice_names : sequence of str, optional
        Names of the scans, shown where there is one for each slice.

    Returns
    -------
    dict
        ``slices`` (indices from 0), ``width``, ``height`` (pixels), ``thin`` (voxels a pixel
        stands for along each side), ``width_um`` and ``names`` if known, and ``layers``, a list
        of dicts with ``name``, ``images`` (data URIs) and ``opacity`` at first sight; the first
        layer is the image quality.

    Raises
    ------
    InputError
        If an overlay does not cover the window of the image quality.

    Examples
    --------
    >>> browser = slice_browser(np.ones((3, 4, 5)), labels=np.ones((3, 4, 5), dtype=int))
    >>> browser["slices"], [layer["name"] for layer in browser["layers"]]
    ([0, 1, 2], ['image quality', 'grains'])
    """
    shape = image_quality.shape
    overlays = (
        ("grains", labels, 0.55, _grain_layer),
        ("boundary probability", boundary_probability, 0.0, _probability_layer),
        ("orientation (IPF)", orientation_colours, 0.0, _colour_layer),
    )
    for name, volume, _, _ in overlays:
        if volume is not None and volume.shape[:3] != shape:
            raise InputError(
                f"the layer {name} does not cover the window of the image quality",
                found=f"shape {volume.shape}",
                expected=f"shape {shape}",
            )
    # What nobody measured is not drawn, lest it be taken for a dark slice.
    measured = np.flatnonzero(np.isfinite(image_quality).any(axis=(1, 2)))
    count = min(maximum_slices, len(measured))
    indices = measured[np.unique(np.linspace(0, len(measured) - 1, count).round().astype(int))]
    thin = max(1, -(-max(shape[1:]) // maximum_side))
    low, high = grey_range(image_quality)
    greys = np.clip((image_quality[indices, ::thin, ::thin] - low) / (high - low), 0, 1)
    base = [
        png_data_uri((np.nan_to_num(image) * 255).astype(np.uint8), webp_quality=GREY_QUALITY)
        for image in greys
    ]
    layers = [{"name": "image quality", "images": base, "opacity": 1.0}]
    layers += [
        {
            "name": name,
            "images": [render(volume[index, ::thin, ::thin]) for index in indices],
            "opacity": opacity,
        }
        for name, volume, opacity, render in overlays
        if volume is not None
    ]
    height, width = greys.shape[1:]
    return {
        "slices": indices.tolist(),
        "width": width,
        "height": height,
        "thin": thin,
        "width_um": spacing_nm[2] * shape[2] / 1000 if spacing_nm else None,
        "names": [slice_names[z] for z in indices] if len(slice_names) == shape[0] else None,
        "layers": layers,
    }


def _grain_layer(labels: NDArray[Any]) -> str:
    coloured = label_colours(labels)
    coloured[outlines(labels)] = OUTLINE
    return png_data_uri(coloured, webp_quality=LOSSLESS)


def _probability_layer(probability: NDArray[Any]) -> str:
    from matplotlib import colormaps

    coloured = colormaps["cividis"](np.clip(probability, 0, 1))[..., :3]
    return png_data_uri(coloured, webp_quality=OVERLAY_QUALITY)


def _colour_layer(colours: NDArray[Any]) -> str:
    return png_data_uri(np.asarray(colours, dtype=float), webp_quality=OVERLAY_QUALITY)
