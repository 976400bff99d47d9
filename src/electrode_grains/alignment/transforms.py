"""Slice transforms: where each point of the aligned stack lies in the slice as scanned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.evidence import Evidence, LatticeTurns
from electrode_grains.alignment.symmetries import TurnedSlices, symmetry_matrix

Matrices = NDArray[np.float64]


@dataclass(frozen=True)
class SliceTransforms:
    """A rigid motion for each slice, and how well it fits.

    Attributes
    ----------
    matrices : ndarray of float64, shape (n, 3, 3)
        Each maps aligned pixel coordinates (x, y, 1) to those of the slice as scanned.
    mode : str
        `none`, `translation`, `rigid_body` or `affine`.
    correlation_before, correlation_after : ndarray of float64, shape (n,)
        Normalised cross-correlation with the slice it was registered to, NaN where there is
        none.
    overlap : ndarray of float64, shape (n,)
        Share of the window that the moved slice still covers.
    flags : tuple of tuple of str
        Warnings about each slice, empty where there is none.
    center : (float, float)
        Point (x, y) in pixels whose displacement `shift_x` and `shift_y` give: the
        centre of the window, so that a rotation does not appear as a shift.
    registered_to : ndarray of int, shape (n,), optional
        Index of the slice that each was registered to.
    evidence : Evidence, optional
        Whether the stage moved; None where nothing was registered.
    turned : tuple of TurnedSlices
        Ranges of slices that were scanned turned or mirrored; `matrices` undo that too.
    lattice : LatticeTurns, optional
        Rotations and tilts of the slices by the lattice, where there are orientations.
    notes : tuple of str
        Warnings about the stack as a whole.
    frame_verdict : str
        What turned slices say of the frames of the orientations; empty without orientations.
    """

    matrices: NDArray[np.float64]
    mode: str
    correlation_before: NDArray[np.float64]
    correlation_after: NDArray[np.float64]
    overlap: NDArray[np.float64]
    flags: tuple[tuple[str, ...], ...]
    center: tuple[float, float] = (0.0, 0.0)
    registered_to: NDArray[np.int_] | None = None
    notes: tuple[str, ...] = ()
    evidence: Evidence | None = None
    turned: tuple[TurnedSlices, ...] = ()
    lattice: LatticeTurns | None = None
    frame_verdict: str = ""

    @property
    def motions(self) -> NDArray[np.float64]:
        """Motions of the upright slices, shape (n, 3, 3): without turns and mirror images."""
        return np.linalg.inv(self._symmetries()) @ self.matrices

    @property
    def shift_x(self) -> NDArray[np.float64]:
        """Displacement of the centre along x in pixels, shape (n,)."""
        return center_motion(self.motions, self.center)[:, 0]

    @property
    def shift_y(self) -> NDArray[np.float64]:
        """Displacement of the centre along y in pixels, shape (n,)."""
        return center_motion(self.motions, self.center)[:, 1]

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Rotation from x towards y in radians, shape (n,)."""
        return center_motion(self.motions, self.center)[:, 2]

    @property
    def lattice_turns(self) -> NDArray[np.float64]:
        """Unit quaternions (scalar first) by which crystals turn with their slices, shape (n, 4).

        A turn about z; for a slice that was mirrored since the sample was turned over, half a
        turn about an axis in its plane.
        """
        followed = np.array([turned.lattice_turned for turned in self.turned], bool)
        linear = (self._symmetries(followed) @ self.motions)[:, :2, :2]
        half = np.arctan2(linear[:, 1, 0], linear[:, 0, 0]) / 2
        cosine, sine, zero = np.cos(half), np.sin(half), np.zeros(len(half))
        about_z = np.stack([cosine, zero, zero, sine], 1)
        over = np.stack([zero, cosine, sine, zero], 1)
        return np.where(np.linalg.det(linear)[:, None] > 0, about_z, over)

    def _symmetries(self, chosen: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Matrices of the turns and mirror images of all slices, or of the chosen ranges."""
        matrices = np.tile(np.eye(3), (len(self.matrices), 1, 1))
        for index, turned in enumerate(self.turned):
            if chosen is None or chosen[index]:
                matrix = symmetry_matrix(turned.symmetry, self.center)
                for z in turned.slices(len(matrices)):
                    matrices[z] = matrices[z] @ matrix
        return matrices

    def turned_back(self, turned: tuple[TurnedSlices, ...]) -> SliceTransforms:
        """Transforms of slices as scanned, from those of the slices that were set upright."""
        whole = replace(self, turned=turned)
        return replace(whole, matrices=whole._symmetries() @ self.matrices) if turned else self

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; not a number becomes None."""

        def listed(values: NDArray[np.float64]) -> list[float | None]:
            return [float(value) if np.isfinite(value) else None for value in values]

        return {
            "mode": self.mode,
            "center": list(map(float, self.center)),
            "matrices": self.matrices.tolist(),
            "shift_x": listed(self.shift_x),
            "shift_y": listed(self.shift_y),
            "rotation": listed(self.rotation),
            "correlation_before": listed(self.correlation_before),
            "correlation_after": listed(self.correlation_after),
            "overlap": listed(self.overlap),
            "flags": [list(flags) for flags in self.flags],
            "registered_to": None if self.registered_to is None else self.registered_to.tolist(),
            "notes": list(self.notes),
            "frame_verdict": self.frame_verdict,
            "turned": [turned.model_dump() for turned in self.turned],
            "lattice": None if self.lattice is None else self.lattice.to_dict(),
            "evidence": None if self.evidence is None else self.evidence.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SliceTransforms:
        """Rebuild from `to_dict`.

        Raises
        ------
        KeyError, ValueError
            If the values are not those of slice transforms.
        """

        def array(key: str) -> NDArray[np.float64]:
            return np.array([np.nan if v is None else v for v in values[key]], float)

        matrices = np.asarray(values["matrices"], float)
        if matrices.ndim != 3 or matrices.shape != (len(values["flags"]), 3, 3):
            raise ValueError(f"matrices of shape {matrices.shape}, not one 3 x 3 for each slice")
        center = values.get("center", (0.0, 0.0))
        references = values.get("registered_to")
        evidence, lattice = values.get("evidence"), values.get("lattice")
        return cls(
            matrices=matrices,
            mode=str(values["mode"]),
            correlation_before=array("correlation_before"),
            correlation_after=array("correlation_after"),
            overlap=array("overlap"),
            flags=tuple(tuple(flags) for flags in values["flags"]),
            center=(float(center[0]), float(center[1])),
            registered_to=None if references is None else np.asarray(references, int),
            notes=tuple(values.get("notes") or ()),
            evidence=Evidence.from_dict(evidence) if evidence else None,
            lattice=LatticeTurns.from_dict(lattice) if lattice else None,
            turned=tuple(TurnedSlices(**turned) for turned in values.get("turned") or ()),
            frame_verdict=str(values.get("frame_verdict") or ""),
        )


def rigid_matrix(
    shift_x: float, shift_y: float, rotation: float, center: tuple[float, float]
) -> NDArray[np.float64]:
    """Rotation about a centre (x, y), then a shift, as a matrix on (x, y, 1).

    Examples
    --------
    >>> rigid_matrix(2.0, 0.0, np.pi / 2, (1.0, 1.0)).round(12) @ [2.0, 1.0, 1.0]
    array([3., 2., 1.])
    """
    cosine, sine = np.cos(rotation), np.sin(rotation)
    cx, cy = center
    return np.array(
        [
            [cosine, -sine, cx - cosine * cx + sine * cy + shift_x],
            [sine, cosine, cy - sine * cx - cosine * cy + shift_y],
            [0.0, 0.0, 1.0],
        ]
    )


def window_center(shape: tuple[int, ...]) -> tuple[float, float]:
    """Centre (x, y) of a slice of shape (..., y, x), in pixels."""
    return (shape[-1] - 1) / 2, (shape[-2] - 1) / 2


def center_motion(
    matrices: NDArray[np.float64], center: tuple[float, float]
) -> NDArray[np.float64]:
    """Shift of the centre and rotation of each matrix, shape (n, 3): x, y, radians."""
    moved = matrices @ np.array([*center, 1.0])
    rotation = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    return np.column_stack([moved[:, 0] - center[0], moved[:, 1] - center[1], rotation])


def rms_displacement(apart: NDArray[np.float64], center: tuple[float, float]) -> float:
    """Rms of two motions' difference over a window, in pixels.

    Parameters
    ----------
    apart : ndarray of float64, shape (3, 3)
        Difference of two matrices on (x, y, 1).
    center : (float, float)
        Centre (x, y) of the window, which reaches from 0 to twice that.
    """
    middle = apart[:2] @ np.array([*center, 1.0])
    # Coordinates spread uniformly over a width w have variance w^2 / 12 = c^2 / 3.
    spread = (apart[:2, :2] ** 2).sum(axis=0) @ np.square(center) / 3
    return float(np.sqrt((middle**2).sum() + spread))
