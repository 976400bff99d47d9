"""A small virtual particle as .ang slices with labels, and commands run in this process."""

import logging
import shutil

import pytest
from click.testing import CliRunner

from electrode_grains.commands import main
from electrode_grains.datasets.folders import AnnotationFolderDataset, ScanFolderDataset
from electrode_grains.pipelines.acquisition.nodes import grow_particle, scan_particle
from electrode_grains.pipelines.acquisition.settings import ParticleSettings, ScanSettings


@pytest.fixture(scope="session")
def acquired(tmp_path_factory):
    """Folder with `scans` and `labels` of 8 slices."""
    particle, _ = grow_particle(
        ParticleSettings(
            shape=(8, 24, 28),
            spacing_nm=(50.0, 50.0, 50.0),
            joined_cells={"mean_diameter_nm": 300.0, "diameter_shape_nm": 2700.0},
            seed=20,
        )
    )
    scans, labels, _, _ = scan_particle(
        particle,
        ScanSettings(
            annotated_slices=(2, 5), annotation_error=0.0, noise=1.0, misindexed_share=0.04,
            drift_px=0.5, rotation_degrees=0.1, thickness_jitter=0.1, curtaining=0.0,
            brightness_drift=0.0, seed=21,
        ),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("acquired")
    ScanFolderDataset(path=str(folder / "scans")).save(scans)
    AnnotationFolderDataset(path=str(folder / "labels")).save(labels)
    return folder


@pytest.fixture
def slices(acquired, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(acquired, tmp_path / "slices")


@pytest.fixture
def command(monkeypatch):
    """Run a command; logging and environment stay as they were."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("KEDRO_LOGGING_CONFIG", "")
    monkeypatch.delenv("KEDRO_LOGGING_CONFIG")
    monkeypatch.syspath_prepend("")
    level = logging.getLogger("kedro").level

    def run(*words):
        return CliRunner().invoke(main, [str(word) for word in words])

    yield run
    logging.getLogger("kedro").setLevel(level)


@pytest.fixture
def own_project(command, acquired, tmp_path):
    """A new project with labels."""
    done = command("init", tmp_path / "nmc", "--scans", acquired / "scans", "--annotations",
                   acquired / "labels", "--slice-spacing-nm", 50)  # fmt: skip
    assert done.exit_code == 0, done.output
    return tmp_path / "nmc"
