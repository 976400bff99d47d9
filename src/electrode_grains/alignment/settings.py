"""Settings of the alignment: the defaults are those of conf/base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from electrode_grains.alignment.symmetries import TurnedSlices
from electrode_grains.base import Settings, setting

Mode = Literal["auto", "none", "translation", "rigid_body", "affine"]


class AlignmentSettings(Settings):
    """How slices are registered and resampled."""

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {
        "flatten_surroundings": "mask_background",
        "rotation_memory": "rotation_correlation_length",
        "shift_memory": "shift_correlation_length",
    }

    mode: Mode = setting(
        "auto",
        "motions of a slice: none, translation, rigid_body (with rotation), affine (and strain); "
        "auto: none for slices of one volume file, else rigid_body",
    )
    undo: tuple[TurnedSlices, ...] = setting(
        (), "ranges of slices that were scanned turned or mirrored, set upright with all channels"
    )
    require_evidence: bool = setting(
        True, "correct only what is the stage's motion beyond errors and the shape of grains"
    )
    reference: Literal["previous", "neighbours", "first"] = setting(
        "neighbours", "what each slice is registered to"
    )
    smoothing: float = setting(
        0.6,
        "Gaussian smoothing of what is registered, not of the result",
        unit="pixels",
        ge=0,
        allow_inf_nan=False,
    )
    mask_background: bool = setting(True, "register by the particle, not by the noise around it")
    suppress_fixed_lines: bool = setting(
        True,
        "leave out of registration rows and columns that stand still in the frame, as stripes and "
        "dead lines of a detector do; false where thin lamellae lie along rows or columns",
    )
    rotation_correlation_length: float | None = setting(
        4.0,
        "slices after which a rotation is taken for accumulated error; None: never",
        unit="slices",
        gt=0,
        allow_inf_nan=False,
    )
    shift_correlation_length: float | None = setting(
        None, "the same for shifts", unit="slices", gt=0, allow_inf_nan=False
    )
    lattice_rotation: bool = setting(
        True, "take rotations of slices from the lattices of their grains, where there are any"
    )
    detrend: Literal["linear"] | None = setting(
        None, "linear: keep what is linear in z as structure, for lamellae or columns"
    )
    initial_guess: bool = setting(True, "look for jumps of many pixels first")
    strict: bool = setting(False, "refuse a stack with flagged slices instead of warning")
    spline_order: int = setting(
        3, "interpolation of image quality; orientations move to the nearest point", ge=0, le=5
    )
