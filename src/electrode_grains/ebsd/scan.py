"""From single scans to a stack: natural order, one grid, all issues reported at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd.depths import spacing_of_depths
from electrode_grains.ebsd.issues import Issue, issue_from, issue_table
from electrode_grains.ebsd.points import NOT_INDEXED
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.ebsd.slice_choice import Choice, Scan, choose_scans, read_one
from electrode_grains.ebsd.uniformity import (
    Kind,
    cut_to_window,
    describe_cut,
    kind_of,
    renumber_phases,
    uniformity_issues,
)
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.volumes import spacing_notes


def stack_scans(
    scans: Mapping[str, Scan] | Sequence[xr.Dataset],
    slice_spacing_nm: float | None = None,
    first_slice: int | None = None,
    options: ReadingOptions = STRICT,
    falling: bool = False,
    store: SliceStore | None = None,
) -> xr.Dataset:
    """Stack scans along the milling direction.

    Parameters
    ----------
    scans : mapping of str to Dataset or callable, or sequence of Dataset
        Scans, or functions that read them, by name. A sequence is taken in its order.
    slice_spacing_nm : float, optional
        Thickness milled away between two scans. By default what the first scan knows, as
        slices of volumes do; or else its step, so that voxels are as deep as they are high.
    first_slice : int, optional
        Number that the first slice must have, so that slices missing at the beginning are
        noticed too; without it the lowest number found is the first.
    options : ReadingOptions
        What readers of files may accept.
    falling : bool
        Slice numbers fall along milling: the stack begins with the highest. z of the map points
        along milling all the same, so that orientations, which are given in the map of each slice,
        stay what they are.
    store : SliceStore, optional
        Takes the slices, in the order of their numbers, in place of arrays in memory; the stack
        that is returned has attributes alone.

    Returns
    -------
    xr.Dataset
        Variables of the scans with dimensions `(z, y, x)`, coordinates in nm; attributes
        `spacing_nm` (dz, dy, dx), `slices` (names; those of planes without a scan of their own
        begin with `missing_` or `repeated_`), `phases`, `frames` (a `FrameChoice`, None for
        images), `slice_order` (rising or falling), `stack_notes` (how the slices became a stack)
        and `notes` (these, and those on single scans).

    Raises
    ------
    InputError
        If slices are unnumbered, missing or doubled, or differ in grid, step or phases. All
        issues of the stack are reported at once, in a table; what most slices have is what is
        expected of the others.
    SettingsError
        If the spacing is no positive number, or not in the unit of the steps; or if slices of a
        volume with a frame of its own are to fall.
    """
    if slice_spacing_nm is not None and not (
        np.isfinite(slice_spacing_nm) and slice_spacing_nm > 0
    ):
        raise SettingsError(
            "the distance of slices must be positive",
            found=f"slice_spacing_nm = {slice_spacing_nm}",
            expected="nanometres milled away between two scans, such as 50",
        )
    if not isinstance(scans, Mapping):
        scans = {f"slice_{index:03d}": scan for index, scan in enumerate(scans)}
    if not scans:
        raise InputError("there are no slices to stack")
    choice = choose_scans(scans, first_slice, options)
    stack, further = _read_all(choice, options, None, store or SlicesInMemory())
    issues = choice.issues + further
    if issues:
        raise InputError(
            f"{len(issues)} problems in a stack of {len(scans)} slices:\n{issue_table(issues)}",
            remedy="put right or remove the files named, or give the settings named (init: --set "
            "NAME=VALUE); the stack is read only when all agree",
        )
    if falling:
        _refuse_a_mirrored_volume(stack)
        stack = stack.isel(z=slice(None, None, -1), missing_dims="ignore")
        stack.attrs["slices"] = stack.attrs["slices"][::-1]
    dy, dx = stack.attrs.pop("step_nm")
    known = slice_spacing(stack, slice_spacing_nm)
    dz = float(known or dy)
    # Of slices, only a volume tells the spacing; depths do not say that slices are aligned.
    told, has_depths = (stack.attrs.pop(name) for name in ("slice_spacing_nm", "has_depths"))
    stack.attrs["from_volume"] = told is not None and not has_depths
    stack.attrs["slice_order"] = "falling" if falling else "rising"
    stack.attrs["spacing_nm"] = (dz, dy, dx)
    stack.attrs["notes"] += spacing_notes((dz, dy, dx), "slice_spacing_nm and step_nm")
    return stack.assign_coords(z=np.arange(len(stack.attrs["slices"])) * dz)


def _refuse_a_mirrored_volume(stack: xr.Dataset) -> None:
    """Layers whose orientations share the volume's own frame have one order only."""
    frames = stack.attrs.get("frames")
    is_volume = stack.attrs["slice_spacing_nm"] is not None and not stack.attrs["has_depths"]
    if is_volume and frames is not None and frames.frames == "same":
        raise SettingsError(
            "layers of a volume cannot be taken in falling order",
            where="preprocessing.stack.slice_order",
            found="falling, of a volume whose positions and orientations share a frame (same)",
            expected="rising: the other order is a mirror image, in which no orientation is right",
            remedy="turn the volume over in the program that wrote it, by half a turn about x",
        )


def slice_spacing(stack: xr.Dataset, given: float | None) -> float | None:
    """Distance of the slices in nm: from their depths, or given, or from the file; or unknown.

    Parameters
    ----------
    stack : Dataset
        As `inspect_scans` returns it.
    given : float, optional
        What the user says.

    Raises
    ------
    SettingsError
        If the user says another one than the depths of the slices do.
    """
    known: float | None = stack.attrs["slice_spacing_nm"]
    if known is not None and stack.attrs["has_depths"]:
        return spacing_of_depths(known, given)
    return given or known


def inspect_scans(
    scans: Mapping[str, Scan],
    first_slice: int | None = None,
    options: ReadingOptions = STRICT,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[xr.Dataset, list[Issue]]:
    """Read all slices and list every problem instead of refusing.

    Parameters
    ----------
    scans, first_slice, options
        As in `stack_scans`.
    progress : callable, optional
        Called with the number of slices read, and their total.

    Returns
    -------
    stack : xr.Dataset
        As far as it could be read: of no use where there are issues, but for its attributes
        `step_nm`, `slice_spacing_nm` (None where the files do not hold it), `slices`,
        `phases` and `notes`, which are lacking where no slice could be read.
    issues : list of Issue
    """
    choice = choose_scans(scans, first_slice, options)
    stack, further = _read_all(choice, options, progress, SlicesInMemory())
    return stack, choice.issues + further


class SliceStore(Protocol):
    """Takes the slices of a stack as they are read.

    Attributes
    ----------
    stack : Dataset
        Attributes of the stack; nothing before `begin`.
    """

    stack: xr.Dataset

    @property
    def window(self) -> tuple[int, ...]:
        """Points (y, x) of a slice."""
        ...

    def begin(self, scan: xr.Dataset, names: Sequence[str]) -> None:
        """Make room for slices like the given one, which have names."""
        ...

    def cut(self, scan: xr.Dataset) -> xr.Dataset:
        """Cut all slices and a scan to their common rows and columns; returns the scan."""
        ...

    def fill(self, planes: Sequence[int], scan: xr.Dataset) -> None:
        """Take a scan for some planes."""
        ...

    def image(self, plane: int) -> NDArray[Any]:
        """Image quality of a plane of the scan taken last, or of the one before."""
        ...

    def blank(self, planes: Sequence[int]) -> None:
        """Take planes that are without measurement."""
        ...


class SlicesInMemory:
    """Slices in one set of arrays, so that no slice is held twice."""

    def __init__(self) -> None:
        self.stack = xr.Dataset()

    @property
    def window(self) -> tuple[int, ...]:
        """Points (y, x) of a slice."""
        return self.stack["image_quality"].shape[1:]

    def begin(self, scan: xr.Dataset, names: Sequence[str]) -> None:
        """Make room for slices like the given one, which have names."""
        self.stack = xr.Dataset(
            {
                name: (
                    ("z", *values.dims),
                    np.empty((len(names), *values.shape), values.dtype),
                )
                for name, values in scan.data_vars.items()
            },
            coords=scan.coords,
            attrs=stack_attributes(scan, names),
        )

    def cut(self, scan: xr.Dataset) -> xr.Dataset:
        """Cut all slices and a scan to their common rows and columns; returns the scan."""
        self.stack, scan = cut_to_window(self.stack, scan)
        return scan

    def fill(self, planes: Sequence[int], scan: xr.Dataset) -> None:
        """Take a scan for some planes."""
        for channel in self.stack.data_vars:
            self.stack[channel].to_numpy()[planes] = scan[channel].to_numpy()

    def image(self, plane: int) -> NDArray[Any]:
        """Image quality of a plane."""
        values: NDArray[Any] = self.stack["image_quality"].to_numpy()[plane]
        return values

    def blank(self, planes: Sequence[int]) -> None:
        """Take planes that are without measurement."""
        for channel, values in self.stack.data_vars.items():
            values.to_numpy()[planes] = unmeasured(str(channel), values.dtype)


def unmeasured(channel: str, dtype: np.dtype[Any]) -> float:
    """Value of a channel where nothing was measured."""
    return {"confidence_index": NOT_INDEXED}.get(channel, np.nan) if dtype.kind == "f" else 0


def _read_all(
    choice: Choice,
    options: ReadingOptions,
    progress: Callable[[int, int], None] | None,
    store: SliceStore,
) -> tuple[xr.Dataset, list[Issue]]:
    """Read slice by slice."""
    issues: list[Issue] = []
    kinds: dict[str, Kind] = {}
    notes: list[tuple[str, str]] = []
    planes_of: dict[str, list[int]] = {}
    for index, plane in enumerate(choice.planes):
        if plane.scan is not None:
            planes_of.setdefault(plane.scan, []).append(index)
    filled: set[int] = set()
    for count, (name, indices) in enumerate(planes_of.items()):
        if progress is not None:
            progress(count, len(planes_of))
        try:
            scan = read_one(choice.scans[name], options)
        except InputError as problem:
            issues.append(issue_from(name, problem))
            continue
        source = scan.attrs.get("source", name)
        if not kinds:
            store.begin(scan, [plane.name for plane in choice.planes])
        else:
            scan, note = renumber_phases(scan, store.stack.attrs["phases"])
            notes += [(source, note)] if note else []
        kinds[name] = kind_of(scan)
        if options.crop == "common":
            scan = store.cut(scan)
        if kind_of(scan) == kinds[next(iter(kinds))]._replace(shape=store.window):
            store.fill(indices, scan)
            if indices[0] - 1 in filled and _is_copy(
                store.image(indices[0]), store.image(indices[0] - 1)
            ):
                notes.append((name, "the same image as the slice before"))
            filled |= set(indices)
        notes += [(source, note) for note in scan.attrs.get("notes") or ()]
    lost = [index for index, plane in enumerate(choice.planes) if plane.scan is None]
    store.blank(lost)
    told = choice.notes
    if options.crop == "common" and kinds:
        kinds, cut = describe_cut(kinds)
        told = [*told, cut] if cut else told
    stack = store.stack
    if choice.spacing_nm is not None and kinds:
        stack.attrs["slice_spacing_nm"] = choice.spacing_nm
    stack.attrs |= {"stack_notes": tuple(told), "notes": (*told, *shared_notes(notes)),
                    "has_depths": choice.spacing_nm is not None}  # fmt: skip
    return stack, issues + uniformity_issues(kinds)


def shared_notes(notes: Iterable[tuple[str, str]]) -> list[str]:
    """Notes on slices, what several have in common said once.

    Examples
    --------
    >>> shared_notes([("S00", "a word"), ("S01", "a word"), ("S01", "another")])
    ['S00 and 1 more slice: a word', 'S01: another']
    """
    sources: dict[str, list[str]] = {}
    for source, note in notes:
        sources.setdefault(note, []).append(source)
    told = []
    for note, (first, *more) in sources.items():
        others = f" and {len(more)} more slice{'s' if len(more) > 1 else ''}" if more else ""
        told.append(f"{first}{others}: {note}")
    return told


def _is_copy(here: NDArray[Any], before: NDArray[Any]) -> bool:
    """Whether a slice equals the one before, and is an image at all."""
    return bool(np.array_equal(here, before, equal_nan=True) and np.nanmin(here) < np.nanmax(here))


def stack_attributes(scan: xr.Dataset, names: Sequence[str]) -> dict[str, Any]:
    """What a stack of slices like the given one, which have names, takes from it."""
    return {
        "step_nm": tuple(map(float, scan.attrs["step_nm"])),
        "slice_spacing_nm": scan.attrs.get("slice_spacing_nm"),
        "slices": tuple(names),
        "phases": tuple(scan.attrs.get("phases") or ()),
        "frames": scan.attrs.get("frames"),
    }


def stack_fingerprint(stack: xr.Dataset) -> str:
    """Digest of all that was scanned, equal for equal data whatever the files are called.

    Parameters
    ----------
    stack : xr.Dataset
        Result of `stack_scans`.

    Returns
    -------
    str
        First 16 hexadecimal digits of SHA-256 over the variables, their shapes and spacing.

    Examples
    --------
    >>> scan = xr.Dataset({"image_quality": (("y", "x"), np.ones((2, 3)))},
    ...                   attrs={"step_nm": (50.0, 50.0)})
    >>> stack_fingerprint(stack_scans([scan, scan], 50.0))
    '...'
    """
    planes = {str(name): values.to_numpy() for name, values in stack.data_vars.items()}
    return fingerprint_of(
        stack.attrs["spacing_nm"],
        {name: (values.shape, values.dtype) for name, values in planes.items()},
        lambda name: iter(planes[name]),
    )


def fingerprint_of(
    spacing: Sequence[float],
    variables: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]],
    planes_of: Callable[[str], Iterator[NDArray[Any]]],
) -> str:
    """Digest of a stack from its planes, see `stack_fingerprint`.

    Parameters
    ----------
    spacing : (float, float, float)
        In nm.
    variables : mapping of str to (shape, dtype)
        Of the whole stack.
    planes_of : callable
        Gives the planes of a variable in their order, each once.
    """
    digest = hashlib.sha256(repr(spacing).encode())
    for name in sorted(variables):
        shape, dtype = variables[name]
        digest.update(f"{name} {shape} {dtype}".encode())
        for plane in planes_of(name):
            digest.update(np.ascontiguousarray(plane).tobytes())
    return digest.hexdigest()[:16]
