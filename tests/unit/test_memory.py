"""Memory that a run will take, told and refused before its first step."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from PIL import Image

from electrode_grains.boundary.settings import TrainingSettings
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.datasets.tables import ParquetDataset
from electrode_grains.ebsd import ReadingOptions
from electrode_grains.memory import training_bytes, voxels_of
from electrode_grains.runs import Manifest, manifest_path
from electrode_grains.runs.machine import memory_limits


def _work(*_):
    return 1


def voxels(datasets):
    steps = Pipeline([Node(_work, list(datasets), "made", name="work")])
    return voxels_of(steps, DataCatalog(datasets))


def test_voxels_are_slices_times_points_of_the_first(tmp_path):
    for z in range(8):
        Image.fromarray(np.full((24, 28), z, np.uint8)).save(tmp_path / f"slice_{z}.png")
    options = ReadingOptions(step_nm=50.0)
    stack = SimpleNamespace(reading_options=lambda: options)
    scans = ScanFolderDataset(path=str(tmp_path))
    found = voxels({"ebsd_scans": scans, "params:preprocessing.stack": MemoryDataset(stack)})
    assert found == 8 * 24 * 28


def test_voxels_are_those_of_a_virtual_particle_or_of_the_largest_recorded_volume(tmp_path):
    particle = SimpleNamespace(shape=(4, 5, 6))
    assert voxels({"params:acquisition.particle": MemoryDataset(particle)}) == 120
    for name, shape in (("a", [5, 7, 8, 9]), ("b", [2, 3, 4]), ("c", None)):
        file = tmp_path / f"{name}.parquet"
        pd.DataFrame({"x": [1]}).to_parquet(file)
        Manifest(name, {}, None, schema={"shape": shape} if shape else {}).write(
            manifest_path(name, file)
        )
    kept = {n: ParquetDataset(filepath=str(tmp_path / f"{n}.parquet")) for n in "abcd"}
    assert voxels(kept) == 7 * 8 * 9
    assert voxels({"d": kept["d"]}) == 0


def test_windows_of_the_training_take_memory_by_their_size_and_the_features():
    def needed(**settings):
        name = "params:boundary_model.training"
        catalog = DataCatalog({name: MemoryDataset(TrainingSettings(**settings))})
        steps = Pipeline([Node(_work, [name], "made", name="train")])
        return training_bytes(steps, catalog)

    assert needed(window_shape=(80, 80, 80), base_width=32, batch_size=1) > 1e9
    assert needed(window_shape=(80, 80, 80)) == needed(window_shape=(77, 79, 80))  # padded
    assert needed(batch_size=4) == 2 * needed(batch_size=2)
    assert training_bytes(Pipeline([]), DataCatalog({})) == 0


def test_the_memory_of_the_machine_is_a_limit():
    what, size, _ = next(memory_limits())
    assert what == "memory of this machine"
    assert size > 1e8


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash sets the limit")
def test_a_run_that_does_not_fit_is_refused_with_what_it_takes(project, tmp_path):
    run = f"ulimit -v 1300000; exec {sys.executable} -m kedro run --env test --pipelines demo"
    done = subprocess.run(
        ["bash", "-c", run], cwd=project,
        env={**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(tmp_path)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert "about 1.0 GB of memory for 72,000 voxels" in " ".join(done.stdout.split())
    assert "the run does not fit into the address space" in done.stderr
    assert "1.3 GB" in done.stderr
    assert not (tmp_path / "01_raw").exists()
