"""Virtual particles from the results of a run."""

import json

import pandas as pd

from electrode_grains.datasets.volume import read_volume
from electrode_grains.morphometry import characterize_grains
from electrode_grains.volumes import spacing_of


def test_a_run_makes_virtual_particles_and_sets_them_beside_the_data(kedro, demo):
    done = kedro("run", "--env", "test", "--pipelines", "generation", data=demo)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    model = json.loads((demo / "07_model_output/architecture_model.json").read_text())
    volume = read_volume(demo / "07_model_output/virtual_grain_label_volume.ome.zarr")
    table = pd.read_parquet(demo / "07_model_output/virtual_grain_table.parquet")
    comparison = pd.read_parquet(demo / "08_reporting/generation_comparison.parquet")
    labels = read_volume(demo / "07_model_output/grain_label_volume.ome.zarr")

    assert model["simulations"] == 2
    assert volume.shape == (2, *labels.shape)
    assert spacing_of(volume) == spacing_of(labels)
    first = table.loc[table["particle"] == "particle_1"]
    again = characterize_grains(volume.to_numpy()[0], spacing_of(volume))
    assert (first["volume_nm3"].to_numpy() == again["volume_nm3"]).all()
    # Virtual grains are of the size of those that they stand for.
    sizes = comparison.set_index("quantity").loc["mean equivalent_diameter_nm"]
    assert abs(sizes["virtual"] / sizes["data"] - 1) < 0.25
    assert sizes["lower"] < sizes["data"] < sizes["upper"]
    figures = demo / "08_reporting/figures/figure_virtual_particles"
    assert {file.suffix for file in figures.parent.glob(f"{figures.name}*")} >= {".png", ".svg"}
