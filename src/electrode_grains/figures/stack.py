"""The stack before and after alignment, in three dimensions (Fig. 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from electrode_grains.figures.sections import Spacing, check_volume
from electrode_grains.figures.style import (
    DOUBLE_COLUMN,
    NM_PER_UM,
    grey_range,
    letter_panels,
    new_figure,
    show_section,
    styled,
)


@styled
def stack_alignment(
    image_quality_before: NDArray[Any], image_quality_after: NDArray[Any], spacing: Spacing
) -> Figure:
    """Show sections across the slices before and after alignment (Fig. 1).

    Parameters
    ----------
    image_quality_before, image_quality_after : ndarray of float, shape (z, y, x)
        Image quality as acquired and as aligned; both in the same window.
    spacing : (float, float, float)
        Voxel size (dz, dy, dx) in nm.

    Returns
    -------
    Figure
        Left before, right after: the cutaway, of the window that all aligned slices cover,
        then the middle x-z and y-z sections, in which drift shows as steps.

    Raises
    ------
    InputError
        If a volume is not three-dimensional or the shapes differ.

    Examples
    --------
    >>> volume = np.random.default_rng(1).random((6, 8, 9))
    >>> len(stack_alignment(volume, volume, (50, 50, 50)).axes)
    6
    """
    check_volume("image quality before alignment", image_quality_before)
    check_volume("image quality after alignment", image_quality_after, image_quality_before.shape)
    depth, height, width = (
        n * step for n, step in zip(image_quality_before.shape, spacing, strict=True)
    )
    heights = (0.95, depth / width, depth / height)
    panel_width = 0.42 * DOUBLE_COLUMN
    figure = new_figure(DOUBLE_COLUMN, min(9.0, panel_width * sum(heights) + 1.6))
    grid = figure.subplots(3, 2, height_ratios=heights, squeeze=False)
    low, high = grey_range(image_quality_before)
    options = {"cmap": "gray", "vmin": low, "vmax": high}
    known = _known_window(image_quality_after)
    for column, (title, volume) in enumerate(
        (("before alignment", image_quality_before), ("after alignment", image_quality_after))
    ):
        middle_y, middle_x = volume.shape[1] // 2, volume.shape[2] // 2
        _draw_cutaway(grid[0, column], volume[known], spacing, options)
        grid[0, column].set_title(title)
        show_section(
            grid[1, column], volume[:, middle_y], (spacing[0], spacing[2]), ("z", "x"), **options
        )
        show_section(
            grid[2, column], volume[:, :, middle_x], (spacing[0], spacing[1]), ("z", "y"), **options
        )
        grid[1, column].set_title("$x$-$z$ section")
        grid[2, column].set_title("$y$-$z$ section")
    letter_panels(grid.ravel())
    return figure


def _known_window(volume: NDArray[Any]) -> tuple[slice, slice, slice]:
    """Rows and columns, through the middle, that every slice covers; all where few remain."""
    known = np.isfinite(volume)
    everywhere = known[known.any(axis=(1, 2))].all(axis=0)  # a lost slice covers none
    height, width = everywhere.shape
    ends = [np.flatnonzero(line) for line in (everywhere[:, width // 2], everywhere[height // 2])]
    if any(len(end) < size // 2 for end, size in zip(ends, (height, width), strict=True)):
        return slice(None), slice(None), slice(None)
    rows, columns = (slice(int(end[0]), int(end[-1]) + 1) for end in ends)
    return slice(None), rows, columns


def _draw_cutaway(
    axes: Axes, volume: NDArray[Any], spacing: Spacing, options: dict[str, Any]
) -> None:
    """Draw the block with the octant towards the viewer cut out."""
    half = tuple(n // 2 for n in volume.shape)
    size = [n * step / NM_PER_UM for n, step in zip(volume.shape, spacing, strict=True)]
    cut = [n * step / NM_PER_UM for n, step in zip(half, spacing, strict=True)]
    # On paper: the viewer sees the first slice (top), the last row and the last column.
    down, front, right = (np.array(v) for v in ((0.0, -1.0), (-0.52, -0.52), (0.88, -0.30)))
    down_all, front_all, right_all = down * size[0], front * size[1], right * size[2]
    down_cut, front_cut, right_cut = down * cut[0], front * cut[1], right * cut[2]
    front_rest, right_rest = front_all - front_cut, right_all - right_cut
    z, y, x = half
    faces = (
        # section, whether its quarter is cut out, origin, along columns, along rows, shade
        (_without_quarter(volume[0], y, x, last_rows=True), np.zeros(2), right_all, front_all, 1.0),
        (_without_quarter(volume[:, -1], z, x), front_all, right_all, down_all, 0.85),
        (_without_quarter(volume[:, :, -1], z, y), right_all, front_all, down_all, 0.7),
        (volume[z, y:, x:], down_cut + front_cut + right_cut, right_rest, front_rest, 1.0),
        (volume[:z, y, x:], front_cut + right_cut, right_rest, down_cut, 0.85),
        (volume[:z, y:, x], front_cut + right_cut, front_rest, down_cut, 0.7),
    )
    for image, origin, along, across, shade in faces:
        _draw_face(axes, image, origin, along, across, options, shade)
    axes.set_aspect("equal")
    axes.axis("off")


def _without_quarter(
    image: NDArray[Any], row: int, column: int, last_rows: bool = False
) -> NDArray[Any]:
    """Blank the quarter of an outer face that belongs to the octant cut out."""
    masked = np.ma.masked_invalid(image.astype(float))
    masked[slice(row, None) if last_rows else slice(None, row), column:] = np.ma.masked
    return np.asanyarray(masked)


def _draw_face(
    axes: Axes,
    image: NDArray[Any],
    origin: NDArray[np.float64],
    along: NDArray[np.float64],
    across: NDArray[np.float64],
    options: dict[str, Any],
    shade: float,
) -> None:
    """Draw an image on a parallelogram; a whole face gets an edge, a notched one does not."""
    rows, columns = image.shape
    column = np.linspace(0, 1, columns + 1)[None, :, None]
    row = np.linspace(0, 1, rows + 1)[:, None, None]
    mesh = origin + column * along + row * across
    low, high = options["vmin"], options["vmax"]
    shaded = {**options, "vmax": low + (high - low) / shade}
    axes.pcolormesh(mesh[..., 0], mesh[..., 1], image, rasterized=True, **shaded)
    if not np.ma.is_masked(image):
        corners = np.array([origin, origin + along, origin + along + across, origin + across])
        axes.fill(*corners.T, facecolor="none", edgecolor="white", linewidth=0.7)
