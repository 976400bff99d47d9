"""Motions of the slices as a table: one row per slice, with unit and uncertainty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.alignment.evidence import LatticeTurns
from electrode_grains.alignment.transforms import SliceTransforms

TURNS = ("tilt_x", "tilt_y", "lattice_rotation")  # parts of a rotation vector (x, y, z)


def slice_table(transforms: SliceTransforms, names: Sequence[str]) -> pd.DataFrame:
    """Where alignment moved each slice to, and how its lattice is turned against a neighbour's.

    Parameters
    ----------
    transforms : SliceTransforms
    names : sequence of str
        Of the slices.

    Returns
    -------
    DataFrame
        `slice`; `registered_to`, the slice that it was compared with (empty for none);
        `shift_x_px`, `shift_y_px` and `rotation_degrees` of the alignment; `tilt_x_degrees`,
        `tilt_y_degrees` and `lattice_rotation_degrees`, by which its lattice is turned against
        that of the slice in `registered_to`, about x, y and z of the map, and their standard
        errors (`..._error_degrees`), NaN where lattices cannot tell; correlations, the share of
        the window that it covers, and `flags`.

    Examples
    --------
    >>> still = SliceTransforms(np.tile(np.eye(3), (2, 1, 1)), "none", np.ones(2), np.ones(2),
    ...                         np.ones(2), ((), ("dark",)))
    >>> slice_table(still, ["S0", "S1"])[["slice", "shift_x_px", "flags"]].values.tolist()
    [['S0', 0.0, ''], ['S1', 0.0, 'dark']]
    """
    count = len(transforms.matrices)
    references = transforms.registered_to
    known = np.full(count, -1) if references is None else np.asarray(references)
    compared = [
        names[other] if 0 <= other < count and other != z else "" for z, other in enumerate(known)
    ]
    columns: dict[str, NDArray[np.float64] | list[str]] = {
        "slice": list(names),
        "registered_to": compared,
        "shift_x_px": transforms.shift_x,
        "shift_y_px": transforms.shift_y,
        "rotation_degrees": np.degrees(transforms.rotation),
    }
    turns, errors = (np.full((count, 3), np.nan) for _ in range(2))
    if transforms.lattice is not None:
        turns[1:], errors[1:] = transforms.lattice.turns, transforms.lattice.errors
    for axis, name in enumerate(TURNS):
        columns[f"{name}_degrees"] = np.degrees(turns[:, axis])
        columns[f"{name}_error_degrees"] = np.degrees(errors[:, axis])
    columns |= {
        "correlation_before": transforms.correlation_before,
        "correlation_after": transforms.correlation_after,
        "overlap": transforms.overlap,
        "flags": ["; ".join(flags) for flags in transforms.flags],
    }
    return pd.DataFrame(columns)


def describe_tilts(turns: LatticeTurns, names: Sequence[str]) -> str:
    """Tilts of a stack in one line, for the log; empty where no lattice can tell.

    Examples
    --------
    >>> nothing = np.full(1, np.nan)
    >>> tilted = LatticeTurns(np.radians([[0.3, 0.4, 0]]), np.radians([[0.02, 0.02, 0.01]]),
    ...                       nothing, nothing)
    >>> describe_tilts(tilted, ["S0", "S1"])
    'slices tilt against their neighbours by .30 (x) and .40 degrees (y) rms, standard error \
.020, by their lattices; most S1, by .50'
    """
    tilts = np.degrees(turns.tilts)
    known = np.isfinite(tilts).all(axis=1)
    if not known.any():
        return ""
    x, y = np.sqrt((tilts[known] ** 2).mean(axis=0))
    error = float(np.median(np.degrees(turns.errors[known, :2])))
    size = np.where(known, np.hypot(*tilts.T), -1)
    most = int(size.argmax())
    numbers = (f"{value:.{digits}f}".lstrip("0") for value, digits in
               ((x, 2), (y, 2), (error, 3), (size[most], 2)))  # fmt: skip
    text = (
        "slices tilt against their neighbours by {} (x) and {} degrees (y) rms, standard error {}, "
        "by their lattices; most " + names[most + 1] + ", by {}"
    )
    return text.format(*numbers)
