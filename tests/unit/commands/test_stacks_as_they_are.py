"""Stacks that lie unequally, in folders of their own or under other numbers, by the commands."""

import numpy as np
import pytest
import yaml

DEPTHS = (0, 50, 110, 150, 200, 300, 350, 400)  # one is lost at 250 nm


@pytest.fixture
def project(command, slices, tmp_path):
    """A project from folders with one scan each, and a table of depths."""
    scans = tmp_path / "scans"
    rows = ["slice,z_nm"]
    for file, depth in zip(sorted((slices / "scans").glob("*.ang")), DEPTHS, strict=True):
        folder = scans / file.stem
        folder.mkdir(parents=True)
        file.rename(folder / "Map 1.ang")
        rows.append(f"{file.stem},{depth}")
    (scans / "depths.csv").write_text("\n".join(rows) + "\n")
    done = command("init", tmp_path / "p", "--scans", scans, "--annotations", slices / "labels")
    assert done.exit_code == 0, done.output
    assert "distance of slices 50 nm (mean of the depths)" in done.output
    assert "planes without a slice stay without measurement: 1, at 250 nm" in done.output
    return tmp_path / "p"


def test_depths_reach_the_project_and_its_check(command, project):
    parameters = yaml.safe_load((project / "conf/local/parameters.yml").read_text())
    assert parameters["preprocessing"]["stack"]["slice_spacing_nm"] is None
    checked = command("check", project)
    assert checked.exit_code == 0, checked.output
    assert "9 slices, slice_000 to slice_007" in checked.output
    assert "40 to 100 nm apart" in checked.output
    assert "labelled slices, by place in the stack: [2, 6]" in checked.output


def test_the_nodes_of_a_run_keep_the_gap_empty_and_say_so(project, monkeypatch):
    from electrode_grains.datasets.folders import ScanFolderDataset
    from electrode_grains.pipelines.preprocessing.nodes import read_stack, register_slices
    from electrode_grains.pipelines.preprocessing.settings import AlignmentSettings, StackSettings
    from electrode_grains.pipelines.reporting.nodes import collect_warnings

    scans = ScanFolderDataset(path=str(project.parent / "scans")).load()
    quality, orientations, index = read_stack(scans, StackSettings(slice_spacing_nm=None))
    assert np.isnan(quality[5]).all()
    assert np.isnan(orientations[:4, 5]).all()
    assert np.isfinite(quality[[4, 6]]).any(axis=(1, 2)).all()
    transforms = register_slices(quality, orientations, index, AlignmentSettings())
    assert transforms.flags[5] == ()  # the notes tell of it
    warnings = collect_warnings({"scan_index": index.to_dict()})
    assert warnings[:2] == list(index.stack_notes)
    assert any("without measurement" in warning for warning in warnings)


def test_labels_from_orientations_are_of_scans_and_called_like_their_slices(project):
    from electrode_grains.datasets.folders import ScanFolderDataset
    from electrode_grains.ebsd import OrientationAnnotationSettings, StackSettings
    from electrode_grains.pipelines.orientation_annotation.nodes import annotate_slices

    scans = ScanFolderDataset(path=str(project.parent / "scans")).load()
    named = {f"NMC_{name[-3:]}_20kV": reader for name, reader in scans.items()}
    stack = StackSettings(slice_spacing_nm=None, slice_pattern=r"NMC_(\d+)_")
    labels = annotate_slices(named, stack, OrientationAnnotationSettings(slice_count=2))
    assert list(labels) == ["slice_002", "slice_005"]


def test_a_setting_of_the_stack_is_given_to_init_and_kept(command, slices, tmp_path):
    for file in (slices / "scans").glob("*.ang"):
        file.rename(file.with_name(f"NMC_{file.stem[-3:]}_20kV.ang"))
    words = ("init", tmp_path / "p", "--scans", slices / "scans", "--slice-spacing-nm", 50)
    refused = command(*words)
    assert refused.exit_code == 2
    assert r"slice_pattern: '^NMC_(\d+)_20kV$'" in refused.output
    done = command(*words, "--set", r"slice_pattern=^NMC_(\d+)_20kV$")
    assert done.exit_code == 0, done.output
    shown = command("settings", "preprocessing.stack.slice_pattern", "--project", tmp_path / "p")
    assert "20kV" in shown.output


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("crop", "NAME=VALUE"),
        ("crop=all", "common"),
        ("corp=common", "did you mean crop"),
        ("step_nm=3", "--step-nm 3"),
        ("missing_slices=[4", "no YAML"),
    ],
)
def test_impossible_settings_of_init_are_refused(command, slices, tmp_path, given, words):
    done = command("init", tmp_path / "p", "--scans", slices / "scans", "--set", given)
    assert done.exit_code == 2
    assert words in done.output
    assert not (tmp_path / "p").exists()
