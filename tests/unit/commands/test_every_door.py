"""Every pipeline and every command over a computed project of a user: their files stay as they are.

Scans lie outside, labels (PNG and TIFF) and edits inside; notes lie in every folder of the data.
"""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from electrode_grains.commands import main
from electrode_grains.datasets.label_images import write_classes
from electrode_grains.pipeline_registry import register_pipelines

SMALL = {
    "boundary_model": {
        "split": {"held_out_count": 1},
        "validation": {"epochs": 1},
        "training": {
            "window_shape": [8, 16, 16], "base_width": 8, "depth": 1, "epochs": 1,
            "steps_per_epoch": 3, "batch_size": 1, "initial_network": None,
            "precision": "float32",
        },
        "prediction": {"window_shape": [8, 24, 24]},
    },
    "segmentation": {"grains": {"merge_reference_voxels": 70, "minimum_voxels": 8}},
    "modelling": {
        "sample": {"minimum_voxels": 8},
        "goodness": {"replicates": 19, "selection_replicates": 3},
        "comparison": {"replicates": 19},
    },
}  # fmt: skip
VIRTUAL = ("acquisition", "demo")
SLOW = ("__default__", "boundary_model", "modelling", "reporting", "generation", "scenarios")
PIPELINES = (
    *VIRTUAL,
    *("preprocessing", "orientation_annotation", "segmentation", "characterization"),
    *("comparison", "export", *SLOW),
)
HERE = "PROJECT"
COMMANDS = (
    ("init", HERE, 2),
    ("init", "NEW", "--scans", "SCANS", "--annotations", "LABELS", "--slice-spacing-nm", 50, 0),
    ("demo", HERE, 2),
    ("preview", 0),
    ("preview", "-o", "SCANS/notes.txt", 2),
    ("check", 0),
    ("settings", 0),
    ("annotate", "--slices", "4", 0),
    ("annotate", "--slices", "4", "--draft", "--format", "tif", "--export", "NEW", 0),
    ("annotate", "--import", "LABELS", 0),
    ("annotate", "--import", "PAINTED", 2),
    ("proofread", "--count", 2, 0),
    ("proofread", "--count", 2, "--pictures", "PAINTED", 0),
    ("report", "--no-open", 0),
    ("export", 0),
    ("export", "--format", "all", 2),  # beside a user's interfaces.vtp
    ("export", "-o", "NEW", "--format", "all", 0),
    ("compare", "TABLES/a.parquet", "TABLES/b.parquet", "-o", "NEW/compared.csv", 0),
    ("compare", "TABLES/a.parquet", HERE, 2),  # too few grains
    ("compare", "TABLES/a.parquet", "TABLES/b.parquet", "-o", "NOTED", 2),
    ("by-block", 2),  # edits are recorded
    ("study", "init", "NEW", 0),
    ("study", "run", "--study", HERE, 2),  # no study
    ("study", "report", "--study", HERE, 2),
    ("study", "generate", "--study", HERE, 2),
)


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def own(acquired, tmp_path_factory):
    """Places of a user's project with all results, and notes everywhere."""
    folder = tmp_path_factory.mktemp("users")
    places = {name: folder / name.lower() for name in ("SCANS", HERE, "PAINTED", "NEW")}
    shutil.copytree(acquired / "scans", places["SCANS"])
    (places["SCANS"] / "notes.txt").write_text("a user's")
    (places["SCANS"] / "overview.png").write_bytes(b"a user's")
    words = ("--scans", places["SCANS"], "--annotations", acquired / "labels")
    made = run("init", places[HERE], *words, "--slice-spacing-nm", 50)
    assert made.exit_code == 0, made.output
    data = places[HERE] / "data"
    places["LABELS"] = data / "01_raw" / "slice_annotations"
    places["NOTED"] = data / "08_reporting" / "compared.csv"
    drawn = np.ones((24, 28), np.uint8)
    drawn[5:9] = 2
    write_classes(drawn, places["LABELS"] / "slice_006.tif", ".tif")
    places["PAINTED"].mkdir()
    Image.fromarray(drawn[::-1]).save(places["PAINTED"] / "slice_006.png")
    (data / "01_raw" / "edits.yml").write_text("# by hand\n- {action: remove, at: [[0, 0, 0]]}\n")
    local = places[HERE] / "conf" / "local" / "parameters.yml"
    content = {**yaml.safe_load(local.read_text()), **SMALL}
    content["segmentation"]["manual"] = {"outdated": "report"}
    local.write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEDRO_LOGGING_CONFIG", "")
        patch.delenv("KEDRO_LOGGING_CONFIG")
        patch.chdir(places[HERE])
        for more in (("--pipelines", "orientation_annotation"), (), ("--pipelines", "export")):
            done = run("run", *more)
            assert done.exit_code == 0, done.output
    table = pd.read_parquet(data / "07_model_output" / "grain_table.parquet")
    places["TABLES"] = data / "07_model_output" / "compared_grain_tables"
    places["TABLES"].mkdir()
    for name in ("a", "b"):  # with whole grains enough to be compared
        many = pd.concat([table] * 4).assign(touches_window=False)
        many.to_parquet(places["TABLES"] / f"{name}.parquet")
    (data / "08_reporting" / "exports" / "interfaces.vtp").write_text("a user's")
    places["NOTED"].write_text("a user's")
    for inside in (data, *data.rglob("*")):
        hidden = any(part.startswith(".") for part in inside.relative_to(data).parts)
        if inside.is_dir() and not hidden and not is_one_dataset(inside):
            (inside / "notes.txt").write_text("a user's")
    return places


def is_one_dataset(folder):
    """Folders that are one dataset as a whole, such as volumes and networks."""
    parts = folder.parts
    return any(".zarr" in part or part in ("boundary_network", "mlruns") for part in parts)


def owned(places):
    """Bytes and times of everything that is the user's."""
    data = places[HERE] / "data"
    files = [*places["SCANS"].rglob("*"), *places["PAINTED"].rglob("*"), *data.rglob("notes.txt")]
    files += [
        *places["LABELS"].glob("slice*"),
        *data.rglob("compared_grain_tables/*"),
        data / "01_raw" / "edits.yml",
    ]
    files += [data / "08_reporting" / "exports" / "interfaces.vtp", places["NOTED"]]
    files += [*(places[HERE] / "conf").rglob("*.*"), places[HERE] / "pyproject.toml"]
    generated = ("suspect_", ".electrode-grains")  # what a command is told to write there
    return {
        file: (file.stat().st_mtime_ns, file.read_bytes())
        for file in files
        if file.is_file() and not file.name.startswith(generated)
    }


@pytest.fixture
def inside(own, monkeypatch, tmp_path):
    monkeypatch.setenv("KEDRO_LOGGING_CONFIG", "")
    monkeypatch.delenv("KEDRO_LOGGING_CONFIG")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(own[HERE])
    return {**own, "NEW": tmp_path / "new"}


def test_no_door_is_left_out(project, monkeypatch):
    monkeypatch.setattr("electrode_grains.pipeline_registry.PROJECT", project)  # a virtual one
    assert set(PIPELINES) == set(register_pipelines())
    served = {"flow", "experiments"}  # see test_served_pages.py
    assert {words[0] for words in COMMANDS} | {"run"} | served == set(main.list_commands(None))


@pytest.mark.parametrize(
    "pipeline",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in PIPELINES],
)
def test_no_pipeline_changes_a_byte_of_a_users_files(inside, pipeline):
    before = owned(inside)
    assert len(before) > 40
    done = run("run", "--pipelines", pipeline, "--force")
    assert owned(inside) == before
    assert done.exit_code == (2 if pipeline in VIRTUAL else 0), done.output


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(map(str, words[:-1])))
def test_no_command_changes_a_byte_of_a_users_files(inside, words):
    *words, code = words
    filled = [re.sub("^[A-Z]+", lambda found: str(inside[found[0]]), str(word)) for word in words]
    before = owned(inside)
    done = run(*filled)
    assert owned(inside) == before
    assert done.exit_code == code, done.output


def test_an_edit_is_appended_to_the_users_own(inside):
    """The one file of a user that a command is asked to write to, kept but for its end."""
    edits = inside[HERE] / "data" / "01_raw" / "edits.yml"
    before, rest = edits.read_bytes(), owned(inside)
    try:
        done = run("proofread", "--remove", "#1")
        assert done.exit_code == 0, done.output
        assert edits.read_bytes().startswith(before)
        assert len(yaml.safe_load(edits.read_text())) == 2
        assert {file for file, state in owned(inside).items() if state != rest[file]} == {edits}
    finally:
        edits.write_bytes(before)
