"""Labelled slices placed and checked slice by slice: the bytes of the node that holds volumes."""

import numpy as np
import pytest

from electrode_grains.alignment import AlignmentSettings, SliceTransforms, rigid_matrix
from electrode_grains.alignment.transforms import window_center
from electrode_grains.by_block import annotate_by_block
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.ebsd import ORIENTATION_CHANNELS, AnnotationSettings, ScanIndex
from electrode_grains.errors import InputError
from electrode_grains.pipelines.preprocessing.nodes import (
    align_annotations,
    align_image_quality,
)
from electrode_grains.volumes import as_volume

SPACING = (50.0, 40.0, 40.0)
SHAPE = (17, 30, 28)
NAMES = tuple(f"slice_{z + 3:03d}" for z in range(SHAPE[0]))


@pytest.fixture(scope="module")
def particle():
    """Cells whose boundaries are dark, orientations that tell them, and how slices moved."""
    rng = np.random.default_rng(2)
    z, y, x = np.indices(SHAPE)
    cells = (z // 9) * 16 + ((y + z) // 8) * 4 + (x + z // 2) // 8
    edges = (np.diff(cells, axis=1, append=cells[:, -1:]) != 0) | (
        np.diff(cells, axis=2, append=cells[:, :, -1:]) != 0
    )
    quality = np.where(edges, 60, 120) + rng.normal(0, 10, SHAPE)
    quality[4] = np.nan
    crystals = rng.normal(size=(4, cells.max() + 1))
    quaternions = (crystals / np.linalg.norm(crystals, axis=0))[:, cells]
    quaternions[:, 9] = np.nan
    stored = np.float32([*quaternions, np.where(np.isfinite(quaternions[0]), 0.5, 0)])
    center = window_center(SHAPE)
    moves = [rigid_matrix(*rng.normal(0, 1.5, 2), 0.02, center) for _ in range(SHAPE[0])]
    none = np.full(SHAPE[0], np.nan)
    transforms = SliceTransforms(
        np.array(moves), "rigid_body", none, none, np.ones(SHAPE[0]), ((),) * SHAPE[0], center
    )
    raw = as_volume(np.float32(quality), SPACING, "image_quality_stack")
    labels = {f"slice_{z + 3:03d}": np.where(edges[z], 1, 2).astype(np.uint8) for z in (2, 10, 14)}
    return (
        raw,
        as_volume(stored, SPACING, "orientation_stack", ORIENTATION_CHANNELS),
        align_image_quality(raw, transforms, AlignmentSettings()),
        transforms,
        labels,
    )


def index(**of_index):
    return ScanIndex(NAMES, (), of_index.pop("laue_group", "-3m"), 1.0, "", False, None)


def both(particle, folder, settings, *, laue="-3m", drawn="hand", change=lambda volume: volume):
    """Volume and checks of a run, and those by block."""
    raw, crystals, aligned, transforms, labels = particle
    raw, crystals = change(raw), change(crystals)
    paths = []
    for volume in (raw, crystals, aligned):
        paths.append(folder / f"{volume.name}.ome.zarr")
        VolumeDataset(filepath=str(paths[-1])).save(volume)
    by_hand, others = (labels, {}) if drawn == "hand" else ({}, labels)
    scans = index(laue_group=laue)
    volume, checks = align_annotations(
        by_hand, others, scans, raw, aligned, crystals, transforms, settings
    )
    ResultDataset(filepath=str(folder / "run.json")).save(checks)
    (folder / "out").mkdir()
    made = annotate_by_block(
        labels, scans, (paths[0], paths[1]), paths[2], transforms, folder / "out",
        annotation=settings, source=drawn,
    )  # fmt: skip
    written = (folder / "out" / "annotation_checks.json").read_bytes()
    return volume, (folder / "run.json").read_bytes(), read_volume(made.annotation), written


CASES = {
    "raw": (AnnotationSettings(), {}),
    "aligned": (AnnotationSettings(frame="aligned"), {}),
    "orientations": (AnnotationSettings(frame="aligned"), {"drawn": "orientations"}),
    "other symmetry": (AnnotationSettings(), {"laue": "m-3m"}),
    "another slice": (AnnotationSettings(slice_numbers="from_1"), {}),
    "bright": (
        AnnotationSettings(),
        {"change": lambda v: v.copy(data=200 - v.to_numpy()) if v.ndim == 3 else v},
    ),
    "no orientations": (
        AnnotationSettings(),
        {"change": lambda v: v if v.ndim == 3 else v.copy(data=v.to_numpy() * np.nan)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_volume_and_checks_are_those_of_a_run(particle, case, tmp_path):
    settings, more = CASES[case]
    volume, checks, found, written = both(particle, tmp_path, settings, **more)
    assert found.to_numpy().tobytes() == volume.to_numpy().tobytes()
    assert found.identical(volume)
    assert written == checks


def test_a_label_of_no_slice_is_refused(particle, tmp_path):
    raw, crystals, aligned, transforms, labels = particle
    paths = [tmp_path / f"{volume.name}.ome.zarr" for volume in (raw, crystals, aligned)]
    for path, volume in zip(paths, (raw, crystals, aligned), strict=True):
        VolumeDataset(filepath=str(path)).save(volume)
    wrong = {"slice_099": labels["slice_005"]}
    with pytest.raises(InputError, match="no slice of the stack"):
        annotate_by_block(
            wrong, index(), (paths[0], paths[1]), paths[2], transforms, tmp_path / "out"
        )
