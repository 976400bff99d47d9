"""Pseudo-symmetry that the settings give, from files to corrected orientations."""

import numpy as np
import pytest

from electrode_grains.boundary import ContrastSettings
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.ebsd import (
    OrientationAnnotationSettings,
    OrientationField,
    ScanIndex,
    StackSettings,
)
from electrode_grains.ebsd.orientations import (
    euler_from_quaternions,
    misorientation_angle,
    multiply,
    quaternions_from_euler,
)
from electrode_grains.grains import SegmentationLog, SegmentationSettings
from electrode_grains.phantom.settings import ParticleSettings, ScanSettings
from electrode_grains.pipelines.acquisition.nodes import grow_particle, scan_particle
from electrode_grains.pipelines.boundary_model.nodes import build_contrast
from electrode_grains.pipelines.orientation_annotation.nodes import annotate_slices
from electrode_grains.pipelines.preprocessing.nodes import read_stack
from electrode_grains.pipelines.segmentation.nodes import decide_variants
from electrode_grains.volumes import as_volume

QUARTZ = ((0.0, 0.0, 1.0, 60.0),)
SHAPE = (8, 40, 40)
CELLS = {"mean_diameter_nm": 500.0, "diameter_shape_nm": 4500.0}
PATCH = np.s_[8:26, 5:18]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Scans without and with a patch of Dauphiné twins in each slice, and true labels."""
    particle, _ = grow_particle(
        ParticleSettings(
            shape=SHAPE,
            joined_cells=CELLS,
            seed=7,
        )
    )
    scans, _, labels, _ = scan_particle(
        particle,
        ScanSettings(annotated_slices=(), drift_px=0.0, rotation_degrees=0.0, jump_px=0.0,
                     misindexed_share=0.0, flipped_share=0.0, seed=8),
    )  # fmt: skip
    flipped = {}
    for name, scan in dict(scans).items():
        euler = scan["euler_angles"].to_numpy().copy()
        half = np.radians(30)
        turned = multiply([np.cos(half), 0, 0, np.sin(half)], quaternions_from_euler(euler[PATCH]))
        euler[PATCH] = euler_from_quaternions(turned)
        flipped[name] = scan.assign(euler_angles=(scan["euler_angles"].dims, euler))
    places = []
    for name, each in (("plain", dict(scans)), ("flipped", flipped)):
        dataset = ScanFolderDataset(path=str(tmp_path_factory.mktemp("scans") / name))
        dataset.save(each)
        places.append(dataset)
    return (*places, labels)


def test_given_operators_reach_every_step(folders):
    plain, flipped, labels = folders
    stack = StackSettings(pseudo_symmetry_operators=QUARTZ)
    quality, orientations, index = read_stack(flipped.load(), stack)
    _, true, _ = read_stack(plain.load(), stack)
    assert index.pseudo_symmetry.found
    assert index.operators == QUARTZ
    assert ScanIndex.from_dict(index.to_dict()) == index

    # The network does not see the patch; without operators it does.
    settings = ContrastSettings(channels=("misorientation",))
    seen, expected = (build_contrast(quality, o, index, settings) for o in (orientations, true))
    np.testing.assert_allclose(seen, expected, atol=1e-3)
    _, _, without = read_stack(flipped.load(), StackSettings())
    assert without.operators == ()
    assert not np.allclose(build_contrast(quality, orientations, without, settings), seen, atol=0.1)

    # Labels by orientations neither.
    by_orientation = OrientationAnnotationSettings(slice_count=1)
    drawn, wanted = (annotate_slices(d.load(), stack, by_orientation) for d in (flipped, plain))
    assert all(np.array_equal(drawn[name], wanted[name]) for name in wanted)
    torn = annotate_slices(flipped.load(), StackSettings(), by_orientation)
    assert any((torn[name] != wanted[name]).any() for name in wanted)

    # The vote turns the patch back, in grains that it does not cover for the most part.
    log = SegmentationLog.model_construct(
        pseudo_symmetry=True, pseudo_symmetry_operators=index.operators
    )
    volume = as_volume(labels.to_numpy().astype(np.int32), (50.0,) * 3, "grain_label_volume")
    corrected, table = decide_variants(volume, orientations, log, SegmentationSettings())
    covered = np.zeros(labels.shape, bool)
    covered[(slice(None), *PATCH)] = True
    sizes, hidden = (np.bincount(labels.to_numpy()[each], minlength=99)
                     for each in (labels.to_numpy() >= 0, covered))  # fmt: skip
    mostly_seen = np.flatnonzero((hidden < 0.4 * sizes) & (np.arange(len(sizes)) > 0))
    decided = table.loc[table["decided"] & table["label"].isin(mostly_seen), "label"]
    assert len(decided) >= 5
    assert (hidden[decided] > 0).sum() >= 2
    fields = [OrientationField.from_channels(v.to_numpy()) for v in (corrected, true, orientations)]
    inside = np.isin(labels.to_numpy(), decided) & (fields[1].confidence > 0.3)
    apart = [
        np.degrees(
            misorientation_angle(f.quaternions[inside], fields[1].quaternions[inside], "-3m")
        )
        for f in (fields[0], fields[2])
    ]
    assert (apart[0] < 1).mean() > 0.99
    assert (apart[1] > 30).mean() > 0.02
