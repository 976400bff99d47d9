"""The whole chain through real files: microscope, .ang, stack, alignment, grain table."""

import numpy as np
import pytest
from benchmarks.crystals import turn_slice

from electrode_grains.alignment import LatticeField, turned_steps
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.ebsd import OrientationField, StackSettings, frame_verdict, laue_group
from electrode_grains.morphometry.orientations import describe_orientations
from electrode_grains.phantom.settings import ParticleSettings, ScanSettings
from electrode_grains.pipelines.acquisition.nodes import grow_particle, scan_particle
from electrode_grains.pipelines.preprocessing.nodes import (
    align_orientations,
    read_stack,
    register_slices,
)
from electrode_grains.pipelines.preprocessing.settings import AlignmentSettings

SHAPE = (14, 64, 64)
CELLS = {"mean_diameter_nm": 500.0, "diameter_shape_nm": 4500.0}


@pytest.fixture(scope="module")
def particle():
    settings = ParticleSettings(
        shape=SHAPE,
        joined_cells=CELLS,
        radial_texture=1.0,
        seed=3,
    )
    return grow_particle(settings)


def scanned(particle, folder, frames):
    settings = ScanSettings(
        annotated_slices=(), frames=frames, rotation_degrees=1.5, misindexed_share=0.02, seed=4
    )
    scans, _, labels, _ = scan_particle(particle[0], settings)
    dataset = ScanFolderDataset(path=str(folder))
    dataset.save(scans)
    return dataset, labels.to_numpy()


def aligned(dataset, frames):
    quality, orientations, index = read_stack(
        dataset.load(), StackSettings(frames=frames, slice_spacing_nm=50.0)
    )
    alignment = AlignmentSettings(mode="rigid_body")
    transforms = register_slices(quality, orientations, index, alignment)
    return index, transforms, align_orientations(orientations, transforms)


def neighbours_apart(volume):
    """Median misorientation in degrees across slices, of points that lie in one grain."""
    field = OrientationField.from_channels(volume.to_numpy())
    inside = field.where(field.confidence > 0.3)
    apart = np.degrees(inside.at(slice(None, -1)).misorientation(inside.at(slice(1, None))))
    return float(np.median(apart[apart < 8]))


@pytest.mark.parametrize("frames", ["edax_2", "same"])
def test_turned_slices_tell_whether_the_frames_fit(particle, tmp_path, frames, caplog):
    dataset, _ = scanned(particle, tmp_path, frames)
    caplog.set_level("INFO")
    index, transforms, volume = aligned(dataset, frames)
    assert index.frames.frames == frames
    assert f"frames {frames}: fits" in caplog.text
    right = neighbours_apart(volume)
    assert right < 0.7  # the scatter of indexing is .4 degrees
    wrong = "same" if frames != "same" else "edax_2"
    _, transforms, volume = aligned(dataset, wrong)
    assert any("another preset fits better" in note for note in transforms.notes)
    assert any(frames in note for note in transforms.notes)
    assert neighbours_apart(volume) > right + 0.5


@pytest.mark.parametrize("frames", ["edax_1", "edax_4"])
def test_radial_axes_stay_radial_from_the_file_to_the_table(particle, tmp_path, frames):
    truth, _ = particle
    dataset, _ = scanned(particle, tmp_path, frames)
    _, _, volume = aligned(dataset, frames)
    labels = np.where(truth.labels <= truth.main_grain_count, truth.labels, 0)
    names = np.unique(labels[labels > 0])
    inside = np.argwhere(labels > 0)[:, ::-1] * 50.0
    radial = truth.centroids[names] - inside.mean(axis=0)
    radial /= np.linalg.norm(radial, axis=1, keepdims=True)
    described = describe_orientations(labels, names, volume.to_numpy(), "-3m", radial)
    angle = np.degrees(described["c_axis_radial_angle"])
    large = np.bincount(labels.ravel())[names] > 100
    assert np.nanmedian(angle[large]) < 2.0


def quick_verdict(dataset, frames):
    """What `check` says, of the files alone."""
    quality, orientations, index = read_stack(
        dataset.load(), StackSettings(frames=frames, slice_spacing_nm=50.0)
    )
    lattice = LatticeField.of_channels(orientations.to_numpy(), laue_group("-3m"))
    turns = turned_steps(quality.to_numpy(), lattice)
    return frame_verdict(index.frames, turns.votes, turns.clear_difference, turns.largest_turn)


@pytest.mark.parametrize("trial", [0, *(pytest.param(n, marks=pytest.mark.slow)
                                        for n in range(1, 20))])  # fmt: skip
def test_two_slices_turned_by_half_a_degree_name_a_wrong_preset(tmp_path, trial):
    particle = grow_particle(
        ParticleSettings(shape=(16, 64, 64), joined_cells=CELLS,
                         seed=trial)
    )  # fmt: skip
    wrong, written = ("same", "edax_2") if trial % 2 == 0 else ("edax_1", "same")
    settings = ScanSettings(
        annotated_slices=(), frames=written, rotation_degrees=0.0, seed=100 + trial
    )
    scans = dict(scan_particle(particle[0], settings)[0])
    straight, dataset = (ScanFolderDataset(path=str(tmp_path / name)) for name in "ab")
    straight.save(scans)
    assert "cannot be told" in quick_verdict(straight, written)

    rng = np.random.default_rng(trial)
    names = list(scans)
    for z in rng.choice(np.arange(1, 15), 2, replace=False):
        scans[names[z]] = turn_slice(scans[names[z]], 0.5 * rng.choice([-1, 1]))
    dataset.save(scans)

    assert f"frames {written}: fits" in quick_verdict(dataset, written)
    said = quick_verdict(dataset, wrong)
    assert f"frames {wrong}: another preset fits better" in said
    assert written in said
