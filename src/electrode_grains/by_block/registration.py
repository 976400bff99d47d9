"""How the slices of stacks on disk moved, found with a few of them in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment import (
    AlignmentSettings,
    LatticeField,
    SliceTransforms,
    estimate_transforms,
    slice_table,
    turned_steps,
)
from electrode_grains.alignment.lattice import is_reliable
from electrode_grains.alignment.planes import Planes
from electrode_grains.alignment.registration import refuse_flagged
from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block.volumes import check_shape, keeping, open_channels, open_volume
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.datasets.tables import ParquetDataset
from electrode_grains.ebsd import ScanIndex, frame_verdict, is_scan
from electrode_grains.ebsd.orientation_field import ORIENTATION_CHANNELS
from electrode_grains.ebsd.orientations import laue_group
from electrode_grains.executors import StoredVolume, open_executor

TRANSFORMS, TABLE = "slice_transforms.json", "slice_table.parquet"
LIBRARIES = ("numpy", "scipy", "scikit-image", "pystackreg")
HELD = 2  # slabs of slices that are at hand: those of a pair
SLAB = 8  # slices that are read at once, at most


@dataclass(frozen=True)
class RegisteredByBlock:
    """How slices moved, and how much of it had to be computed.

    Attributes
    ----------
    transforms : SliceTransforms
    computed, kept : int
        Registrations of neighbours that were computed, and those that were at hand.
    """

    transforms: SliceTransforms
    computed: int
    kept: int


def register_by_block(
    image_quality: Path,
    orientations: Path,
    scan_index: ScanIndex,
    folder: Path,
    *,
    compute: ExecutorSettings | None = None,
    alignment: AlignmentSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RegisteredByBlock:
    """Estimate how slices on disk must move to fit their neighbours, as a run does.

    Parameters
    ----------
    image_quality, orientations : Path
        OME-Zarr volumes as scanned, as the pipeline keeps them.
    scan_index : ScanIndex
        Of the same slices.
    folder : Path
        Gets `slice_transforms.json` and `slice_table.parquet`; and, in `kept`, what a second call
        goes on with and what may be deleted. All workers must see it.
    compute : ExecutorSettings, optional
        Who registers slices to their neighbours; the results do not depend on it.
    alignment : AlignmentSettings, optional
    progress : callable, optional
        Called with the number of slices registered, and their total.

    Returns
    -------
    RegisteredByBlock

    Raises
    ------
    InputError
        If a volume is none, or the alignment is strict and a slice is flagged.
    SettingsError
        If a setting is impossible.
    RunError
        If the scheduler cannot be reached, or workers were lost.

    Notes
    -----
    The stack is read some ten times, two slabs of at most eight slices at once, and twelve slices
    are held as they are registered. Lines of a detector are looked for in at most 32 slices, which
    are held for that time.
    """
    compute, alignment = compute or ExecutorSettings(), alignment or AlignmentSettings()
    folder = folder.absolute()
    quality, _ = open_volume(image_quality, "image quality")
    crystals, _ = open_channels(orientations, "orientations", ORIENTATION_CHANNELS)
    check_shape(orientations, crystals.shape, quality.shape)
    if alignment.mode == "auto" and scan_index.from_volume:
        alignment = alignment.replace(mode="none")
    planes, lattice = StoredPlanes(quality), _stored_lattice(crystals, scan_index)
    with open_executor(compute) as executor:
        kept = keeping(executor, folder, LIBRARIES)
        transforms = estimate_transforms(
            planes,
            alignment.replace(strict=False),
            lattice=lattice,
            progress=progress,
            executor=kept,
        )
    # The notes on the stack tell already of planes that are lost, or repeat a slice.
    own = map(is_scan, scan_index.slices)
    flags = tuple(f if each else () for f, each in zip(transforms.flags, own, strict=True))
    transforms = replace(transforms, flags=flags)
    if alignment.strict:
        refuse_flagged(transforms)
    if lattice is not None and scan_index.frames is not None:
        turns = transforms.lattice or turned_steps(planes, lattice)
        verdict = frame_verdict(
            scan_index.frames, turns.votes, turns.clear_difference, turns.largest_turn
        )
        notes = (*transforms.notes, verdict) if turns.speak_against else transforms.notes
        transforms = replace(transforms, notes=notes, frame_verdict=verdict)
    model = "electrode_grains.alignment.SliceTransforms"
    ResultDataset(filepath=str(folder / TRANSFORMS), model=model).save(transforms)
    table = slice_table(transforms, scan_index.slices)
    ParquetDataset(filepath=str(folder / TABLE)).save(table)
    return RegisteredByBlock(transforms, kept.computed, kept.kept)


class StoredSlabs:
    """Slabs of whole slices of a stored volume, the last two at hand."""

    def __init__(self, volume: StoredVolume) -> None:
        self.shape = volume.shape
        self._volume = volume
        self._held: OrderedDict[int, NDArray[Any]] = OrderedDict()

    def __getitem__(self, z: int) -> NDArray[Any]:
        """One slice, of all channels if there are any."""
        slab, place = divmod(range(self.shape[0])[z], SLAB)
        if slab not in self._held:
            _, rows, columns = self.shape
            start = slab * SLAB
            box = (
                slice(start, min(start + SLAB, self.shape[0])),
                slice(0, rows),
                slice(0, columns),
            )
            while len(self._held) >= HELD:
                self._held.popitem(last=False)
            self._held[slab] = self._volume[box]
        self._held.move_to_end(slab)
        values: NDArray[Any] = self._held[slab][..., place, :, :]
        return values


class StoredPlanes(Planes):
    """A stored volume, slice by slice."""

    def __init__(self, volume: StoredVolume) -> None:
        super().__init__(volume.shape)
        self._slabs = StoredSlabs(volume)

    def __getitem__(self, z: int) -> NDArray[np.float64]:
        return np.asarray(self._slabs[z], np.float64)


class _Quaternions:
    """Quaternions of stored orientations, slice by slice."""

    def __init__(self, slabs: StoredSlabs) -> None:
        self.shape = (*slabs.shape, 4)
        self._slabs = slabs

    def __getitem__(self, z: int) -> NDArray[Any]:
        return np.moveaxis(self._slabs[z][:4], 0, -1)


class _Reliable:
    """Points of stored orientations that can be trusted, slice by slice."""

    def __init__(self, slabs: StoredSlabs) -> None:
        self.shape = slabs.shape
        self._slabs = slabs

    def __getitem__(self, z: int) -> NDArray[np.bool_]:
        return is_reliable(self._slabs[z])


def _stored_lattice(crystals: StoredVolume, scan_index: ScanIndex) -> LatticeField | None:
    """Orientations of a stack on disk; None where no point has one."""
    slabs = StoredSlabs(crystals)
    reliable = _Reliable(slabs)
    if not any(reliable[z].any() for z in range(slabs.shape[0])):
        return None
    return LatticeField(_Quaternions(slabs), laue_group(scan_index.laue_group), reliable)
