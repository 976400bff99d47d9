"""From plane sections to grains in space."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from electrode_grains.datasets.sections import read_sections
from electrode_grains.datasets.volume import read_volume
from electrode_grains.pipelines.sections.nodes import label_sections, measure_sections
from electrode_grains.pipelines.sections.settings import SectionSettings

PLANES = (4, 10, 16)


def electrode_grains(*words, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "electrode_grains", *map(str, words)],
        cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def labels(demo, tmp_path):
    """Folder with images of true grains in three planes."""
    folder = tmp_path / "labels"
    folder.mkdir()
    grains = read_volume(demo / "01_raw/acquired_label_stack.ome.zarr").to_numpy()
    for z in PLANES:
        Image.fromarray(grains[z].astype(np.uint16)).save(folder / f"plane_{z:02d}.png")
    return folder


def test_label_images_and_ebsd_maps_show_the_same_profiles(labels, demo, tmp_path):
    """Profiles of the true grains, and of those that are linked in the scans of the same planes."""
    maps = tmp_path / "maps"
    maps.mkdir()
    for z in PLANES:
        shutil.copy(demo / f"01_raw/ebsd_scans/slice_{z:03d}.ang", maps)
    drawn = label_sections(read_sections(labels), SectionSettings(pixel_nm=50.0))
    linked = label_sections(read_sections(maps), SectionSettings())
    assert linked.names == tuple(f"slice_{z:03d}.ang" for z in PLANES)
    assert linked.pixel_nm == drawn.pixel_nm == 50
    true, found = measure_sections(drawn), measure_sections(linked)
    assert len(true) > 50
    assert len(found) == pytest.approx(len(true), rel=0.15)
    columns = ["equivalent_diameter_nm", "circularity", "aspect_ratio"]
    assert found[columns].mean().to_numpy() == pytest.approx(true[columns].mean(), rel=0.06)


@pytest.mark.slow  # two dozen simulations
def test_sections_become_grains_in_space(labels, tmp_path):
    project = tmp_path / "own"
    told = electrode_grains("init", project, "--sections", labels, "--step-nm", 50, cwd=tmp_path)
    assert "3 sections with pixels of 50 nm" in told
    settings = project / "conf/local/parameters.yml"
    settings.write_text(
        settings.read_text() + "  simulations: 2\n  simulated_grains: 400\n  shape: [20, 40, 40]\n"
    )
    electrode_grains("run", cwd=project)
    model = json.loads((project / "data/07_model_output/section_model.json").read_text())
    assert model["voxel_nm"] == 50
    comparison = pd.read_parquet(project / "data/08_reporting/section_comparison.parquet")
    assert comparison["where"].value_counts().to_dict() == {"space": 14, "section": 10}
    volume = read_volume(project / "data/07_model_output/virtual_grain_label_volume.ome.zarr")
    assert volume.shape == (1, 20, 40, 40)
    assert (project / "data/08_reporting/figures/figure_sections.png").exists()
    assert "up to date" in electrode_grains("run", cwd=project)


@pytest.mark.slow  # a dozen simulations
def test_sections_fill_the_shell_of_a_tomogram(labels, tmp_path):
    particle = np.linalg.norm(np.indices((24, 24, 24)) - 11.5, axis=0) < 9
    np.save(tmp_path / "tomogram.npy", particle.astype(np.uint8))
    before = (tmp_path / "tomogram.npy").read_bytes()
    project = tmp_path / "own"
    words = ("init", project, "--sections", labels, "--step-nm", 50)
    shell = ("--shell", tmp_path / "tomogram.npy", "--spacing", "100,100,100")
    told = electrode_grains(*words, *shell, cwd=tmp_path)
    assert "outer shell from a volume of 2.4 x 2.4 x 2.4 um" in told
    settings = project / "conf/local/parameters.yml"
    settings.write_text(settings.read_text() + "  simulations: 2\n  simulated_grains: 400\n")
    electrode_grains("run", cwd=project)
    volume = read_volume(project / "data/07_model_output/virtual_grain_label_volume.ome.zarr")
    assert volume.shape == (1, 48, 48, 48)
    filled = np.count_nonzero(volume.to_numpy()) * 50.0**3
    assert filled == pytest.approx(4 / 3 * np.pi * 900.0**3, rel=0.15)
    assert (tmp_path / "tomogram.npy").read_bytes() == before
    assert "up to date" in electrode_grains("run", cwd=project)
