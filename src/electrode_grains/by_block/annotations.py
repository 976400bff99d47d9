"""Labelled slices placed in a volume on disk and moved like their scans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment import SliceTransforms, apply_transforms
from electrode_grains.by_block.alignment import transforms_of
from electrode_grains.by_block.registration import StoredSlabs
from electrode_grains.by_block.volumes import (
    FINEST,
    begin_volume,
    check_shape,
    create_volume,
    finish_volume,
    open_channels,
    open_volume,
)
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.ebsd import AnnotationSettings, ScanIndex, misorientation_in_slices
from electrode_grains.ebsd.label_fits import fits_of_labels
from electrode_grains.ebsd.orientation_field import ORIENTATION_CHANNELS
from electrode_grains.ebsd.placement import annotated_slices
from electrode_grains.executors import StoredVolume

ANNOTATION = "annotation_volume.ome.zarr"
CHECKS = "annotation_checks.json"
SLAB, CHUNK = 8, 256  # slices of a chunk, and its points along y and x


@dataclass(frozen=True)
class AnnotatedByBlock:
    """Labelled slices of a particle.

    Attributes
    ----------
    annotation : Path
        OME-Zarr volume of classes.
    fits : list of dict
        How each label fits its slice, see `annotation_fits`.
    """

    annotation: Path
    fits: list[dict[str, Any]]


def annotate_by_block(
    annotations: Mapping[str, NDArray[np.uint8]],
    scan_index: ScanIndex,
    stacks: tuple[Path, Path],
    aligned: Path,
    transforms: SliceTransforms,
    folder: Path,
    *,
    annotation: AnnotationSettings | None = None,
    source: str = "hand",
) -> AnnotatedByBlock:
    """Place labelled slices in a volume on disk, as a run does.

    Parameters
    ----------
    annotations : mapping of str to ndarray of uint8, shape (y, x)
        Classes, as `place_annotations` takes them.
    scan_index : ScanIndex
    stacks : (Path, Path)
        Image quality and orientations as scanned.
    aligned : Path
        Image quality, moved.
    transforms : SliceTransforms
    folder : Path
        Gets `annotation_volume.ome.zarr` and `annotation_checks.json`.
    annotation : AnnotationSettings, optional
    source : {"hand", "orientations"}
        Who drew them; of orientations they are numbered as scans, and raw.

    Returns
    -------
    AnnotatedByBlock

    Raises
    ------
    InputError
        If a volume is none, or an annotation does not fit the stack.
    """
    settings = annotation or AnnotationSettings()
    numbers, frame = ("as_scans", "raw") if source == "orientations" else (
        settings.slice_numbers, settings.frame
    )  # fmt: skip
    raw, described = open_volume(stacks[0], "image quality")
    images, _ = open_volume(aligned, "image quality")
    crystals, _ = open_channels(stacks[1], "orientations", ORIENTATION_CHANNELS)
    check_shape(stacks[1], crystals.shape, raw.shape)
    check_shape(aligned, images.shape, raw.shape)
    placed = annotated_slices(annotations, scan_index.slices, raw.shape, numbers)

    def move(z: int, image: NDArray[Any]) -> NDArray[Any]:
        """A slice of the raw frame, moved to the nearest point."""
        part = transforms_of(transforms, z, z + 1, raw.shape[0])
        moved: NDArray[Any] = apply_transforms(image[None], part, order=0)[0]
        return moved

    group = begin_volume(folder / ANNOTATION)
    depth, rows, columns = raw.shape
    target = create_volume(
        folder / ANNOTATION / FINEST, raw.shape, np.uint8, raw.shape, 0, (SLAB, CHUNK, CHUNK)
    )
    for start in range(0, depth, SLAB):
        stop = min(start + SLAB, depth)
        classes = np.zeros((stop - start, rows, columns), np.uint8)
        for z in placed.keys() & range(start, stop):
            classes[z - start] = move(z, placed[z]) if frame == "raw" else placed[z]
        target[slice(start, stop), slice(0, rows), slice(0, columns)] = classes
    finish_volume(group, "annotation_volume", described.spacing)
    angles = Misorientations.of(crystals, scan_index, move if frame == "aligned" else None)
    indices = sorted(placed)
    fits = fits_of_labels(
        np.stack([placed[z] for z in indices]),
        indices,
        StoredImages(raw),
        StoredImages(images),
        frame,
        scan_index.slices,
        angles,
    )
    ResultDataset(filepath=str(folder / CHECKS)).save({"source": source, "slices": fits})
    return AnnotatedByBlock(folder / ANNOTATION, fits)


class StoredImages:
    """Slices of a stored volume as they are, one after another or by number; also negated."""

    def __init__(self, volume: StoredVolume, sign: int = 1) -> None:
        self._volume, self._sign = volume, sign
        self._slabs = StoredSlabs(volume)

    def __len__(self) -> int:
        return self._volume.shape[0]

    def __getitem__(self, z: int) -> NDArray[Any]:
        image = self._slabs[z]
        return image if self._sign > 0 else -image

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[z] for z in range(len(self)))

    def __neg__(self) -> StoredImages:
        return StoredImages(self._volume, -self._sign)


class Misorientations:
    """`misorientation_in_slices` of a stored volume, negative where negated, slice by slice."""

    def __init__(
        self,
        volume: StoredVolume,
        scan_index: ScanIndex,
        move: Callable[[int, NDArray[Any]], NDArray[Any]] | None,
        sign: int = 1,
    ) -> None:
        self._volume, self._index, self._move, self._sign = volume, scan_index, move, sign
        self._slabs = StoredSlabs(volume)

    @classmethod
    def of(
        cls,
        volume: StoredVolume,
        scan_index: ScanIndex,
        move: Callable[[int, NDArray[Any]], NDArray[Any]] | None,
    ) -> Misorientations | None:
        """Those of a volume; None where no point has an orientation."""
        slabs = StoredSlabs(volume)
        if not any(np.isfinite(slabs[z][0]).any() for z in range(volume.shape[0])):
            return None
        return cls(volume, scan_index, move)

    def __len__(self) -> int:
        return self._volume.shape[0]

    def __getitem__(self, z: int) -> NDArray[Any]:
        quaternions = self._slabs[z][:4, None]
        found = misorientation_in_slices(quaternions, self._index.laue_group, self._index.operators)
        angles = np.full(quaternions.shape[2:], np.nan, np.float32) if found is None else found[0]
        if self._move is not None:
            angles = self._move(z, angles)
        return angles if self._sign > 0 else -angles

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[z] for z in range(len(self)))

    def __neg__(self) -> Misorientations:
        return Misorientations(self._volume, self._index, self._move, -self._sign)
