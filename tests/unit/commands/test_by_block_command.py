"""The command for particles larger than memory, beside a run of the same project."""

import hashlib
import json

import pandas as pd
import pytest
import yaml

from electrode_grains.datasets.volume import read_volume

VOLUMES = {
    "image_quality_stack": "02_intermediate",
    "orientation_stack": "02_intermediate",
    "image_quality_volume": "03_primary",
    "orientation_volume": "03_primary",
    "annotation_volume": "03_primary",
    "contrast_volume": "04_feature",
}
RESULTS = {
    "scan_index.json": "02_intermediate",
    "slice_transforms.json": "02_intermediate",
    "annotation_checks.json": "03_primary",
}


def change(project, **parameters):
    """Settings that a person gave the project."""
    local = project / "conf" / "local" / "parameters.yml"
    local.write_text(yaml.safe_dump({**yaml.safe_load(local.read_text()), **parameters}))


def digest(volume):
    return hashlib.sha256(volume.to_numpy().tobytes()).hexdigest()


@pytest.fixture
def project(own_project, monkeypatch):
    change(
        own_project,
        segmentation={"grains": {"minimum_voxels": 8}},
        boundary_model={"prediction": {"window_shape": [8, 24, 28]}},
    )
    monkeypatch.chdir(own_project)
    return own_project


def test_all_files_up_to_the_contrast_are_those_of_a_run(command, project):
    done = command("run", "--to-outputs", "contrast_volume,slice_table")
    assert done.exit_code == 0, done.output
    done = command("by-block", project, "--workers", 2)
    assert done.exit_code == 0, done.output

    data, made = project / "data", project / "data" / "by_block"
    for name, layer in VOLUMES.items():
        expected = read_volume(data / layer / f"{name}.ome.zarr")
        found = read_volume(made / f"{name}.ome.zarr")
        assert digest(found) == digest(expected), name
        assert found.identical(expected), name
    for name, layer in RESULTS.items():
        assert (made / name).read_bytes() == (data / layer / name).read_bytes(), name
    pd.testing.assert_frame_equal(
        pd.read_parquet(made / "slice_table.parquet"),
        pd.read_parquet(data / "02_intermediate" / "slice_table.parquet"),
        check_exact=True,
    )

    grains = pd.read_parquet(made / "grain_table.parquet")
    assert read_volume(made / "grain_label_volume.ome.zarr").to_numpy().max() == len(grains)
    assert json.loads((made / "particle_summary.json").read_text())["grain_count"] == len(grains)
    assert f"{len(grains)} grains" in done.output
    assert "network: embedded" in done.output
    assert "no annotated slice has chosen the depth of minima (0.005)" in done.output
    assert str(made) in done.output


def test_the_network_of_the_project_is_taken_with_the_probabilities_of_a_run(command, project):
    change(
        project,
        boundary_model={
            "split": {"held_out_count": 1},
            "training": {
                "window_shape": [8, 16, 16], "base_width": 8, "depth": 1, "epochs": 1,
                "steps_per_epoch": 3, "batch_size": 1, "initial_network": None,
                "precision": "float32",
            },
            "prediction": {"window_shape": [8, 24, 28], "threads": 1},
        },
    )  # fmt: skip
    done = command("run", "--to-outputs", "class_probability_volume")
    assert done.exit_code == 0, done.output
    done = command("by-block")
    assert "trained in this project" in done.output

    name = "class_probability_volume.ome.zarr"
    expected = read_volume(project / "data" / "07_model_output" / name)
    found = read_volume(project / "data" / "by_block" / name)
    assert digest(found) == digest(expected)

    weights = project / "data" / "06_models" / "boundary_network" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + bytes(4))
    done = command("by-block")
    assert done.exit_code == 2
    assert "boundary_network" in done.output


def test_a_second_call_computes_nothing_and_workers_do_not_matter(command, project, tmp_path):
    once = command("by-block", project)
    again = command("by-block", project, "--workers", 2)
    assert once.exit_code == again.exit_code == 0, once.output + again.output
    rows = [line.split("│") for line in again.output.splitlines() if "│" in line]
    computed = [int(row[1]) for row in rows if row[1].strip().isdigit()]
    assert len(computed) == 6
    assert not any(computed)


def test_another_network_can_be_named(command, project, tmp_path):
    from electrode_grains.boundary import UNet3D
    from electrode_grains.datasets.network import NetworkDataset

    other = UNet3D(in_channels=3, base_width=4, depth=1).eval()
    NetworkDataset(path=str(tmp_path / "net")).save(other)
    done = command("by-block", "--network", tmp_path / "net", "-o", tmp_path / "out")
    assert f"network: {tmp_path / 'net'}" in done.output
    assert (tmp_path / "out" / "class_probability_volume.ome.zarr").is_dir()
    done = command("by-block", "--network", tmp_path / "no", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {"segmentation": {"grains": {"particle": "most_central"}}},
            "segmentation.grains.particle",
        ),
        ({"segmentation": {"grains": {"boundary_evidence": "grey"}}}, "boundary_evidence"),
        (
            {"boundary_model": {"prediction": {"test_time_augmentation": "in_plane"}}},
            "averages over symmetries",
        ),
        (
            {"segmentation": {"manual": {"edits": [{"action": "remove", "at": [[1, 2, 3]]}]}}},
            "manual edits are not replayed",
        ),
        ({"preprocessing": {"stack": {"first_slice": 3}}}, "3 problems in a stack of 8 slices"),
    ],
)
def test_what_does_not_work_by_block_is_refused_in_one_block(command, project, parameters, words):
    change(project, **parameters)
    done = command("by-block")
    assert done.exit_code == 2
    assert words in done.output
    assert "Traceback" not in done.output
    assert not (project / "data" / "by_block" / "scan_index.json").exists()


def test_a_scheduler_and_workers_exclude_each_other(command, project):
    done = command("by-block", "--scheduler", "tcp://127.0.0.1:1", "--workers", 2)
    assert done.exit_code == 2
    assert "one of them" in done.output
