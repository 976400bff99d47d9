"""Slice transforms: where each point of the aligned stack lies in the slice as scanned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.problems import InputProblem


@dataclass(frozen=True)
class SliceTransforms:
    """A rigid motion for each slice, and how well it fits.

    Attributes
    ----------
    matrices : ndarray of float64, shape (n, 3, 3)
        Each maps aligned pixel coordinates (x, y, 1) to those of the slice as scanned.
    mode : str
        `translation` or `rigid_body`.
    correlation_before, correlation_after : ndarray of float64, shape (n,)
        Normalised cross-correlation with the slice before, NaN for the first.
    overlap : ndarray of float64, shape (n,)
        Share of the window that the moved slice still covers.
    flags : tuple of tuple of str
        Doubts about each slice, empty where there is none.
    center : (float, float)
        Point (x, y) in pixels whose displacement `shift_x` and `shift_y` tell: the centre
        of the window, so that a rotation does not appear as a shift.
    """

    matrices: NDArray[np.float64]
    mode: str
    correlation_before: NDArray[np.float64]
    correlation_after: NDArray[np.float64]
    overlap: NDArray[np.float64]
    flags: tuple[tuple[str, ...], ...]
    center: tuple[float, float] = (0.0, 0.0)

    @property
    def shift_x(self) -> NDArray[np.float64]:
        """Displacement of the centre along x in pixels, shape (n,)."""
        return center_motion(self.matrices, self.center)[:, 0]

    @property
    def shift_y(self) -> NDArray[np.float64]:
        """Displacement of the centre along y in pixels, shape (n,)."""
        return center_motion(self.matrices, self.center)[:, 1]

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Rotation from x towards y in radians, shape (n,)."""
        return np.asarray(np.arctan2(self.matrices[:, 1, 0], self.matrices[:, 0, 0]))

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
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SliceTransforms:
        """Rebuild from `to_dict`."""

        def array(key: str) -> NDArray[np.float64]:
            return np.array([np.nan if v is None else v for v in values[key]], float)

        center = values.get("center", (0.0, 0.0))
        return cls(
            matrices=np.asarray(values["matrices"], float),
            mode=str(values["mode"]),
            correlation_before=array("correlation_before"),
            correlation_after=array("correlation_after"),
            overlap=array("overlap"),
            flags=tuple(tuple(flags) for flags in values["flags"]),
            center=(float(center[0]), float(center[1])),
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


def remove_gauge(matrices: NDArray[np.float64], center: tuple[float, float]) -> NDArray[np.float64]:
    """Move the aligned frame so that the slices lie in the window on average.

    Registration fixes slices only against each other; the frame is chosen so that the
    shift of the window's centre and the rotation are 0 on average over the slices.
    """
    gauged = matrices
    for _ in range(3):  # rotations and shifts mix in second order
        x, y, rotation = center_motion(gauged, center).mean(axis=0)
        gauged = gauged @ np.linalg.inv(rigid_matrix(x, y, rotation, center))
    return gauged


def remove_trend(matrices: NDArray[np.float64], center: tuple[float, float]) -> NDArray[np.float64]:
    """Leave uncorrected what is linear in z: shift of the centre and rotation.

    Examples
    --------
    >>> drift = np.array([rigid_matrix(0.5 * z, -z, 0.0, (4.0, 4.0)) for z in range(5)])
    >>> bool(np.allclose(remove_trend(drift, (4.0, 4.0)), np.eye(3)))
    True
    """
    z = np.arange(len(matrices), dtype=float)
    if len(z) < 3:  # two slices are all trend
        return matrices
    straightened = matrices
    for _ in range(3):  # rotations and shifts mix in second order
        slope, offset = np.polyfit(z, center_motion(straightened, center), 1)
        trend = [
            rigid_matrix(x, y, rotation, center) for x, y, rotation in np.outer(z, slope) + offset
        ]
        straightened = straightened @ np.linalg.inv(np.array(trend))
    return straightened


def alignment_error(
    transforms: SliceTransforms,
    true_matrices: NDArray[np.float64],
    shape: tuple[int, int] | None = None,
) -> dict[str, float]:
    """Compare estimated with true transforms, in pixels at the window's centre.

    Parameters
    ----------
    transforms : SliceTransforms
    true_matrices : ndarray of float64, shape (n, 3, 3)
    shape : (int, int), optional
        Shape (y, x) of a slice, if the transforms do not know their centre.

    Returns
    -------
    dict
        `step_rms_px` of the motion from slice to slice, `cumulated_rms_px` of the positions
        once both share one frame, `rotation_rms_rad`; and `raw_rms_px`, the cumulated error
        of doing nothing.

    Raises
    ------
    InputProblem
        If there is not one true matrix for each slice.
    """
    center = transforms.center if shape is None else window_center(shape)
    if np.shape(true_matrices) != transforms.matrices.shape:
        raise InputProblem(
            "true and estimated transforms are of different stacks",
            found=f"{len(true_matrices)} true matrices",
            expected=f"{len(transforms.matrices)}, one a slice",
        )
    estimated = center_motion(remove_gauge(transforms.matrices, center), center)
    true = center_motion(remove_gauge(np.asarray(true_matrices, float), center), center)
    apart = estimated - true
    return {
        "step_rms_px": _rms(np.diff(apart[:, :2], axis=0)),
        "cumulated_rms_px": _rms(apart[:, :2]),
        "rotation_rms_rad": float(np.sqrt(np.mean(apart[:, 2] ** 2))),
        "raw_rms_px": _rms(true[:, :2]),
    }


def _rms(vectors: NDArray[np.float64]) -> float:
    return float(np.sqrt((vectors**2).sum(axis=1).mean())) if len(vectors) else 0.0
