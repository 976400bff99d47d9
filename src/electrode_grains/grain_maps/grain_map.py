"""A grain map in memory, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from electrode_grains.errors import InputError
from electrode_grains.runs.machine import memory_limits
from electrode_grains.volumes import spacing_notes

Spacing = tuple[float, float, float]
LARGEST_LABEL = 2**62  # what the types of all formats that follow can hold
BYTES_PER_VOXEL = 24  # measured: labels, the pieces that they are in, and what checks take


@dataclass(frozen=True)
class GrainMap:
    """Labels of grains, and what else a file says of them.

    Attributes
    ----------
    labels : ndarray of int64, shape (z, y, x)
        0 is no grain.
    spacing_nm : (float, float, float) or None
        Voxel size (dz, dy, dx); None where the file does not say it.
    orientations : ndarray of float32, shape (4, z, y, x), or None
        Unit quaternions (w, x, y, z) of the rotation from sample to crystal (Bunge), NaN where
        unknown.
    laue_group, material : str or None
    notes : tuple of str
        What a person should know.
    """

    labels: NDArray[np.int64]
    spacing_nm: Spacing | None = None
    orientations: NDArray[np.float32] | None = None
    laue_group: str | None = None
    material: str | None = None
    notes: tuple[str, ...] = ()

    def with_spacing(self, given: Spacing | None, where: str) -> GrainMap:
        """The same with a voxel size, that of the user before that of the file.

        Raises
        ------
        InputError
            If neither is known.
        SettingsError
            If its edges are not in one unit.
        """
        if given is None and self.spacing_nm is None:
            raise InputError(
                "the voxel size of the grain map is not stored in the file",
                where=where,
                remedy="give it with --spacing DZ,DY,DX in nm (setting grain_map.spacing_nm)",
            )
        spacing = given or self.spacing_nm
        assert spacing is not None
        notes = spacing_notes(spacing, "--spacing (setting grain_map.spacing_nm)")
        if given and self.spacing_nm and not np.allclose(given, self.spacing_nm, rtol=0.01):
            notes += (f"voxel size {given} nm is given, the file says {self.spacing_nm}",)
        return replace(self, spacing_nm=spacing, notes=self.notes + notes)


def check_shape(shape: Sequence[int], itemsize: int, where: str) -> None:
    """Refuse a volume that this machine cannot hold, by its header, before anything is read.

    Parameters
    ----------
    shape : sequence of int
        Of the values that the header declares.
    itemsize : int
        Bytes of a value.
    where : str
        File, for the error.

    Raises
    ------
    InputError
        If values and what is computed from them take more memory than there is.
    """
    needed = math.prod(map(int, shape)) * (itemsize + BYTES_PER_VOXEL)
    check_memory(needed, f"shape {tuple(map(int, shape))}", where)


def check_memory(needed: int, declared: str, where: str) -> None:
    """Refuse what takes more bytes than this machine, container or process may have."""
    for what, limit, remedy in memory_limits():
        if needed > limit:
            raise InputError(
                f"the grain map does not fit into the {what}",
                where=where,
                found=f"{declared}, which takes {needed / 1e9:,.1f} GB",
                expected=f"at most {limit / 1e9:,.1f} GB",
                remedy=f"{remedy}, or crop the map",
            )


def checked_labels(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Labels as whole numbers that are not negative, in three dimensions.

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
        Of any type; dimensions of size 1 before these are left out.

    Raises
    ------
    InputError
        If they are something else, such as an image or probabilities.
    """
    while values.ndim > 3 and 1 in values.shape[: values.ndim - 3]:
        values = values.squeeze(axis=values.shape.index(1))
    found = f"shape {values.shape}, type {values.dtype}"
    if values.ndim != 3 or not values.size:
        raise InputError(
            "a grain map is a volume of labels", where=where, found=found,
            expected="three dimensions z, y, x",
        )  # fmt: skip
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and (values == np.rint(values)).all()):
            raise InputError(
                "the values are no labels", where=where, found=found,
                expected="whole numbers, 0 where there is no grain",
            )  # fmt: skip
    elif values.dtype.kind not in "iub":
        raise InputError("the values are no labels", where=where, found=found)
    if values.min() < 0 or values.max() > LARGEST_LABEL:
        raise InputError(
            "labels are out of range",
            where=where,
            found=f"{values.min()} to {values.max()}",
            expected="0 (no grain) and positive whole numbers",
        )
    labels = values.astype(np.int64)
    if not labels.any():
        raise InputError("the grain map holds no grain", where=where, found="0 everywhere")
    return labels


def piece_notes(labels: NDArray[np.int64]) -> tuple[str, ...]:
    """A note where grains are in several pieces, as programs leave them that join sections.

    Parameters
    ----------
    labels : ndarray of int64, shape (z, y, x)

    Examples
    --------
    >>> piece_notes(np.array([[[4, 4, 0, 4, 7]]]))[0].partition(":")[0]
    '1 of 2 grains are in several pieces without a common face (grain 4 in 2)'
    >>> piece_notes(np.array([[[4, 4, 0, 7]]]))
    ()
    """
    pieces = measure.label(labels, background=0, connectivity=1)  # type: ignore[no-untyped-call]
    owners = np.zeros(int(pieces.max()) + 1, np.int64)
    owners[pieces.ravel()] = labels.ravel()
    grains, counts = np.unique(owners[1:], return_counts=True)
    torn = np.count_nonzero(counts > 1)
    if not torn:
        return ()
    worst = int(np.argmax(counts))
    return (
        f"{torn} of {len(grains)} grains are in several pieces without a common face (grain "
        f"{grains[worst]} in {counts[worst]}): each is measured as one grain; number the pieces "
        "apart if they are grains of their own",
    )


def quaternions_of_rodrigues(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Quaternions of Rodrigues vectors, the identity of the zero vector.

    Parameters
    ----------
    vectors : ndarray of float, shape (z, y, x, 3)

    Returns
    -------
    ndarray of float32, shape (4, z, y, x)

    Examples
    --------
    >>> quaternions_of_rodrigues(np.array([[[[0.0, 0.0, 1.0]]]])).ravel().tolist() == [
    ...     np.float32(0.5**0.5), 0.0, 0.0, np.float32(0.5**0.5)]
    True
    """
    quaternions = np.concatenate([np.ones((*vectors.shape[:3], 1)), vectors], axis=-1)
    quaternions /= np.linalg.norm(quaternions, axis=-1, keepdims=True)
    return np.moveaxis(quaternions, -1, 0).astype(np.float32)
