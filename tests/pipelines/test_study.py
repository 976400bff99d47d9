"""Studies end to end: grain maps, and virtual particles from their scans."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from electrode_grains.commands.study_run import read_status
from electrode_grains.commands.study_table import open_study
from electrode_grains.datasets.volume import read_volume
from electrode_grains.runs import file_digests
from pipelines.virtual_study import make_scans, make_study

pytestmark = pytest.mark.slow
ELECTRODE_GRAINS = [sys.executable, "-c", "from electrode_grains.commands import main; main()"]
QUICK = {
    "modelling": {
        "goodness": {"replicates": 19, "selection_replicates": 0},
        "sample": {"minimum_voxels": 8},
        "pairs": {"families": ["independence"], "rotations": [0]},
    }
}


def call(study, *words, **options):
    return subprocess.run(
        [*ELECTRODE_GRAINS, "study", *map(str, words), "--study", str(study)],
        capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


def make_map_study(folder, count):
    """A study of grain maps: bent cells of random points, finer ones in batch b."""
    from scipy.ndimage import gaussian_filter
    from scipy.spatial import cKDTree

    rows = ["id,grain_map,spacing_nm,laue_group,batch"]
    grid = np.stack(np.meshgrid(*map(np.arange, (20, 40, 40)), indexing="ij"), -1).reshape(-1, 3)
    for number in range(count):
        rng = np.random.default_rng(number)
        points = rng.random((260 if number % 2 else 150, 3)) * (20, 40, 40)
        bend = [gaussian_filter(rng.standard_normal((20, 40, 40)), 1.5) for _ in range(3)]
        place = grid + 8 * np.stack(bend, -1).reshape(-1, 3)
        labels = cKDTree(points).query(place)[1].astype(np.int32) + 1
        np.save(folder / f"m{number}.npy", labels.reshape(20, 40, 40))
        batch = "ab"[number % 2]
        rows.append(f'p{number},m{number}.npy,"50,50,50",-3m,{batch}')
    (folder / "particles.csv").write_text("\n".join(rows) + "\n")
    settings = {
        "settings": QUICK,
        "sample": {"minimum_voxels": 8},
        "pool": {"minimum_grains": 8, "replicates": 99},
    }
    (folder / "study.yml").write_text(yaml.safe_dump(settings))
    return folder


def states(study):
    return {name: row["state"] for name, row in read_status(open_study(study)).items()}


def grain_tables(study):
    return {
        file.parents[2].name: pd.read_parquet(file)
        for file in study.glob("particles/*/data/07_model_output/grain_table.parquet")
    }


def test_grain_maps_are_computed_pooled_and_skipped_when_up_to_date(tmp_path):
    study = make_map_study(tmp_path, 3)
    before = file_digests(tmp_path.glob("m*.npy"))
    done = call(study, "run")
    assert done.returncode == 0, done.stdout + done.stderr
    tables = grain_tables(study)
    written = file_digests(study.glob("particles/*/data/07_model_output/grain_table.parquet"))
    again = call(study, "run", "--workers", 2)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "are up to date" in (study / "logs" / "p1.log").read_text()
    assert written == file_digests(
        study.glob("particles/*/data/07_model_output/grain_table.parquet")
    )
    assert file_digests(tmp_path.glob("m*.npy")) == before
    report = call(study, "report", "--no-open")
    assert report.returncode == 0, report.stdout + report.stderr
    pool = pd.read_parquet(study / "results" / "grains")
    assert len(pool) == sum(map(len, tables.values()))
    page = (study / "results" / "report.html").read_text("utf-8")
    assert 'href="../particles/p0/data/08_reporting/report.html"' in page
    client = MlflowClient(tracking_uri=f"sqlite:///{study / 'mlflow.db'}")
    (experiment,) = (each for each in client.search_experiments() if each.name == "study")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    assert len(runs) == 1 + 3


def test_virtual_particles_stand_for_a_group(tmp_path):
    study = make_map_study(tmp_path, 3)
    settings = yaml.safe_load((study / "study.yml").read_text())
    few = {"simulations": 1, "placements": 0, "relaxation": 2, "bootstrap": 20}
    settings["settings"]["generation"] = few
    (study / "study.yml").write_text(yaml.safe_dump(settings))
    assert call(study, "run").returncode == 0
    words = ("generate", "--particles", 2, "--group", "batch=a", "--no-open")
    made = call(study, *words)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "2 particles; simulations are seen through the window of p" in made.stdout
    folder = study / "results" / "virtual_batch_a"
    labels = read_volume(folder / "grain_label_volume.ome.zarr")
    assert labels.shape == (2, 20, 40, 40)
    grains = pd.read_parquet(folder / "grains.parquet")
    assert set(grains["particle"]) == {"particle_1", "particle_2"}
    comparison = pd.read_parquet(folder / "comparison.parquet").set_index("quantity")
    tables = grain_tables(study)
    pooled = pd.concat([tables["p0"], tables["p2"]])
    whole = pooled[~pooled["touches_window"] & (pooled["voxel_count"] >= 8)]
    assert comparison.loc["mean sphericity", "data"] == pytest.approx(whole["sphericity"].mean())
    # Again, into what it wrote itself; not over what it did not write.
    assert call(study, *words).returncode == 0
    (folder / "grains.csv").write_text("mine")
    refused = call(study, *words)
    assert refused.returncode == 2
    assert (folder / "grains.csv").read_text() == "mine"


def test_24_virtual_particles_end_to_end(tmp_path):
    """From scans and labels; takes an hour on two cores."""
    study = make_study(tmp_path, 24)
    scans = file_digests([tmp_path / "raw"])
    done = call(study, "run", "--workers", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert file_digests([tmp_path / "raw"]) == scans
    report = call(study, "report", "--no-open")
    assert report.returncode == 0, report.stdout + report.stderr
    status = read_status(open_study(study))
    assert len(status) == 24
    assert {row["state"] for row in status.values()} == {"done"}
    assert len(pd.read_parquet(study / "results" / "grains")["particle"].unique()) == 24


def test_a_virtual_particle_from_scans(tmp_path):
    make_scans(tmp_path / "raw", 3, 300.0)
    study = make_study(tmp_path / "s", 1)
    assert call(study, "run").returncode == 0
    assert states(study) == {"p00": "done"}
