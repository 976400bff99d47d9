"""Figure 6 of the paper: what the descriptors of a grain mean, on a real grain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from electrode_grains.errors import InputError
from electrode_grains.figures.style import (
    BLACK,
    BLUE,
    CHARACTERISTICS,
    DOUBLE_COLUMN,
    NM_PER_UM,
    ORANGE,
    SKY,
    VERMILION,
    letter_panels,
    new_figure,
    styled,
)

MINIMUM_VOXELS = 8
PIXELS = 240
# What the panels of Fig. 6 draw, one by one.
PANELS = (
    "equivalent_diameter_nm", "sphericity", "convexity", "elongation", "azimuthal_angle",
    "polar_angle",
)  # fmt: skip
UNIT = r"$\mathrm{\mu m}$"


@dataclass(frozen=True)
class _Body:
    """A grain with its centroid and half-axes; vectors are (x, y, z) in nm."""

    mask: NDArray[np.float64]
    spacing: tuple[float, float, float]
    centroid: NDArray[np.float64]
    shortest: NDArray[np.float64]
    longest: NDArray[np.float64]
    half_axes: tuple[float, float]
    radius: float
    extent: float


@styled
def descriptor_illustration(
    mask: NDArray[Any],
    spacing: tuple[float, float, float],
    values: Mapping[str, float | None] | None = None,
) -> Figure:
    """Draw the six characteristics on plane sections of one grain (Fig. 6).

    Parameters
    ----------
    mask : ndarray of bool or int, shape (z, y, x)
        True (not 0) inside the grain; a crop around it is enough.
    spacing : (float, float, float)
        Voxel size (dz, dy, dx) in nm.
    values : mapping of name to float, optional
        Measured characteristics of this grain, written over the panels.

    Returns
    -------
    Figure
        Diameter, sphericity, convexity and elongation in the plane of the longest and the
        shortest half-axis, the azimuth seen along z, the polar angle in the vertical plane
        through the longest half-axis.

    Raises
    ------
    InputError
        If the grain has fewer than eight voxels, or lies in one line or plane.

    Notes
    -----
    All planes pass through the centroid. The half-axes have the length sqrt(5 lambda) of
    an ellipsoid with the covariance of the grain, and the sphere has the grain's volume.

    Examples
    --------
    >>> z, y, x = np.indices((9, 9, 15)) - np.array([4, 4, 7])[:, None, None, None]
    >>> grain = (x / 6) ** 2 + (y / 3) ** 2 + (z / 4) ** 2 <= 1
    >>> figure = descriptor_illustration(grain, (50, 50, 50), {"elongation": 0.5})
    >>> [axes.get_title("left").split()[-1] for axes in figure.axes][3]
    '0.500'
    """
    body = _measure(np.asarray(mask) != 0, spacing)
    figure = new_figure(DOUBLE_COLUMN, 5.2)
    panels = figure.subplots(2, 3, squeeze=False).ravel()
    principal = (body.longest, body.shortest)
    horizontal = _horizontal(body.longest)
    vertical = (horizontal, np.array([0.0, 0.0, 1.0]))
    axes_xy = (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    for axes in panels[:4]:
        _section(axes, body, principal, ("v_3", "v_1"))
    _section(panels[4], body, axes_xy, ("x", "y"))
    _section(panels[5], body, vertical, ("r", "z"))
    _sphere(panels[0], body, "sphere of equal volume, diameter $d$")
    _surface(panels[1], body, principal)
    _hull(panels[2], body, principal)
    _half_axes(panels[3], body)
    _azimuth(panels[4], body)
    _polar(panels[5], body, horizontal)
    for axes, name in zip(panels, PANELS, strict=True):
        axes.set_title(_title(name, values or {}))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=1)
    letter_panels(panels)
    return figure


def _title(name: str, values: Mapping[str, float | None]) -> str:
    known = CHARACTERISTICS[name]
    value = values.get(name)
    if value is None or not np.isfinite(value):
        return f"{known.title} ${known.symbol}$"
    shown = f"{value:.0f} nm" if known.unit == "nm" else f"{value:.3f} {known.unit}".rstrip()
    return f"{known.title} ${known.symbol}$ = {shown}"


def _measure(inside: NDArray[np.bool_], spacing: tuple[float, float, float]) -> _Body:
    if inside.ndim != 3 or np.count_nonzero(inside) < MINIMUM_VOXELS:
        raise InputError(
            "a grain this small has no shape to illustrate",
            found=f"{np.count_nonzero(inside)} voxels in shape {inside.shape}",
            expected=f"a volume (z, y, x) with at least {MINIMUM_VOXELS} voxels of the grain",
        )
    points = np.argwhere(inside)[:, ::-1] * np.array(spacing[::-1], dtype=float)
    centroid = points.mean(axis=0)
    eigenvalues, vectors = np.linalg.eigh(np.cov(points.T, bias=True))
    if eigenvalues[0] <= 1e-9 * eigenvalues[2]:
        raise InputError(
            "the grain lies in one plane or line and has no volume to illustrate",
            found=f"half-axes {np.sqrt(5 * np.maximum(eigenvalues, 0)).round(1).tolist()} nm",
            expected="a body with three half-axes",
        )
    shortest, longest = vectors[:, 0], vectors[:, 2]
    longest = longest if longest[2] >= 0 else -longest
    reach = np.linalg.norm(points - centroid, axis=1).max() + max(spacing)
    volume = np.count_nonzero(inside) * float(np.prod(spacing))
    return _Body(
        mask=inside.astype(float),
        spacing=spacing,
        centroid=centroid,
        shortest=shortest,
        longest=longest,
        half_axes=(float(np.sqrt(5 * eigenvalues[0])), float(np.sqrt(5 * eigenvalues[2]))),
        radius=float((3 * volume / (4 * np.pi)) ** (1 / 3)),
        extent=float(reach * 1.15),
    )


def _horizontal(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Horizontal unit vector below a direction; x where the direction is vertical."""
    flat = np.array([direction[0], direction[1], 0.0])
    length = np.linalg.norm(flat)
    return flat / length if length > 1e-9 else np.array([1.0, 0.0, 0.0])


def _slice_plane(
    body: _Body, plane: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Sample the grain on a square of the plane through its centroid; rows follow plane[1]."""
    line = np.linspace(-body.extent, body.extent, PIXELS)
    offsets = line[None, :, None] * plane[0] + line[:, None, None] * plane[1]
    position = body.centroid + offsets
    indices = [position[..., 2 - axis] / body.spacing[axis] for axis in range(3)]
    sampled: NDArray[np.float64] = map_coordinates(
        body.mask, indices, order=1, mode="constant", cval=0.0
    )
    return sampled


def _section(
    axes: Axes,
    body: _Body,
    plane: tuple[NDArray[np.float64], NDArray[np.float64]],
    names: tuple[str, str],
) -> None:
    line = np.linspace(-body.extent, body.extent, PIXELS) / NM_PER_UM
    axes.contourf(line, line, _slice_plane(body, plane), levels=[0.5, 2], colors=[SKY])
    axes.set_aspect("equal")
    axes.set_xlabel(rf"${names[0]}$ / {UNIT}")
    axes.set_ylabel(rf"${names[1]}$ / {UNIT}")
    axes.plot(0, 0, marker="+", color=BLACK, markersize=4, zorder=5)


def _outline(
    axes: Axes, body: _Body, plane: tuple[NDArray[np.float64], NDArray[np.float64]], label: str
) -> NDArray[np.float64]:
    line = np.linspace(-body.extent, body.extent, PIXELS) / NM_PER_UM
    contour = axes.contour(
        line, line, _slice_plane(body, plane), levels=[0.5], colors=[BLUE], linewidths=1.4
    )
    axes.plot([], [], color=BLUE, label=label)
    segments = contour.allsegs[0]
    return np.concatenate(segments) if segments else np.zeros((0, 2))


def _sphere(axes: Axes, body: _Body, label: str, arrow: bool = True) -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    radius = body.radius / NM_PER_UM
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), color=VERMILION, ls="--", label=label)
    if arrow:
        ends = {"arrowstyle": "<->", "color": VERMILION, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (radius, 0), (-radius, 0), arrowprops=ends)
        axes.text(0.35 * radius, 0.06 * radius, "$d$", va="bottom")


def _surface(
    axes: Axes, body: _Body, plane: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> None:
    _outline(axes, body, plane, "surface of the grain")
    _sphere(axes, body, "surface of the sphere of equal volume", arrow=False)


def _hull(axes: Axes, body: _Body, plane: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
    from scipy.spatial import ConvexHull

    points = _outline(axes, body, plane, "grain")
    if len(points) < 3:
        return
    corners = points[ConvexHull(points).vertices]
    axes.fill(
        *corners.T, facecolor=ORANGE, alpha=0.55, edgecolor=VERMILION, zorder=0, label="convex hull"
    )


def _half_axes(axes: Axes, body: _Body) -> None:
    short, long = (length / NM_PER_UM for length in body.half_axes)
    angle = np.linspace(0, 2 * np.pi, 200)
    axes.plot(long * np.cos(angle), short * np.sin(angle), color=BLACK, lw=0.7, ls=":")
    axes.plot([0, long], [0, 0], color=VERMILION, lw=1.6, label="longest half-axis")
    axes.plot([0, 0], [0, short], color=BLUE, lw=1.6, label="shortest half-axis")


def _azimuth(axes: Axes, body: _Body) -> None:
    flat = body.longest[:2] * body.half_axes[1] / NM_PER_UM
    reach = 0.75 * body.extent / NM_PER_UM
    axes.plot([0, reach], [0, 0], color=BLACK, lw=0.7, ls=":")
    axes.plot(
        [0, flat[0]], [0, flat[1]], color=VERMILION, lw=1.6, label="longest half-axis, along z"
    )
    degrees = float(np.degrees(np.arctan2(flat[1], flat[0])))
    _arc(axes, 0.5 * reach, sorted((0.0, degrees)), r"$\varphi$")


def _polar(axes: Axes, body: _Body, horizontal: NDArray[np.float64]) -> None:
    length = body.half_axes[1] / NM_PER_UM
    across, up = float(body.longest @ horizontal) * length, float(body.longest[2]) * length
    reach = 0.75 * body.extent / NM_PER_UM
    axes.plot([0, 0], [0, reach], color=BLACK, lw=0.7, ls=":")
    axes.plot([0, across], [0, up], color=VERMILION, lw=1.6, label="longest half-axis")
    degrees = float(np.degrees(np.arctan2(up, across)))
    _arc(axes, 0.5 * reach, [degrees, 90.0], r"$\theta$")


def _arc(axes: Axes, radius: float, ends: list[float], symbol: str) -> None:
    axes.add_patch(Arc((0, 0), 2 * radius, 2 * radius, theta1=ends[0], theta2=ends[1], lw=0.9))
    middle = np.radians((ends[0] + ends[1]) / 2)
    axes.text(
        1.2 * radius * np.cos(middle), 1.2 * radius * np.sin(middle), symbol, ha="center",
        va="center",
    )  # fmt: skip
