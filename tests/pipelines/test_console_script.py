"""The console script on results of a run, and on a project that it made itself."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
import zarr
from PIL import Image

from browser import find_chromium
from electrode_grains.commands.project import open_project
from electrode_grains.commands.proofread import RESULTS, EditSession
from electrode_grains.errors import InputError
from electrode_grains.grains.edits import EditEntry


def electrode_grains(*words, cwd):
    """Run the console script as a user does."""
    script = "from electrode_grains.commands import main; main(prog_name='electrode-grains')"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture
def on(served):
    """Run commands on a tiny particle."""
    return lambda data: (
        lambda *words: served("electrode-grains", *words, "--env", "test", data=data)
    )


@pytest.fixture
def on_demo(on, demo):
    return on(demo)


def test_suspects_are_listed_and_drawn(on_demo, demo, tmp_path):
    done = on_demo("proofread", "--count", "3", "--pictures", tmp_path)
    assert done.returncode == 0, done.stderr
    suspects = pd.read_parquet(demo / "08_reporting" / "suspect_table.parquet")
    assert f"The 3 most doubtful of {len(suspects)}" in done.stdout
    suspects = suspects.head(3)
    expected = {f"suspect_{row.rank:03d}_grain_{row.label}.png" for row in suspects.itertuples()}
    assert {file.name for file in tmp_path.glob("[!.]*")} == expected
    with Image.open(tmp_path / min(expected)) as picture:
        assert picture.size == (3 * 49 * 4 + 8, 3 * 49 * 4 + 8)


def test_edits_are_recorded_all_or_none_after_they_were_tried(on_demo, demo):
    edits = demo / "01_raw" / "edits.yml"
    suspects = pd.read_parquet(demo / "08_reporting" / "suspect_table.parquet")
    first = suspects.iloc[0]
    try:
        refused = on_demo("proofread", "--remove", "#1", "--merge", "0,0,0/0,0,1")
        assert refused.returncode == 2
        assert "no grain at" in refused.stderr
        assert not edits.exists()
        done = on_demo("proofread", "--remove", "#1")
        assert done.returncode == 0, done.stderr
        at = [int(first[axis]) for axis in "zyx"]
        assert yaml.safe_load(edits.read_text()) == [{"action": "remove", "at": at}]
        again = on_demo("proofread", "--remove", "#1")  # it is gone already
        assert again.returncode == 2
    finally:
        edits.unlink(missing_ok=True)


def test_the_report_is_found_and_named(on_demo, demo):
    done = on_demo("report")
    assert done.returncode == 0, done.stderr
    assert str(demo / "08_reporting" / "report.html") in done.stdout
    table = demo / "07_model_output" / "grain_table.parquet"
    before = table.stat()
    try:
        os.utime(table)
        assert "older than grain_table" in on_demo("report").stdout
    finally:
        os.utime(table, (before.st_atime, before.st_mtime))


def test_without_a_browser_no_pdf_is_promised(on_demo, tmp_path, monkeypatch):
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "none"))
    refused = on_demo("report", "--pdf", tmp_path / "report.pdf")
    assert refused.returncode == 2
    assert "no browser was found that writes a PDF" in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium: install it, or name one")
def test_the_report_is_printed_with_a_picture_of_the_particle(on_demo, tmp_path):
    target = tmp_path / "report.pdf"
    done = on_demo("report", "--pdf", target)
    assert done.returncode == 0, done.stderr
    printed = target.read_bytes()
    assert printed.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
    refused = on_demo("report", "--pdf", target)
    assert refused.returncode == 2
    assert "a file of this name exists" in refused.stderr
    assert target.read_bytes() == printed


def test_a_particle_does_not_differ_from_itself(on_demo, demo, tmp_path):
    done = on_demo("compare", demo, demo, "--replicates", "19", "-o", tmp_path / "compared.csv")
    assert done.returncode == 0, done.stderr
    compared = pd.read_csv(tmp_path / "compared.csv")
    marginal = compared[compared["kind"] == "marginal"]
    assert len(marginal) == 4
    assert (marginal["effect"] == 0.5).all()
    assert "0 of 10 comparisons differ" in done.stdout
    assert "Equivalent diameter d / nm ~ Sphericity s" in done.stdout


def test_every_command_refuses_results_of_other_scans_or_leaves_them_out(on, demo, tmp_path):
    data = shutil.copytree(demo, tmp_path / "demo")
    scan = data / "01_raw" / "ebsd_scans" / "slice_004.ang"
    scan.write_text(scan.read_text().replace("# ", "#  ", 1))
    run = on(data)
    for words in (
        ("proofread", "--remove", "#1"),
        ("export", "-o", tmp_path / "exports"),
        ("export",),
        ("compare", data, demo, "--replicates", "19"),
    ):
        refused = run(*words)
        assert refused.returncode == 2, refused.stdout
        assert "cannot be trusted" in refused.stderr, words
        assert "ebsd_scans changed" in refused.stderr, words
    assert not (data / "01_raw" / "edits.yml").exists()
    forced = run("compare", data, demo, "--replicates", "19", "--force")
    assert forced.returncode == 0, forced.stderr
    annotated = run("annotate", "--export", tmp_path / "to_paint", "--slices", "4")
    assert annotated.returncode == 0, annotated.stderr
    assert "image_quality_stack cannot be trusted, and is not used" in annotated.stdout
    assert "outdated" in run("report").stdout


def test_new_edits_are_tried_on_labels_that_hold_the_edits_before(project, demo, monkeypatch):
    monkeypatch.setenv("ELECTRODE_GRAINS_TEST_DATA", str(demo))
    opened = open_project(project, "test")
    results = {name: opened.load(name, step) for name, step in RESULTS.items()}
    assert EditSession(opened, results).labels.any()
    entry = EditEntry(
        number=1, action="remove", at=((1, 2, 3),), applied=True, labels_before=(1,),
        labels_after=(0,), voxels_changed=9,
    )  # fmt: skip
    results["segmentation_log"] = results["segmentation_log"].model_copy(update={"edits": (entry,)})
    with pytest.raises(InputError, match="edits that the last run replayed were changed"):
        EditSession(opened, results)


def test_command_and_pipeline_export_the_same_files(on_demo, kedro, demo, tmp_path):
    done = on_demo("export", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    ran = kedro("run", "--env", "test", "--pipelines", "export", data=demo)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    written = {file.name: file.read_bytes() for file in tmp_path.glob("[!.]*")}
    piped = demo / "08_reporting" / "exports"
    assert {file.name for file in piped.glob("[!.]*")} == set(written)
    for name in ("grains.vti", "grain_table.csv", "interfaces.msh"):
        assert (piped / name).read_bytes() == written[name], name
    labels = zarr.open_group(demo / "07_model_output/grain_label_volume.ome.zarr", mode="r")["0"]
    assert (tifffile.imread(piped / "grains.tif") == labels[...]).all()


def test_a_project_made_from_slices_alone_runs(demo, tmp_path):
    own = tmp_path / "own"
    words = ("--scans", demo / "01_raw" / "ebsd_scans", "--slice-spacing-nm", "50")
    made = electrode_grains("init", own, *words, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    ran = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--pipelines",
         "orientation_annotation,preprocessing"],
        cwd=own, env=dict(os.environ), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    primary = Path(own / "data" / "03_primary")
    volume = zarr.open_group(primary / "image_quality_volume.ome.zarr", mode="r")
    first = zarr.open_group(demo / "03_primary/image_quality_volume.ome.zarr", mode="r")
    assert np.array_equal(volume["0"][...], first["0"][...], equal_nan=True)
    checked = electrode_grains("check", cwd=own)
    assert checked.returncode == 0, checked.stdout
    assert "4 labelled slices" in checked.stdout
