"""Voids and cracks inside the particle: where they are, and the surface they add."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.errors import InputError
from electrode_grains.grains.labelling import Labels, checked_labels, connected_pieces
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.settings import VoidSettings
from electrode_grains.morphometry import characterize_grains, measure_contacts
from electrode_grains.volumes import Spacing

DEFAULTS = VoidSettings()
NM2_PER_UM2, NM3_PER_UM3 = 1e6, 1e9
VOID_COLUMNS = (
    "void", "voxel_count", "volume_nm3", "surface_area_nm2", "grain_interface_area_nm2",
    "enclosed", "centroid_x_nm", "centroid_y_nm", "centroid_z_nm",
)  # fmt: skip


class VoidSummary(JsonResult):
    """Number, volume and surface of all voids, see `measure_voids`."""

    void_count: int
    void_volume_um3: float
    void_share: float
    void_surface_area_um2: float
    added_surface_area_um2: float


def find_voids(
    labels: NDArray[Any],
    background: NDArray[np.bool_],
    image_quality: NDArray[np.floating] | None = None,
    confidence: NDArray[np.floating] | None = None,
    *,
    settings: VoidSettings = DEFAULTS,
    measured: NDArray[np.bool_] | None = None,
) -> Labels:
    """Find cavities in the particle.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Grains of the particle, 0 elsewhere.
    background : ndarray of bool, shape (z, y, x)
        Voxels that the network, or an annotation, takes for background.
    image_quality : ndarray of float, shape (z, y, x), optional
        Without it only `background` tells of voids.
    confidence : ndarray of float, shape (z, y, x), optional
        Confidence index, NaN where nothing was indexed.
    settings : VoidSettings
        A point of a lower confidence index than `confidence_limit` has not been indexed.
        `crack_voxels`: half the width up to which a gap that opens to the outside is a crack;
        wider ones are the particle's surface. Cavities of fewer than `minimum_voxels` are left
        out, with `enclosed_only` those too that touch the outside or the border of the
        window, since gaps at a rough surface look like the mouths of cracks.
    measured : ndarray of bool, shape (z, y, x), optional
        False where there is no measurement, hence no void.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Voids from 1 in the order of their first voxel, 0 elsewhere.

    Raises
    ------
    InputError
        If shapes differ.

    Notes
    -----
    Inside is what a closing by `crack_voxels` and the filling of holes add to the grains,
    and the grains themselves. There a voxel is void where it is background, or where its
    image quality is below the middle between the medians of background and grains and
    its confidence below the limit. Grain boundaries are dark and badly indexed too, but
    thin: of this second kind only bodies of at least 3 x 3 x 3 voxels count, with what
    lies up to two voxels around them, so that narrower cracks are found through the network
    alone.

    Examples
    --------
    >>> grain = np.ones((5, 5, 5), int)
    >>> grain[1:4, 1:4, 1:4] = 0
    >>> int(find_voids(grain, grain == 0, settings=VoidSettings(minimum_voxels=1)).sum())
    27
    """
    array = checked_labels(labels)
    given = {
        "background": background, "image quality": image_quality, "confidence": confidence,
        "measured voxels": measured,
    }  # fmt: skip
    for name, values in given.items():
        if values is not None and np.shape(values) != array.shape:
            raise InputError(
                f"labels and {name} have different shapes",
                found=f"{array.shape} and {np.shape(values)}",
            )
    void_like = np.asarray(background, bool).copy()
    if image_quality is not None and void_like.any() and (array > 0).any():
        dark = image_quality < _middle(image_quality, array > 0, void_like & (array == 0))
        if confidence is not None:
            dark &= ~(confidence >= settings.confidence_limit)
        thick = ndimage.binary_opening(dark, np.ones((3, 3, 3), bool))
        void_like |= ndimage.binary_dilation(thick, iterations=2, mask=dark | thick)
    if measured is not None:
        void_like &= measured
    cavities = void_like & _inside(array > 0, settings.crack_voxels)
    pieces, count = connected_pieces(cavities.astype(np.uint8))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    kept = sizes >= max(settings.minimum_voxels, 1)
    kept[0] = False
    if settings.enclosed_only:
        kept[np.unique(pieces[_beside_outside((array == 0) & (pieces == 0))])] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return number[pieces]


def _beside_outside(outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What touches the outside, over corners too, or the border of the window."""
    padded = np.pad(outside, 1, constant_values=True)
    touching = ndimage.binary_dilation(padded, np.ones((3, 3, 3), bool))
    return np.asarray(touching[1:-1, 1:-1, 1:-1], bool)


def _middle(
    quality: NDArray[np.floating], grains: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> float:
    measured = np.isfinite(quality)
    if not (outside & measured).any() or not (grains & measured).any():
        return -np.inf
    bright, dark = float(np.nanmedian(quality[grains])), float(np.nanmedian(quality[outside]))
    return (bright + dark) / 2 if bright > dark else -np.inf


def _inside(particle: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """The particle with its gaps and holes filled; beyond the window it goes on as at its face."""
    padded = np.pad(particle, 2 * width + 1, mode="edge")
    closed = padded
    if width:
        ball = ndimage.distance_transform_edt(~padded) <= width
        closed = ndimage.distance_transform_edt(ball) > width
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(closed | padded)
    inner = tuple(slice(2 * width + 1, -2 * width - 1) for _ in range(3))
    return filled[inner]


def measure_voids(
    voids: NDArray[np.integer], labels: NDArray[Any], spacing: Spacing
) -> tuple[pd.DataFrame, VoidSummary]:
    """Measure voids and the surface that they add to the particle.

    Parameters
    ----------
    voids : ndarray of int, shape (z, y, x)
        Result of `find_voids`.
    labels : ndarray of int, shape (z, y, x)
        Grains, 0 inside voids.
    spacing : (float, float, float)
        Distance of voxel centres (dz, dy, dx) in nm.

    Returns
    -------
    table : DataFrame
        One row per void: `void`, `voxel_count`, `volume_nm3`, `surface_area_nm2`,
        `grain_interface_area_nm2` (its surface that is shared with grains), `enclosed`
        (False where it reaches the outside or the border of the window), and its centroid.
    summary : VoidSummary
        `void_count`, `void_volume_um3`, `void_share` (of particle and voids together),
        `void_surface_area_um2`, and `added_surface_area_um2`: surface of the particle
        less what it would be with all voids filled.

    Raises
    ------
    InputError
        If shapes differ or a void overlaps a grain.

    Notes
    -----
    All areas by the discretised Crofton formula, as those of grains.
    """
    array, cavity = checked_labels(labels), checked_labels(voids, "the volume of voids")
    if array.shape != cavity.shape or ((array > 0) & (cavity > 0)).any():
        raise InputError(
            "grains and voids do not fit each other",
            found=f"shapes {array.shape} and {cavity.shape}, or a voxel in both",
            expected="one shape, grains 0 where a void is",
        )
    particle = (array > 0).astype(np.int32)
    share = float((cavity > 0).sum() / max(1, ((cavity > 0) | (array > 0)).sum()))
    if not cavity.any():
        nothing = dict.fromkeys(VoidSummary.model_fields, 0)
        return pd.DataFrame({name: [] for name in VOID_COLUMNS}), VoidSummary(**nothing)
    table = characterize_grains(cavity.astype(np.int32), spacing).rename(columns={"label": "void"})
    contacts = measure_contacts(np.where(cavity > 0, cavity + 1, particle), spacing)
    with_grains = contacts.loc[contacts["label_a"] == 1].set_index("label_b")["interface_area_nm2"]
    outside = set((contacts.loc[contacts["label_a"] == 0, "label_b"] - 1).tolist())
    table["grain_interface_area_nm2"] = (
        with_grains.reindex(table["void"].to_numpy() + 1).fillna(0).to_numpy()
    )
    table["enclosed"] = ~table["void"].isin(outside) & ~table["touches_window"]
    surface = _surface(particle, spacing) - _surface(particle | (cavity > 0), spacing)
    return table[list(VOID_COLUMNS)].reset_index(drop=True), VoidSummary(
        void_count=len(table),
        void_volume_um3=float(table["volume_nm3"].sum() / NM3_PER_UM3),
        void_share=share,
        void_surface_area_um2=float(table["surface_area_nm2"].sum() / NM2_PER_UM2),
        added_surface_area_um2=surface / NM2_PER_UM2,
    )


def _surface(body: NDArray[Any], spacing: Spacing) -> float:
    table = characterize_grains(body.astype(np.int32), spacing, hulls=False)
    return float(table["surface_area_nm2"].sum())
