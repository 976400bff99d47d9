"""A picture of a stack: some of its slices, and a section along its depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from electrode_grains import ebsd, figures
from electrode_grains.crystal import LaueGroup, laue_group_of_tsl_symmetry

if TYPE_CHECKING:
    import xarray as xr

TILE = 240  # pixels that a slice takes at most
DEEPEST = 2 * TILE  # and a section along the depth
CAPTION, MARGIN = 14, 4

Colours = NDArray[np.floating[Any]]


def stack_picture(
    stack: xr.Dataset,
    count: int,
    slice_spacing_nm: float | None = None,
    grains: NDArray[np.integer[Any]] | None = None,
) -> Image.Image:
    """Picture of slices that are spread evenly, and of a section along the depth below them.

    Image quality stands above crystal directions along z, and these above grains.

    Parameters
    ----------
    stack : xr.Dataset
        As `ebsd.inspect_scans` returns it.
    count : int
        Slices at most.
    slice_spacing_nm : float, optional
        Without it the section is drawn as if slices lay a step apart, and says so.
    grains : ndarray of int, shape (z, y, x), optional
        Labels, 0 where there is no grain.
    """
    depth, rows, _ = stack["image_quality"].shape
    chosen = np.unique(np.linspace(0, depth - 1, count).round().astype(int)).tolist()
    slices = _views(stack, {"z": chosen}, grains)
    middle = rows // 2
    section = [view[:, 0] for view in _views(stack, {"y": [middle]}, grains)]
    tiles = [[_tile(image) for image in view] for view in slices]
    width, height = tiles[0][0].size
    dy, dx = stack.attrs["step_nm"]
    deep = [_to_scale(view, (slice_spacing_nm or dy) / dx, width) for view in section]
    scale = "true to scale" if slice_spacing_nm else "distance of slices unknown"
    caption = f"depth at row {middle}, {scale}"
    top = CAPTION + len(tiles) * (height + MARGIN)
    sheet = Image.new(
        "RGB",
        (
            max(len(chosen) * (width + MARGIN), sum(view.width + MARGIN for view in deep),
                7 * len(caption)),
            top + CAPTION + deep[0].height + MARGIN,
        ),
        "white",
    )  # fmt: skip
    draw = ImageDraw.Draw(sheet)
    for column, z in enumerate(chosen):
        left = column * (width + MARGIN)
        draw.text((left + 2, 1), _caption(stack.attrs["slices"][z]), "black")
        for row, images in enumerate(tiles):
            sheet.paste(images[column], (left, CAPTION + row * (height + MARGIN)))
    draw.text((2, top + 1), caption, "black")
    left = 0
    for view in deep:
        sheet.paste(view, (left, top + CAPTION))
        left += view.width + MARGIN
    return sheet


def main_laue_group(stack: xr.Dataset) -> LaueGroup:
    """Laue group of the first phase; -1 where the files name none."""
    try:
        return laue_group_of_tsl_symmetry(stack.attrs["phases"][0]["symmetry"])
    except (IndexError, KeyError, ValueError):
        return "-1"


def _views(
    stack: xr.Dataset, place: Mapping[str, Sequence[int]], grains: NDArray[np.integer[Any]] | None
) -> list[Colours]:
    """Colours of image quality, orientations and grains at a place, shape (z, y, x, 3)."""
    part = stack.isel(place)
    low, high = figures.grey_range(stack["image_quality"].to_numpy())
    scaled = np.clip((part["image_quality"].to_numpy() - low) / max(high - low, 1e-12), 0, 1)
    views: list[Colours] = [np.repeat(np.nan_to_num(scaled)[..., None], 3, axis=-1)]
    if stack["euler_angles"].notnull().any():
        laue = main_laue_group(stack)
        field = ebsd.stack_orientations(part, laue=laue)[:4]
        views.append(np.nan_to_num(ebsd.ipf_colors(np.moveaxis(field, 0, -1), laue)))
    if grains is not None:
        ((axis, indices),) = place.items()
        labels = np.take(grains, indices, axis="zyx".index(axis))
        colours = figures.label_colours(labels)
        views.append(colours[..., :3] * colours[..., 3:])
    return views


def _to_scale(view: Colours, depth_per_width: float, width: int) -> Image.Image:
    """Section (z, x) whose voxels are as deep, compared with their width, as they are."""
    height = width * len(view) * depth_per_width / view.shape[1]
    shrink = min(1.0, DEEPEST / height)
    size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    return _image(view).resize(size, Image.Resampling.NEAREST)


def _tile(view: Colours) -> Image.Image:
    """Image of a slice, enlarged by whole numbers or made smaller to fit a tile."""
    image = _image(view)
    longest = max(image.size)
    factor = TILE // longest if longest <= TILE else TILE / longest
    size = [max(round(side * factor), 1) for side in image.size]
    resample = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.BOX
    return image.resize((size[0], size[1]), resample)


def _image(view: Colours) -> Image.Image:
    return Image.fromarray((np.clip(view, 0, 1) * 255).astype(np.uint8))


def _caption(name: str) -> str:
    """Name that the built-in font can draw."""
    return name.encode("ascii", "replace").decode()
