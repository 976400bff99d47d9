"""Settings of reading and stacking scans."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import PositiveFloat, ValidationInfo, field_validator

from electrode_grains.base import Length, Settings, setting
from electrode_grains.crystal import LaueGroup
from electrode_grains.ebsd.frames import Frames, HexagonalAxis
from electrode_grains.ebsd.pseudo_group import Operator, pseudo_group
from electrode_grains.errors import SettingsError


class ReadingOptions(Settings):
    """What a reader may accept, and what a file cannot tell of itself."""

    step_nm: Length | None = setting(
        None, "distance of the pixels of plain images, which do not tell it", unit="nm"
    )
    accept_missing: bool = setting(
        False, "mask points that are missing from a file instead of refusing it"
    )
    resample_hexagonal: bool = setting(
        False, "bring hexagonal grids to square ones by the nearest point"
    )
    largest_bad_share: float = setting(
        0.01, "share of the points of a slice that may lack a usable image quality", ge=0, le=1
    )
    frames: Frames | None = setting(
        None,
        "frames of Euler angles and map: edax_1 to edax_4, oxford, bruker, same, or rotations; "
        "null: the maker's default",
    )
    missing_slices: tuple[int, ...] = setting(
        (), "numbers of slices that are known to be lost; each stays an unmeasured slice"
    )
    depth_pattern: str | None = setting(
        None,
        "regular expression whose group is the depth of a slice in its name, in nm or in the unit "
        "behind it, such as z(\\d+); null: slices are equally spaced, or depths.csv says where",
    )
    scan_pattern: str | None = setting(
        None, "regular expression that the names of scans match; others are left out; null: all"
    )
    scan_shape: tuple[int, int] | None = setting(
        None, "rows and columns of the scans; others, such as overviews, are left out; null: all"
    )
    crop: Literal["common"] | None = setting(
        None, "common: slices of several sizes are cut to the rows and columns of all"
    )
    slice_pattern: str | None = setting(
        None,
        "regular expression whose group is the slice number in a name, such as NMC_(\\d+)_; "
        "null: the last number",
    )
    hexagonal_x: HexagonalAxis | None = setting(
        None, "axis of hexagonal crystals along x: a or a*; null: the maker's default"
    )

    @field_validator("slice_pattern", "depth_pattern", "scan_pattern")
    @classmethod
    def _has_one_group(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        if pattern is not None:
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
            if groups != 1 and info.field_name != "scan_pattern":
                raise ValueError(f"{pattern!r} has {groups} groups, where one is the number")
        return pattern


class StackSettings(ReadingOptions):
    """How slices become a stack."""

    slice_spacing_nm: Length | None = setting(
        50.0,
        "thickness milled away between scans; null: what the files tell",
        unit="nm",
        gt=0,
    )
    step_nm: Length | None = setting(
        None,
        "distance of the pixels of plain images, which do not tell it",
        unit="nm",
        gt=0,
        allow_inf_nan=False,
    )
    laue_group: LaueGroup = setting("-3m", "symmetry with which orientations are compared")
    first_slice: int | None = setting(
        None, "number that the first slice must have; null: the lowest"
    )
    lattice_constants: tuple[PositiveFloat, PositiveFloat] | None = setting(
        None, "lattice constants a and c of the trigonal phase; null: those of the files", unit="A"
    )
    pseudo_cubic_tolerance: float = setting(
        0.03, "relative deviation of c / a from 2 sqrt 6 up to which c axes may be confused", ge=0
    )
    pseudo_symmetry_operators: tuple[Operator, ...] = setting(
        (),
        "rotations of crystal axes that the indexer confuses, each x, y, z of its axis (x along a, "
        "z along c) and degrees; none: those that the lattice constants tell",
    )
    slice_order: Literal["rising", "falling"] = setting(
        "rising", "whether slice numbers rise or fall along milling, into the sample"
    )

    @field_validator("pseudo_symmetry_operators")
    @classmethod
    def _make_a_group(
        cls, operators: tuple[Operator, ...], info: ValidationInfo
    ) -> tuple[Operator, ...]:
        if operators and "laue_group" in info.data:
            try:
                pseudo_group(info.data["laue_group"], operators)
            except SettingsError as problem:
                raise ValueError(
                    f"{problem.expected} ({problem.message}; {problem.found})"
                ) from None
        return operators

    def reading_options(self) -> ReadingOptions:
        """What readers of scans may accept."""
        return ReadingOptions(**{name: getattr(self, name) for name in ReadingOptions.model_fields})


class AnnotationSettings(Settings):
    """Where annotations were drawn."""

    frame: Literal["raw", "aligned"] = setting(
        "raw", "slices were annotated as scanned (raw) or after alignment (aligned)"
    )
    slice_numbers: Literal["as_scans", "from_0", "from_1"] = setting(
        "as_scans", "numbers in the names: those of the scans, or places in the stack"
    )


class OrientationAnnotationSettings(Settings):
    """Which slices are annotated from their orientations, and how."""

    slice_count: int = setting(
        4, "evenly spread slices; the paper labels four by hand", unit="slices", ge=1
    )
    laue_group: LaueGroup = setting("-3m", "symmetry with which orientations are compared")
    misorientation_degrees: float = setting(
        5.0, "neighbours beyond this are on two sides of a boundary", unit="degrees", gt=0, le=180
    )
    minimum_confidence: float = setting(
        0.05, "points of a lower confidence index count as not indexed", ge=-1, le=1
    )
    pseudo_symmetry: Literal["auto", "on", "off"] = setting(
        "auto", "count confused orientations as one; auto: where the data show flips"
    )


STRICT = ReadingOptions()
