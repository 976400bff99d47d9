"""From a folder of slices to stacks on disk, a few slices at a time, with the bytes of a run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.blocks import BlockExecutor, Box, ExecutorSettings
from electrode_grains.blocks.boxes import Shape
from electrode_grains.by_block.volumes import (
    FINEST,
    SCRATCH,
    StoredChannels,
    code_version,
    keeping,
    write_volume,
)
from electrode_grains.crystal import LaueGroup
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.ebsd import ScanIndex, StackSettings, orientations_of_stack, stack_scans
from electrode_grains.ebsd.fields import symmetry_warnings
from electrode_grains.ebsd.frames import FrameChoice
from electrode_grains.ebsd.orientation_field import ORIENTATION_CHANNELS, OrientationField
from electrode_grains.ebsd.points import ScanReader
from electrode_grains.ebsd.pseudo_cube import (
    PseudoSymmetry,
    excess_of_counts,
    find_pseudo_symmetry,
    flip_counts,
    hexagonal_constants,
)
from electrode_grains.ebsd.pseudo_group import Operator
from electrode_grains.ebsd.scan import fingerprint_of, stack_attributes, unmeasured
from electrode_grains.ebsd.settings import ReadingOptions
from electrode_grains.ebsd.slice_choice import Scan, choose_scans, read_one
from electrode_grains.ebsd.uniformity import renumber_phases
from electrode_grains.errors import UserError
from electrode_grains.executors import open_executor
from electrode_grains.runs.content import combine_digests, file_digests

IMAGE_QUALITY_STACK = "image_quality_stack.ome.zarr"
ORIENTATION_STACK = "orientation_stack.ome.zarr"
SCAN_INDEX = "scan_index.json"
LIBRARIES = ("numpy", "scipy")
SCANS = "scans"  # scans as they were read, below the scratch folder
SLAB = 8  # slices of a task and of a chunk, where they fit into a block
CHUNK = 256  # points of a chunk along y and x
ATTRIBUTES = "attributes"  # of a scan, in the file that keeps it

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReadByBlock:
    """What was read, and how much of it had to be computed.

    Attributes
    ----------
    image_quality, orientations : Path
        OME-Zarr volumes as scanned.
    scan_index : ScanIndex
    digests : (str, str)
        SHA-256 of the digests of their slabs.
    computed, kept : int
        Tasks that were computed, and those whose results were at hand.
    """

    image_quality: Path
    orientations: Path
    scan_index: ScanIndex
    digests: tuple[str, str]
    computed: int
    kept: int


def read_by_block(
    scans: Path | Mapping[str, Scan],
    folder: Path,
    *,
    compute: ExecutorSettings | None = None,
    stack: StackSettings | None = None,
    progress: Progress | None = None,
) -> ReadByBlock:
    """Stack slices on disk, with the bytes of a run and no more than a few of them in memory.

    Parameters
    ----------
    scans : Path or mapping of str to Dataset or callable
        Folder with one file per slice, or one file that holds them all; or what `stack_scans`
        takes.
    folder : Path
        Gets `image_quality_stack.ome.zarr`, `orientation_stack.ome.zarr` and `scan_index.json`;
        and, in `scratch` and `kept`, what a second call goes on with and what may be deleted:
        scans as they were read take 22 bytes per point. All workers must see it.
    compute : ExecutorSettings, optional
        Who reads and computes; the results do not depend on it.
    stack : StackSettings, optional
        As in core.
    progress : callable, optional
        Called with the number of slices read, and their total.

    Returns
    -------
    ReadByBlock

    Raises
    ------
    InputError
        If the slices do not make a stack, with all problems, as `stack_scans`.
    SettingsError
        As `stack_scans`.
    RunError
        If the scheduler cannot be reached, or workers were lost.

    Notes
    -----
    Each file is read once. Where it is a folder that was read, a second call takes the scans that
    it keeps, as long as no file, option or version has changed.
    """
    compute, stack, folder = (
        compute or ExecutorSettings(),
        stack or StackSettings(),
        folder.absolute(),
    )
    options = stack.reading_options()
    with open_executor(compute) as executor:
        kept = keeping(executor, folder, LIBRARIES)
        readers = _keep_scans(scans, folder / SCRATCH / SCANS, options)
        _read_all(readers, executor, stack, progress)
        store = StoredSlices()
        attributes = stack_scans(
            readers,
            slice_spacing_nm=stack.slice_spacing_nm,
            first_slice=stack.first_slice,
            options=options,
            falling=stack.slice_order == "falling",
            store=store,
        ).attrs
        planes = store.planes(is_falling=attributes["slice_order"] == "falling")
        shape = planes.shape
        slabs = _slabs(shape, compute.block_edge)
        parts = [planes.part(start, stop) for start, stop in slabs]
        boxes = [_box(slab, shape) for slab in slabs]
        chunks = (slabs[0][1], CHUNK, CHUNK)

        def write(
            name: str, dtype: str, channels: Sequence[str], function: Any, *arguments: Any
        ) -> tuple[Path, str]:
            tasks = [(box, (part, *arguments)) for box, part in zip(boxes, parts, strict=True)]
            digest = write_volume(
                kept, folder / name, shape, dtype, shape, attributes["spacing_nm"], function, tasks,
                channels=channels, chunks=chunks,
            )  # fmt: skip
            return folder / name, digest

        group, operators = stack.laue_group, stack.pseudo_symmetry_operators
        quality, quality_digest = write(
            IMAGE_QUALITY_STACK, planes.kind_of("image_quality").dtype, (), image_quality_slab
        )
        crystals, crystal_digest = write(
            ORIENTATION_STACK, "float32", ORIENTATION_CHANNELS, orientation_slab, group, operators
        )
        stored = StoredChannels.open(crystals / FINEST).with_content(crystal_digest)
        phases = attributes["phases"]
        ids = tuple(int(phase["id"]) for phase in phases)
        tasks = [(stored, box, part, ids) for box, part in zip(boxes, parts, strict=True)]
        counts = np.sum(list(kept.map(count_points, tasks)), axis=0)
        indexed, *of_phases = (float(count / np.prod(shape)) for count in counts)

        def measure(field: OrientationField) -> float:
            tasks = [(stored, box, field.laue_group, field.operators) for box in boxes]
            return excess_of_counts(row for rows in kept.map(count_flips, tasks) for row in rows)

        index = ScanIndex.of_attributes(
            {
                **attributes,
                "notes": (*attributes["notes"], *symmetry_warnings(phases, of_phases, group)),
            },
            laue_group=group,
            indexed_share=indexed,
            fingerprint=fingerprint_of(
                attributes["spacing_nm"],
                {kind.name: (planes.shape_of(kind), np.dtype(kind.dtype)) for kind in planes.kinds},
                planes.values,
            ),
            pseudo_symmetry=_pseudo_symmetry(stack, phases, measure) if indexed else None,
        )
    ResultDataset(filepath=str(folder / SCAN_INDEX), model="electrode_grains.ebsd.ScanIndex").save(
        index
    )
    return ReadByBlock(
        quality, crystals, index, (quality_digest, crystal_digest), kept.computed, kept.kept
    )


def _pseudo_symmetry(
    stack: StackSettings,
    phases: Sequence[Mapping[str, Any]],
    measure: Callable[[OrientationField], float],
) -> PseudoSymmetry | None:
    """What a stack on disk shows of pseudo-symmetry."""
    nothing = OrientationField(
        np.empty((0, 4), np.float32),
        laue_group=stack.laue_group,
        operators=stack.pseudo_symmetry_operators,
    )
    constants = stack.lattice_constants or hexagonal_constants(phases)
    return find_pseudo_symmetry(nothing, constants, stack.pseudo_cubic_tolerance, measure)


def _slabs(shape: Shape, block_edge: int) -> list[tuple[int, int]]:
    """Slices of each task: as many as have the voxels of a block, eight at most."""
    thickness = min(SLAB, max(1, block_edge**3 // (shape[1] * shape[2])), shape[0])
    return [(z, min(z + thickness, shape[0])) for z in range(0, shape[0], thickness)]


def _box(slab: tuple[int, int], shape: Shape) -> Box:
    return slice(*slab), slice(0, shape[1]), slice(0, shape[2])


# --- scans as they were read ---------------------------------------------------------------------


def _keep_scans(
    scans: Path | Mapping[str, Scan], scratch: Path, options: ReadingOptions
) -> dict[str, ScanReader]:
    """Readers that take a scan from a file of the scratch folder, or write it there."""
    if isinstance(scans, Mapping):
        found, content = dict(scans), uuid4().hex  # of which nothing is known
    else:
        dataset = ScanFolderDataset(path=str(scans))
        try:
            found = dict(dataset.load())
        except Exception as error:  # Kedro wraps what the folder refuses
            if isinstance(error.__cause__, UserError):
                raise error.__cause__ from None
            raise
        content = combine_digests(file_digests(dataset.paths()))
    key = f"{content} {options.model_dump_json()} {code_version(LIBRARIES)}"
    place = scratch / hashlib.sha256(key.encode()).hexdigest()[:24]
    return {
        name: ScanReader(
            partial(_read_kept, scan, str(place / f"{number:06d}.npz")),
            scan.depth_nm if isinstance(scan, ScanReader) else None,
        )
        for number, (name, scan) in enumerate(found.items())
    }


def _read_all(
    readers: Mapping[str, ScanReader],
    executor: BlockExecutor,
    stack: StackSettings,
    progress: Progress | None,
) -> None:
    """Have all scans of the stack read, which need not be in the order of the stack."""
    options = stack.reading_options()
    if not readers:
        return
    choice = choose_scans(readers, stack.first_slice, options)
    names = dict.fromkeys(plane.scan for plane in choice.planes if plane.scan is not None)
    tasks = [(choice.scans[name], options) for name in names]
    for done, _ in enumerate(executor.map(_is_readable, tasks), start=1):
        if progress is not None:
            progress(done, len(tasks))


def _is_readable(scan: Scan, options: ReadingOptions) -> bool:
    """Whether a scan can be read; what is wrong is told with all that is wrong with the stack."""
    try:
        read_one(scan, options)
    except UserError:
        return False
    return True


def _read_kept(scan: Scan, file: str, options: ReadingOptions) -> xr.Dataset:
    """Read a scan from the file that keeps it, or else as it is, and keep it."""
    path = Path(file)
    try:
        return _load(path)
    except (OSError, KeyError, ValueError, EOFError, BadZipFile):
        read = read_one(scan, options)
    frames = read.attrs.get("frames")
    attributes = {**read.attrs, "frames": None if frames is None else frames.to_dict()}
    described = {
        "attrs": attributes,
        "dims": {str(name): list(values.dims) for name, values in read.data_vars.items()},
    }
    arrays = {str(name): values.to_numpy() for name, values in read.data_vars.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.{uuid4().hex}.part")
    try:
        with part.open("wb") as stream:
            text = np.array(json.dumps(described, default=_plain))
            np.savez(stream, allow_pickle=False, **{ATTRIBUTES: text}, **arrays)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return _load(path)


def _plain(value: Any) -> Any:
    """Numbers of numpy as those of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"an attribute of a scan is a {type(value).__qualname__}")


def _load(file: Path, channels: Sequence[str] | None = None) -> xr.Dataset:
    """A scan from its file: all variables, or some."""
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        described = json.loads(str(arrays[ATTRIBUTES]))
        names = described["dims"] if channels is None else channels
        variables = {name: (described["dims"][name], arrays[name]) for name in names}
    attrs = described["attrs"]
    frames = attrs.get("frames")
    for name in ("step_nm", "phases", "notes"):
        attrs[name] = tuple(attrs.get(name) or ())
    attrs |= {
        "frames": None if frames is None else FrameChoice.from_dict(frames),
        "kept": str(file),
    }
    return xr.Dataset(variables, attrs=attrs)


# --- which file fills which plane ----------------------------------------------------------------


@dataclass(frozen=True)
class VariableKind:
    """A variable of the first scan, which those of all others become.

    Attributes
    ----------
    name, dtype : str
    more : tuple of int
        Its shape beyond (y, x).
    """

    name: str
    dtype: str
    more: tuple[int, ...]


@dataclass(frozen=True)
class KeptPlanes:
    """Planes of a stack, by the files that keep their scans.

    Attributes
    ----------
    files : tuple of str
        In the order of the stack; empty for a plane without measurement.
    window : (int, int)
        Rows and columns of each, from the first on.
    kinds : tuple of VariableKind
    phases : str
        Those of the first scan, as JSON.
    """

    files: tuple[str, ...]
    window: tuple[int, int]
    kinds: tuple[VariableKind, ...]
    phases: str

    @property
    def shape(self) -> Shape:
        """Points along z, y, x."""
        return len(self.files), *self.window

    def kind_of(self, name: str) -> VariableKind:
        """Variable of a name."""
        return next(kind for kind in self.kinds if kind.name == name)

    def shape_of(self, kind: VariableKind) -> tuple[int, ...]:
        """Shape of a variable in the whole stack."""
        return *self.shape, *kind.more

    def part(self, start: int, stop: int) -> KeptPlanes:
        """Some of the planes."""
        return replace(self, files=self.files[start:stop])

    def values(self, name: str) -> Iterator[NDArray[Any]]:
        """A variable of each plane, one after another."""
        kind = self.kind_of(name)
        rows, columns = self.window
        for file in self.files:
            if not file:
                fill = unmeasured(name, np.dtype(kind.dtype))
                yield np.full((rows, columns, *kind.more), fill, kind.dtype)
                continue
            scan = _load(Path(file), [name])
            if name == "phase":
                scan, _ = renumber_phases(scan, tuple(json.loads(self.phases)))
            yield scan[name].to_numpy()[:rows, :columns].astype(kind.dtype, copy=False)


class StoredSlices:
    """Tells which file fills which plane; keeps the images of two scans at most."""

    def __init__(self) -> None:
        self.stack = xr.Dataset()
        self._files: dict[int, str] = {}
        self._images: dict[int, NDArray[Any]] = {}
        self._kinds: tuple[VariableKind, ...] = ()
        self._window: tuple[int, ...] = ()

    @property
    def window(self) -> tuple[int, ...]:
        """Points (y, x) of a slice."""
        return self._window

    def begin(self, scan: xr.Dataset, names: Sequence[str]) -> None:
        """Remember what the first scan is like."""
        self.stack = xr.Dataset(attrs=stack_attributes(scan, names))
        self._window = scan["image_quality"].shape
        self._kinds = tuple(
            VariableKind(str(name), str(values.dtype), values.shape[2:])
            for name, values in scan.data_vars.items()
        )

    def cut(self, scan: xr.Dataset) -> xr.Dataset:
        """Cut all slices and a scan to their common rows and columns; returns the scan."""
        sizes = zip(self._window, scan["image_quality"].shape, strict=True)
        rows, columns = self._window = tuple(map(min, sizes))
        self._images = {z: image[:rows, :columns] for z, image in self._images.items()}
        return scan.isel(y=slice(rows), x=slice(columns))

    def fill(self, planes: Sequence[int], scan: xr.Dataset) -> None:
        """Remember which file fills some planes."""
        image = scan["image_quality"].to_numpy()
        last = planes[0] - 1
        before = {last: self._images[last]} if last in self._images else {}
        self._images = {**before, **dict.fromkeys(planes, image)}
        self._files |= dict.fromkeys(planes, scan.attrs["kept"])

    def image(self, plane: int) -> NDArray[Any]:
        """Image quality of a plane of the scan taken last, or of the one before."""
        return self._images[plane]

    def blank(self, planes: Sequence[int]) -> None:
        """Planes without measurement have no file."""

    def planes(self, *, is_falling: bool) -> KeptPlanes:
        """Planes in the order of the stack."""
        count = len(self.stack.attrs["slices"])
        files = [self._files.get(z, "") for z in range(count)]
        rows, columns = self._window
        return KeptPlanes(
            tuple(files[::-1] if is_falling else files),
            (rows, columns),
            self._kinds,
            json.dumps(list(self.stack.attrs["phases"]), default=_plain),
        )


# --- tasks ---------------------------------------------------------------------------------------


def image_quality_slab(planes: KeptPlanes) -> NDArray[Any]:
    """Image quality of some slices."""
    return np.stack(list(planes.values("image_quality")))


def orientation_slab(
    planes: KeptPlanes, laue_group: LaueGroup, operators: tuple[Operator, ...]
) -> NDArray[np.float32]:
    """Quaternions and confidence of some slices, shape (5, z, y, x)."""
    variables = {
        name: (("z", "y", "x", *more), np.stack(list(planes.values(name))))
        for name, more in (("euler_angles", ("angle",)), ("confidence_index", ()))
    }
    return orientations_of_stack(xr.Dataset(variables), laue_group, operators).to_channels()


def count_points(
    orientations: StoredChannels, box: Box, planes: KeptPlanes, phases: tuple[int, ...]
) -> NDArray[np.int64]:
    """Points of some slices that have an orientation, and those of each phase."""
    known = np.isfinite(orientations[box][:4]).all(axis=0)
    counts = [np.count_nonzero(known)]
    if phases:
        numbers = np.stack(list(planes.values("phase")))
        counts += [np.count_nonzero(numbers == number) for number in phases]
    return np.array(counts, np.int64)


def count_flips(
    orientations: StoredChannels, box: Box, laue_group: LaueGroup, operators: tuple[Operator, ...]
) -> NDArray[np.float64]:
    """Counts of `flip_counts` of some slices, shape (n, 3)."""
    z, y, x = box
    first = min(z.start, 1)
    field = OrientationField.from_channels(
        orientations[slice(z.start - first, z.stop), y, x],
        laue_group=laue_group,
        operators=operators,
    )
    return np.array(list(flip_counts(field, first=first))).reshape(-1, 3)
