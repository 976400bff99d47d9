"""Virtual particles as the pipeline sees them after alignment, with their truth; kept as files.

`python -m benchmarks.specimens FOLDER SEED ...` makes them; what measures networks reads them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from electrode_grains.boundary import normalize_contrast, standardize_channel
from electrode_grains.ebsd import OrientationField
from electrode_grains.ebsd.orientations import neighbour_misorientation, quaternions_from_euler
from electrode_grains.ebsd.pseudo_cube import pseudo_cubic
from electrode_grains.grains import SegmentationSettings
from electrode_grains.grains.labelling import joined_groups
from electrode_grains.phantom import (
    AcquisitionSettings,
    ParticleSettings,
    VirtualParticle,
    acquire,
    virtual_particle,
)
from electrode_grains.phantom.related import neighbours

SHAPE, SPACING, LAUE = (64, 128, 128), (50.0, 50.0, 50.0), "-3m"
PARTICLE = ParticleSettings()
LABELLED = (14, 25, 38, 49)
JUDGES = (19, 31, 44)  # labelled as well, but only to judge by


@dataclass(frozen=True)
class Specimen:
    """An aligned particle.

    Attributes
    ----------
    image_quality : NDArray of float32, shape (z, y, x)
    orientations : NDArray of float32, shape (5, z, y, x)
        Quaternions and confidence index.
    classes : NDArray of uint8, shape (z, y, x)
        Of the slices LABELLED and JUDGES; 0 elsewhere.
    grains : NDArray of int32, shape (z, y, x)
        True grains, moved as the slices were.
    tessellated : NDArray of int32, shape (z, y, x)
        True grains of the particle itself.
    """

    image_quality: NDArray[np.float32]
    orientations: NDArray[np.float32]
    classes: NDArray[np.uint8]
    grains: NDArray[np.int32]
    tessellated: NDArray[np.int32]

    def channels(self, count: int = 1) -> NDArray[np.float32]:
        """Image quality, then confidence index, then misorientation to the neighbours."""
        quaternions = np.moveaxis(self.orientations[:4], 0, -1)
        extra = [self.orientations[4]]
        if count > 2:
            extra.append(neighbour_misorientation(quaternions, LAUE))
        measured = np.isfinite(self.image_quality)
        further = [standardize_channel(values, measured) for values in extra[: count - 1]]
        return np.stack([normalize_contrast(self.image_quality), *further])

    def labels(self, slices: Sequence[int] = LABELLED) -> NDArray[np.uint8]:
        """Classes of some slices only."""
        kept = np.zeros_like(self.classes)
        kept[list(slices)] = self.classes[list(slices)]
        return kept


def united_grains(truth: VirtualParticle) -> NDArray[np.int32]:
    """Group of each true grain, shape (n,), 0 of none.

    Neighbours that are one grain under the pseudo-cube, twins too, are in one group.
    """
    field = pseudo_cubic(OrientationField(truth.orientations))
    one, other = neighbours(truth.labels).T
    limit = np.radians(SegmentationSettings().merge_misorientation_degrees)
    alike = field.at(one).misorientation(field.at(other)) < limit
    group = joined_groups(len(truth.orientations), one[alike], other[alike]) + 1
    group[0] = 0
    return group


def make_specimen(
    seed: int,
    slices: Sequence[int] = (*LABELLED, *JUDGES),
    grown: ParticleSettings = PARTICLE,
    **imperfections: float,
) -> Specimen:
    """Grow, mill, scan and align a particle, as the demo does."""
    # Here, for machines that train but have no registration library.
    from electrode_grains.alignment import (
        apply_transforms,
        estimate_transforms,
        rotate_orientations,
    )

    particle = virtual_particle(
        SHAPE,
        SPACING,
        np.random.default_rng(seed),
        grown.architecture,
        low_angle_share=grown.low_angle_share,
        special_share=grown.special_share,
    )
    settings = AcquisitionSettings(annotated_slices=tuple(slices), **imperfections)
    scan = acquire(particle, np.random.default_rng(seed + 1000), settings)
    transforms = estimate_transforms(scan.image_quality)
    drawn = np.zeros(SHAPE, np.uint8)
    for z, classes in scan.annotations.items():
        drawn[z] = classes
    quaternions = quaternions_from_euler(scan.euler_angles)
    measured = np.concatenate([np.moveaxis(quaternions, -1, 0), scan.confidence_index[None]])
    moved = apply_transforms(measured, transforms, order=0)
    turned = rotate_orientations(np.moveaxis(moved[:4], 0, -1), transforms)
    moved[:4] = np.moveaxis(turned, -1, 0)

    def main(labels: NDArray[np.int32]) -> NDArray[np.int32]:
        return np.where(labels <= particle.main_grain_count, labels, 0).astype(np.int32)

    return Specimen(
        apply_transforms(scan.image_quality, transforms, order=3).astype(np.float32),
        moved.astype(np.float32),
        apply_transforms(drawn, transforms, order=0),
        apply_transforms(main(scan.label_stack), transforms, order=0),
        main(particle.labels),
    )


def specimen(seed: int, folder: Path | None = None) -> Specimen:
    """Read a specimen, or make it and keep it where a folder is given."""
    path = None if folder is None else folder / f"specimen_{seed}.npz"
    if path is not None and path.exists():
        with np.load(path) as kept:
            return Specimen(**kept)
    made = make_specimen(seed)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **vars(made))
    return made


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        specimen(int(wanted), Path(sys.argv[1]))
        print(wanted, flush=True)
