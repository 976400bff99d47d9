"""Files of a user: no pipeline and no command changes a byte of them."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from electrode_grains.ebsd import read_scan
from pipelines.forked_runs import contents


def state_of(folder):
    """Every file and folder with its bytes and times."""
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in (folder, *folder.rglob("*"))
    }


ELECTRODE_GRAINS = ("-c", "from electrode_grains.commands import main; main()")
KEDRO = ("-m", "kedro")


def call(program, *words, cwd):
    return subprocess.run(
        [sys.executable, *program, *map(str, words)],
        cwd=cwd, env=dict(os.environ), capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


@pytest.fixture
def users_data(demo, tmp_path):
    """Raw data that no manifest knows, as a user brings them."""
    data = tmp_path / "data"
    for name in ("ebsd_scans", "slice_annotations"):
        shutil.copytree(
            demo / "01_raw" / name,
            data / "01_raw" / name,
            ignore=shutil.ignore_patterns(".manifests"),
        )
    return data


@pytest.mark.parametrize("which", ["ebsd_scans", "slice_annotations"])
def test_scans_and_annotations_of_a_user_are_never_replaced(kedro, users_data, which):
    other = {"ebsd_scans": "slice_annotations", "slice_annotations": "ebsd_scans"}[which]
    shutil.rmtree(users_data / "01_raw" / other)
    before = contents(users_data)
    for words in (("acquisition",), ("demo",), ("acquisition", "--force"), ("demo", "--force")):
        done = kedro("run", "--env", "test", "--pipelines", *words, data=users_data)
        assert done.returncode == 2, done.stdout + done.stderr
        assert f"{which} is not replaced" in done.stderr
        assert str(users_data / "01_raw" / which) in done.stderr
        assert "Traceback" not in done.stderr
        assert contents(users_data) == before


def test_an_edited_scan_of_a_virtual_particle_is_not_replaced(kedro, demo, tmp_path):
    data = shutil.copytree(demo, tmp_path / "demo")
    scan = data / "01_raw" / "ebsd_scans" / "slice_004.ang"
    scan.write_text(scan.read_text().replace("# ", "#  ", 1))
    assert read_scan(scan).sizes["x"] == 60
    before = contents(data / "01_raw")
    done = kedro("run", "--env", "test", "--pipelines", "demo", "--force", data=data)
    assert done.returncode == 2
    assert "slice_004.ang" in done.stderr
    assert "changed since a run wrote it" in done.stderr
    assert contents(data / "01_raw") == before


def test_scans_outside_the_data_folder_are_only_read(project, demo, tmp_path):
    """In a copy of the configuration whose scans lie somewhere else, recorded or not."""
    conf = shutil.copytree(project / "conf", tmp_path / "conf")
    outside = shutil.copytree(demo / "01_raw" / "ebsd_scans", tmp_path / "outside")
    places = {
        "data_root": str(tmp_path / "data"),
        "ebsd_scans": str(outside),
        "slice_annotations": str(tmp_path / "data" / "01_raw" / "slice_annotations"),
    }
    (conf / "test" / "globals.yml").write_text(yaml.safe_dump(places))
    before = state_of(outside)
    for more in ((), ("--force",)):
        words = ("--env", "test", "--pipelines", "acquisition", "--conf-source", conf, *more)
        done = call(KEDRO, "run", *words, cwd=project)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "lies outside the data folder" in done.stderr
        assert str(outside) in done.stderr
        assert state_of(outside) == before


@pytest.mark.slow  # eight commands; test_every_door.py has them in one process
def test_no_pipeline_or_command_changes_the_folders_given_to_init(users_data, tmp_path):
    given, own = users_data / "01_raw", tmp_path / "own"
    before = state_of(given)
    words = ("--scans", given / "ebsd_scans", "--annotations", given / "slice_annotations")
    words = (*words, "--slice-spacing-nm", "50")
    made = call(ELECTRODE_GRAINS, "init", own, *words, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    for pipeline in ("acquisition", "demo"):
        done = call(KEDRO, "run", "--pipelines", pipeline, "--force", cwd=own)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "there is no such pipeline" in done.stderr
        assert state_of(given) == before
    for words in (
        (KEDRO, "run", "--pipelines", "orientation_annotation"),
        (KEDRO, "run", "--pipelines", "preprocessing", "--force"),
        (ELECTRODE_GRAINS, "check"),
        (ELECTRODE_GRAINS, "annotate", "-o", tmp_path / "to_paint"),
    ):
        call(*words, cwd=own)
        assert state_of(given) == before, words
