"""Where a project may start: a virtual particle, a look at a stack, a grain map."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.pipeline import Node, Pipeline
from PIL import Image

from electrode_grains import ebsd, pipeline_registry
from electrode_grains.commands.new_project import as_yaml
from electrode_grains.commands.preview import measure_drift
from electrode_grains.commands.stack_picture import stack_picture
from electrode_grains.composition import compose
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.grain_maps import read_grain_map
from electrode_grains.pipeline_registry import register_pipelines


def test_a_demo_is_a_project_that_can_be_checked_and_is_not_written_twice(command, tmp_path):
    folder, here = tmp_path / "try", Path.cwd()
    done = command("demo", folder, "--shape", "16,48,52", "--seed", 3)
    assert done.exit_code == 0, done.output
    assert Path.cwd() == here
    raw = folder / "data" / "01_raw"
    assert len(list((raw / "ebsd_scans").glob("*.ang"))) == 16
    assert len(list((raw / "slice_annotations").glob("*.png"))) == 4
    assert (raw / "true_grain_label_volume.ome.zarr").is_dir()
    checked = command("check", folder)
    assert checked.exit_code == 0, checked.output
    assert "16 slices" in checked.output
    refused = command("demo", folder)
    assert refused.exit_code == 2
    assert "is a project already" in refused.output


def test_the_package_runs_as_a_module_with_a_command_or_with_the_options_of_kedro_run(tmp_path):
    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "electrode_grains", *words],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    refused = run("check", "nowhere")
    assert refused.returncode == 2
    assert "nowhere" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "--pipelines" in run("--help").stdout


@pytest.mark.parametrize("shape", ["8,48,48", "16,48", "a,b,c", "-1,99,99"])
def test_a_window_that_holds_no_particle_is_refused(command, tmp_path, shape):
    done = command("demo", tmp_path / "try", f"--shape={shape}")
    assert done.exit_code == 2
    assert not (tmp_path / "try").exists()


def test_preview_shows_facts_and_slices_before_anything_is_configured(
    command, slices, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = command("preview", slices / "scans", "--count", 3, "--no-grains")
    assert done.exit_code == 0, done.output
    for fact in ("8, slice_000 to slice_007", "24 x 28", "50 x 50 nm", "px rms",
                 "NMC532, Laue group -3m, 100.0% of these"):  # fmt: skip
        assert fact in done.output, fact
    with Image.open(tmp_path / "preview.png") as image:
        colours = np.asarray(image)
    height, width = 24 * 8 + 4, 28 * 8 + 4
    assert colours.shape == (14 + 2 * height + 14 + 8 * 8 + 4, 3 * width, 3)
    half = 14 + height
    assert (colours[20 : half - 8, 10:200, 0] == colours[20 : half - 8, 10:200, 2]).all()  # grey
    assert (colours[half:, :, 0] != colours[half:, :, 2]).any()


def test_preview_shows_grains_of_a_stack_without_labels(command, slices, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("preview", slices / "scans", "--count", 2, "--slice-spacing-nm", 100)
    assert done.exit_code == 0, done.output
    count = int(done.output.split("First look: ")[1].split()[0])
    assert 10 <= count <= 40  # the particle has 20
    with Image.open(tmp_path / "preview.png") as image:
        colours = np.asarray(image)
    height, section = 24 * 8 + 4, 8 * 8 * 2  # slices twice a step apart
    assert colours.shape[0] == 14 + 3 * height + 14 + section + 4
    third = colours[14 + 2 * height : 14 + 3 * height - 4, : 28 * 8]
    assert len(np.unique(third.reshape(-1, 3), axis=0)) > 5
    again = command("preview", slices / "scans", "--no-grains")
    assert again.exit_code == 0  # its own picture


def test_a_section_along_the_depth_is_true_to_scale(slices):
    readers = ScanFolderDataset(path=str(slices / "scans")).load()
    stack, _ = ebsd.inspect_scans(readers)
    heights = [
        stack_picture(stack, 1, spacing).height - stack_picture(stack, 1, 50.0).height
        for spacing in (50.0, 100.0, 25.0, None)
    ]
    assert heights == [0, 64, -32, 0]  # 8 slices of 50 nm, at 8 pixels a step


def test_a_stack_that_shows_no_grain_has_a_picture_all_the_same(command, tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    for z in range(4):
        flat = np.full((24, 28), 90 + z, np.uint8)
        Image.fromarray(flat).save(tmp_path / "images" / f"slice_{z}.png")
    monkeypatch.chdir(tmp_path)
    done = command("preview", tmp_path / "images", "--step-nm", 50)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "preview.png").is_file()


def test_preview_of_a_damaged_stack_names_the_problems(command, slices, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cut = slices / "scans" / "slice_006.ang"
    cut.write_text(cut.read_text()[:-900])
    done = command("preview", slices / "scans", "--no-grains")
    assert "slice_006" in done.output
    (tmp_path / "preview.png").write_bytes(b"somebody's picture")
    assert command("preview", slices / "scans", "--no-grains").exit_code == 2
    assert (tmp_path / "preview.png").read_bytes() == b"somebody's picture"


@pytest.mark.parametrize("shift", [(0, 0), (2, -3), (-1, 4)])
def test_drift_is_the_shift_of_a_slice(shift):
    rng = np.random.default_rng(5)
    base = rng.normal(size=(40, 44))
    stack = np.stack([base, np.roll(base, shift, axis=(0, 1))])
    drift = measure_drift(stack)
    np.testing.assert_allclose(drift.steps, [shift], atol=0.1)
    assert measure_drift(stack[:1]).steps.shape == (0, 2)


def test_a_flat_stack_has_no_drift_and_raises_nothing():
    drift = measure_drift(np.ones((3, 8, 8)))
    assert drift.correlation.tolist() == [0.0, 0.0]


# A grain map


@pytest.fixture
def grain_map(tmp_path):
    labels = np.kron(np.arange(1, 9).reshape(2, 2, 2), np.ones((5, 6, 7), int))
    file = tmp_path / "grains.npy"
    np.save(file, labels)
    return file


def test_a_project_starts_from_a_grain_map(command, grain_map, tmp_path):
    project = tmp_path / "own"
    words = ("init", project, "--labels", grain_map)
    refused = command(*words)
    assert refused.exit_code == 2
    assert "--spacing" in refused.output
    assert not project.exists()
    done = command(*words, "--spacing", "60,50,40")
    assert done.exit_code == 0, done.output
    assert "8 grains in 10 x 12 x 14 voxels" in done.output
    configured = yaml.safe_load((project / "conf" / "local" / "globals.yml").read_text())
    assert configured == {"data_root": "data", "grain_map": str(grain_map), "laue_group": "-1"}
    declared = tomllib.loads((project / "pyproject.toml").read_text())
    assert declared["tool"]["electrode_grains"] == {"starts_from": "grain_map"}


@pytest.mark.parametrize("spacing", ["50", "50,50", "0,1,1", "-1,1,1", "a,b,c", "nan,1,1",
                                     "0.05,0.05,0.05", "50,50,0.9", "50000,50,50"])  # fmt: skip
def test_a_spacing_that_is_none_is_refused(command, grain_map, tmp_path, spacing):
    done = command("init", tmp_path / "own", "--labels", grain_map, f"--spacing={spacing}")
    assert done.exit_code == 2
    assert not (tmp_path / "own").exists()


def test_a_grain_map_and_slices_do_not_go_together(command, grain_map, acquired, tmp_path):
    words = ("init", tmp_path / "own", "--labels", grain_map, "--spacing", "1,1,1")
    assert "--labels together" in command(*words, "--scans", acquired / "scans").output
    done = command("init", tmp_path / "own", "--scans", acquired / "scans", "--spacing", "1,1,1")
    assert "--slice-spacing-nm" in done.output


def test_a_project_starts_from_plane_sections(command, tmp_path):
    sections, project = tmp_path / "polished", tmp_path / "own"
    sections.mkdir()
    for number in range(2):
        plane = np.kron(np.arange(12).reshape(3, 4), np.ones((8, 8), int))
        Image.fromarray(plane.astype(np.uint8)).save(sections / f"section_{number}.png")
    words = ("init", project, "--sections", sections)
    refused = command(*words)
    assert refused.exit_code == 2
    assert "--step-nm" in refused.output
    assert "--sections together" in command(*words, "--spacing", "1,1,1").output
    assert not project.exists()
    done = command(*words, "--step-nm", "40")
    assert done.exit_code == 0, done.output
    assert "2 sections with pixels of 40 nm" in done.output
    assert "22 labels in 2 files" in done.output
    configured = yaml.safe_load((project / "conf" / "local" / "globals.yml").read_text())
    assert configured["grain_sections"] == str(sections)
    declared = tomllib.loads((project / "pyproject.toml").read_text())
    assert declared["tool"]["electrode_grains"] == {"starts_from": "sections"}


def test_a_folder_without_sections_is_refused(command, tmp_path):
    (tmp_path / "empty").mkdir()
    done = command("init", tmp_path / "own", "--sections", tmp_path / "empty", "--step-nm", "40")
    assert done.exit_code == 2
    assert "there are no sections" in done.output


def test_a_flow_of_own_scans_compares_with_no_truth(tmp_path, monkeypatch):
    """Nothing of a virtual particle stands in it; in every other step it is that of the demo."""

    def analysis(declared):
        (tmp_path / "pyproject.toml").write_text(
            f'[tool.kedro]\npackage_name = "electrode_grains"\n{declared}'
        )
        monkeypatch.setattr(pipeline_registry, "PROJECT", tmp_path)
        return register_pipelines()["__default__"]

    virtual = analysis("[tool.electrode_grains]\nvirtual_particle = true\n")
    own = analysis("")
    steps = [{node.name for node in flow.nodes} for flow in (virtual, own)]
    assert steps[0] - steps[1] == {"compare_with_truth", "draw_truth"}
    assert steps[1] < steps[0]
    truth = {"true_grain_label_volume", "acquired_label_stack"}
    assert virtual.inputs() - own.inputs() == truth
    assert own.inputs() < virtual.inputs()


def test_all_steps_of_a_grain_map_have_what_they_read(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.kedro]\npackage_name = "electrode_grains"\n'
        '[tool.electrode_grains]\nstarts_from = "grain_map"\n'
    )
    full = register_pipelines()
    monkeypatch.setattr(pipeline_registry, "PROJECT", tmp_path)
    registered = register_pipelines()
    steps = registered["__default__"]
    free = {name for name in steps.inputs() if not name.startswith("params:")}
    assert free == {"grain_map", "parameters"}
    names = {node.name for node in steps.nodes}
    assert names >= {"read_grain_map", "measure_particle", "fit_marginals", "fit_copulas",
                     "draw_grains", "draw_distributions", "tabulate", "write_report"}  # fmt: skip
    assert names & {"read_stack", "train_network", "draw_truth", "form_grains"} == set()
    # The same functions, no second code path.
    functions = {node.name: node.func for node in full["__default__"].nodes}
    for node in steps.nodes:
        if node.name != "read_grain_map":
            assert node.func.__qualname__ == functions[node.name].__qualname__
    assert "gather_particle" in {node.name for node in registered["export"].nodes}
    assert os.environ.get("KEDRO_ENV") is None


def _add(first: int, second: int | None, **others: int) -> int:
    return first + (second or 0) + sum(others.values())


def test_what_is_missing_is_none_or_left_out_or_drops_the_step():
    def node(name, *inputs, **keywords):
        return Node(_add, list(inputs) or keywords, name, name=name)

    steps = {
        "one": Pipeline([node("a", "raw", "absent")]),
        "two": Pipeline([node("b", "absent", "raw"), node("c", "b", "raw")]),
        "three": Pipeline([node("d", first="a", second="raw", third="absent", fourth="raw")]),
    }
    composed = compose(steps, ["raw"])
    assert {name: [node.name for node in step.nodes] for name, step in composed.items()} == {
        "one": ["a"], "two": [], "three": ["d"],
    }  # fmt: skip
    (first,), (last,) = composed["one"].nodes, composed["three"].nodes
    assert first.run({"raw": 3}) == {"a": 3}
    assert last.run({"a": 1, "raw": 3}) == {"d": 7}
    assert first.func.__qualname__ == "_add"


def test_yaml_of_a_new_project_keeps_every_text():
    content = {"a": {"b: c": "${x} # y", "d": None}, "e": [1, 2.5], "f": "-3m", "g": "\u0085"}
    assert yaml.safe_load(as_yaml(content)) == content


def test_a_grain_map_is_measured_and_exported_by_the_rule_of_runs(command, grain_map, tmp_path):
    project, before = tmp_path / "own", grain_map.read_bytes()
    words = ("init", project, "--labels", grain_map, "--spacing", "60,50,40")
    assert command(*words).exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--pipelines", "grain_map,characterization"],
        cwd=project, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_parquet(project / "data" / "07_model_output" / "grain_table.parquet")
    assert table["voxel_count"].tolist() == [5 * 6 * 7] * 8
    assert table["volume_nm3"].tolist() == pytest.approx([5 * 6 * 7 * 60 * 50 * 40] * 8)
    export = ("export", "--project", project, "--format", "vti", "--format", "dream3d")
    done = command(*export, "-o", tmp_path / "first")
    assert done.exit_code == 0, done.output
    again = read_grain_map(tmp_path / "first" / "grains.dream3d")
    np.testing.assert_array_equal(again.labels, np.load(grain_map))

    local = project / "conf" / "local" / "parameters.yml"
    local.write_text(local.read_text().replace("- 60.0", "- 99.0"))
    refused = command(*export, "-o", tmp_path / "second")
    assert refused.exit_code == 2, refused.output
    assert "spacing_nm" in refused.output
    assert not (tmp_path / "second").exists()
    assert command(*export, "-o", tmp_path / "second", "--force").exit_code == 0
    assert grain_map.read_bytes() == before


def test_exports_of_command_and_pipeline_are_recorded_alike(
    command, grain_map, tmp_path, monkeypatch
):
    """In any order and with any formats; what a user put beside them is never replaced."""
    project = tmp_path / "own"
    assert command("init", project, "--labels", grain_map, "--spacing", "60,50,40").exit_code == 0
    monkeypatch.chdir(project)
    assert command("run", "--pipelines", "grain_map,characterization").exit_code == 0
    folder = project / "data" / "08_reporting" / "exports"
    by_command = ("export", "--format", "vti", "--format", "stl", "--smoothing", 0)
    by_run = ("run", "--pipelines", "export")
    for words in (by_command, by_run, by_command, ("export", "--format", "stl"), by_run, by_run):
        done = command(*words)
        assert done.exit_code == 0, done.output
    assert {file.name for file in folder.glob("[!.]*")} == {
        *("grains.vti", "grains.tif", "grains.dream3d", "grains.xdmf", "grain_table.csv"),
        "interfaces.msh",
        "grains_stl",
    }
    shutil.rmtree(folder)
    assert command(*by_run).exit_code == 0
    for file in ("interfaces.vtp", "grains_stl/grain_1.stl", "grains_stl/notes.txt"):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text("a user's")
        done = command("export", "--format", "vtp", "--format", "stl")
        assert done.exit_code == 2, done.output
        assert file.rpartition("/")[2] in done.output
        assert command(*by_run, "--force").exit_code == 0
        assert (folder / file).read_text() == "a user's"
        (folder / file).unlink()


def test_a_sample_too_small_for_any_fit_is_said_in_place_of_the_figures():
    from electrode_grains.figures import nothing_fitted

    (text,) = nothing_fitted(17).texts
    assert text.get_text() == "No distribution could be fitted to 17 whole grains."
