"""From the points that a file lists to a scan: the checks that all formats share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from electrode_grains.crystal import laue_group_of_phase
from electrode_grains.ebsd.frames import HEXAGONAL_GROUPS, FrameChoice, Maker, to_map_frame
from electrode_grains.ebsd.grid import (
    SquareGrid,
    hexagonal_to_square,
    place_of,
    refuse_hexagonal,
    square_grid,
)
from electrode_grains.ebsd.header_grid import DeclaredGrid, check_hexagonal, fit_header
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.errors import InputError

NM_PER_UM = 1000.0
NOT_INDEXED = -1.0
# Angles of an orientation beyond two turns are no radians; EDAX marks "no solution" by 4 pi.
NO_SOLUTION = 4 * np.pi
ANGLE_ROUNDING = 1e-3


@dataclass(frozen=True)
class ScanReader:
    """Reads one scan when it is called; what is doubtful is among the `notes` of the scan.

    Attributes
    ----------
    read : callable
    depth_nm : float or None
        Where the slice lies, if a table beside the files says it.
    """

    read: Callable[[ReadingOptions], xr.Dataset]
    depth_nm: float | None = None

    def __call__(self, options: ReadingOptions = STRICT) -> xr.Dataset:
        """Read the scan."""
        return self.read(options)


@dataclass(frozen=True)
class Points:
    """The points of one scan, in the order of its file.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        Positions in µm.
    image_quality, confidence_index : ndarray of float64, shape (n,)
    euler_angles : ndarray of float64, shape (n, 3)
        Bunge angles in radians.
    phase : ndarray of float64, shape (n,)
        Number of the phase.
    indexed : ndarray of bool, shape (n,)
        Points whose orientation the software has found.
    declared : DeclaredGrid
        What the header says.
    phases : tuple of dict
        `id`, `material_name`, `formula`, `symmetry` (TSL code), `lattice_constants`.
    channels : mapping of str to ndarray of float64, shape (n,)
        What else the format tells, by the name of its variable.
    maker : Maker
        Whose frames the orientations have.
    measured : ndarray of bool, shape (n,), optional
        False for points of the grid that the microscope did not come to; without it all are.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    image_quality: NDArray[np.float64]
    confidence_index: NDArray[np.float64]
    euler_angles: NDArray[np.float64]
    phase: NDArray[np.float64]
    indexed: NDArray[np.bool_]
    declared: DeclaredGrid
    maker: Maker
    phases: tuple[dict[str, Any], ...] = ()
    channels: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    measured: NDArray[np.bool_] | None = None

    def take(self, index: NDArray[np.intp], **changes: Any) -> Points:
        """Points of an index, with other fields exchanged."""
        names = ("x", "y", "image_quality", "confidence_index", "euler_angles", "phase", "indexed")
        taken = {name: getattr(self, name)[index] for name in names}
        taken["measured"] = None if self.measured is None else self.measured[index]
        taken["channels"] = {name: values[index] for name, values in self.channels.items()}
        return replace(self, **{**taken, **changes})


def edax_measured(
    image_quality: NDArray[np.float64], confidence_index: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Points that the microscope came to: OIM writes IQ -1 and CI -2 for others, shape (n,)."""
    measured: NDArray[np.bool_] = ~((image_quality == -1) & (confidence_index == -2))
    return measured


def edax_indexed(
    euler_angles: NDArray[np.float64], confidence_index: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Points that EDAX software has indexed, shape (n,).

    Parameters
    ----------
    euler_angles : ndarray of float64, shape (n, 3)
        Radians; 4 pi or NaN where there is no solution.
    confidence_index : ndarray of float64, shape (n,)
        -1 where no solution was found, 0 where two had equally many votes.
    """
    solved = (np.abs(euler_angles) < NO_SOLUTION - ANGLE_ROUNDING).all(axis=1)  # NaN: False
    return solved & (confidence_index > 0) & np.isfinite(confidence_index)


def points_to_scan(
    points: Points,
    file_name: str,
    source: str,
    options: ReadingOptions = STRICT,
    line_of: Callable[[int], int] | None = None,
    reader_notes: tuple[str, ...] = (),
) -> xr.Dataset:
    """Put points on their grid, or refuse them.

    Parameters
    ----------
    points : Points
    file_name : str
        For refusals.
    source : str
        Name of the scan.
    options : ReadingOptions
    line_of : callable, optional
        Line of the file that holds a point, for refusals.
    reader_notes : tuple of str
        What the reader noticed already.

    Returns
    -------
    xr.Dataset
        As `read_scan` describes it.

    Raises
    ------
    InputError
        If points lie off the grid, are doubled or missing, contradict the header, belong to
        no phase, carry angles that are no radians, or too many useless image qualities.
    """
    notes = list(reader_notes)
    place = place_of(file_name, line_of)
    _refuse_degrees(points, file_name, place)
    _check_phases(points, file_name, place)
    points = _without_phaseless(points, notes)
    if points.declared.hexagonal:
        points = _resample(points, file_name, options, line_of, notes)
        line_of = None
    grid = square_grid(points.x, points.y, file_name, line_of, options.accept_missing)
    grid = fit_header(
        grid, points.x, points.y, points.declared, file_name, options.accept_missing, notes
    )
    points = _without_unmeasured(points, notes)
    measured = slice(None) if points.measured is None else points.measured
    quality = np.full(len(points.x), np.nan, np.float32)
    quality[measured] = clean_quality(
        points.image_quality[measured], file_name, options.largest_bad_share, notes
    )
    if grid.gaps:
        total = grid.rows * grid.columns
        notes.append(f"{grid.gaps} of {total} points are missing and were masked")
    share = 1 - points.indexed.mean()
    if share > 0.5:
        notes.append(f"{share:.0%} of the points are not indexed")
    choice = FrameChoice.of(points.maker, options.frames, options.hexagonal_x)
    points = _in_map_frame(points, choice)
    return _as_dataset(points, quality, grid, source, notes).assign_attrs(frames=choice)


def _refuse_degrees(points: Points, file_name: str, place: Callable[[int], str]) -> None:
    beyond = (np.abs(points.euler_angles) > NO_SOLUTION + ANGLE_ROUNDING).any(axis=1)
    if beyond.any():
        row = int(beyond.argmax())
        angles = ", ".join(f"{angle:g}" for angle in points.euler_angles[row])
        raise InputError(
            "angles are too large for radians",
            where=place(row),
            found=f"phi1, Phi, phi2 = {angles}",
            expected="Bunge angles in radians, at most 4 pi",
            remedy="export the scan with angles in radians",
        )


def _check_phases(points: Points, file_name: str, place: Callable[[int], str]) -> None:
    """A phase is a whole number, listed in the header or at most 0 (single or no phase)."""
    known = [int(phase["id"]) for phase in points.phases]
    whole = (points.phase == np.rint(points.phase)) & (np.abs(points.phase) < 2**15)
    # Headers without any phase are legal; then there is nothing to compare with.
    listed = (points.phase <= 0) | np.isin(points.phase, known) if known else whole
    wrong = ~(whole & listed)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            "a point belongs to no phase of the header",
            where=place(row),
            found=f"phase {points.phase[row]:g} at {int(wrong.sum())} points",
            expected="one of " + (", ".join(map(str, [0, *known])) if known else "whole numbers"),
            remedy="export the scan again with its phase list",
        )


def _without_phaseless(points: Points, notes: list[str]) -> Points:
    """Points of no listed phase beside others that have one are not indexed.

    A single phase may be called 0, or -1, everywhere; the header's list decides, not the number.
    """
    listed = np.isin(points.phase, [int(phase["id"]) for phase in points.phases])
    if len(points.phases) < 2 or not listed.any():
        return points
    lost = points.indexed & ~listed
    if lost.any():
        notes.append(f"{int(lost.sum())} points belong to no listed phase and are not indexed")
    return replace(points, indexed=points.indexed & listed)


def _without_unmeasured(points: Points, notes: list[str]) -> Points:
    if points.measured is None or points.measured.all():
        return replace(points, measured=None)
    missing = ~points.measured
    if missing.all():
        raise InputError("no point of the scan was measured", found=f"{missing.size} points")
    notes.append(f"{int(missing.sum())} points were not measured")
    return replace(
        points,
        indexed=points.indexed & points.measured,
        confidence_index=np.where(missing, NOT_INDEXED, points.confidence_index),
        channels={name: np.where(missing, np.nan, v) for name, v in points.channels.items()},
    )


def _in_map_frame(points: Points, choice: FrameChoice) -> Points:
    """Turn the orientations of indexed points into the frame of the map."""
    hexagonal = [
        int(phase["id"])
        for phase in points.phases
        if laue_group_of_phase(phase) in HEXAGONAL_GROUPS
    ]
    single = len(points.phases) == 1 and bool(hexagonal)  # which may be called 0
    known = points.indexed
    euler = points.euler_angles.copy()
    euler[known] = to_map_frame(
        euler[known], choice, single | np.isin(points.phase[known], hexagonal)
    )
    return replace(points, euler_angles=euler)


def _resample(
    points: Points,
    file_name: str,
    options: ReadingOptions,
    line_of: Callable[[int], int] | None,
    notes: list[str],
) -> Points:
    """Square points from hexagonal ones, if the user wants that."""
    if not options.resample_hexagonal:
        refuse_hexagonal(file_name, "HexGrid")
    source, x, y = hexagonal_to_square(points.x, points.y, file_name, line_of)
    check_hexagonal(points.declared, len(points.x), file_name)
    notes.append(
        f"hexagonal grid of {len(points.x)} points resampled to {len(x)} square ones, "
        "each from its nearest point"
    )
    return points.take(source, x=x, y=y, declared=DeclaredGrid())


def clean_quality(
    quality: NDArray[np.float64], file_name: str, largest_share: float, notes: list[str]
) -> NDArray[np.float32]:
    """Mask what is NaN, infinite or negative, shape (n,); refuse more than a share of it."""
    with np.errstate(over="ignore"):
        kept = quality.astype(np.float32)
    bad = ~np.isfinite(kept) | (quality < 0)
    share = float(bad.mean())
    if share > largest_share:
        raise InputError(
            "too many points have no usable image quality",
            where=file_name,
            found=f"{share:.1%} NaN, infinite or negative",
            expected=f"at most {largest_share:.1%}",
            remedy="export the scan again; check that the image quality is in its column, or "
            "raise largest_bad_share",
        )
    if share > 0:
        notes.append(f"{int(bad.sum())} points have no usable image quality and were masked")
    kept[bad] = np.nan
    return kept


def _as_dataset(
    points: Points, quality: NDArray[np.float32], grid: SquareGrid, source: str, notes: list[str]
) -> xr.Dataset:
    shape = (grid.rows, grid.columns)

    def place(values: NDArray[Any], dtype: DTypeLike, missing: float) -> NDArray[Any]:
        placed = np.full((grid.rows * grid.columns, *values.shape[1:]), missing, dtype)
        placed[grid.position] = values
        return placed.reshape(*shape, *values.shape[1:])

    euler = np.where(points.indexed[:, None], points.euler_angles, np.nan)
    # Coordinates are printed in um with a few decimals: what lies below 1e-6 nm is rounding.
    step_nm = (round(grid.dy * NM_PER_UM, 6), round(grid.dx * NM_PER_UM, 6))
    channels = {
        name: (("y", "x"), place(values, np.float32, np.nan))
        for name, values in points.channels.items()
    }
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), place(quality, np.float32, np.nan)),
            "confidence_index": (
                ("y", "x"),
                place(points.confidence_index, np.float32, NOT_INDEXED),
            ),
            "euler_angles": (("y", "x", "angle"), place(euler, np.float32, np.nan)),
            "phase": (("y", "x"), place(points.phase, np.int16, 0)),
            **channels,
        },
        coords={
            "y": np.arange(grid.rows) * step_nm[0],
            "x": np.arange(grid.columns) * step_nm[1],
            "angle": ["phi1", "Phi", "phi2"],
        },
        attrs={
            "source": source,
            "step_nm": step_nm,
            "phases": points.phases,
            "notes": tuple(notes),
        },
    )
