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

    contacts = pd.read_parquet(demo / "07_model_output/virtual_contact_table.parquet")

    assert model["simulations"] == 2
    assert volume.shape == (2, *labels.shape)
    assert spacing_of(volume) == spacing_of(labels)
    first = table.loc[table["particle"] == "particle_1"]
    again = characterize_grains(volume.to_numpy()[0], spacing_of(volume))
    assert (first["volume_nm3"].to_numpy() == again["volume_nm3"]).all()
    # Their neighbours are misoriented as those of the data.
    rows = comparison.set_index("quantity")
    angle = rows.loc["mean misorientation_angle"]
    assert abs(angle["virtual"] - angle["data"]) < 0.03
    assert set(contacts["particle"]) == {"particle_1", "particle_2"}
    # Virtual grains are of the size of those that they stand for.
    sizes = rows.loc["mean equivalent_diameter_nm"]
    assert abs(sizes["virtual"] / sizes["data"] - 1) < 0.25
    assert sizes["lower"] < sizes["data"] < sizes["upper"]
    figures = demo / "08_reporting/figures/figure_virtual_particles"
    assert {file.suffix for file in figures.parent.glob(f"{figures.name}*")} >= {".png", ".svg"}

    page = (demo / "08_reporting/virtual_particles.html").read_text(encoding="utf-8")
    assert "Virtual particles of test" in page
    assert page.count("<tr") == len(comparison) + 1
    assert "<script" not in page


def test_scenarios_vary_the_architecture(kedro, demo):
    for pipeline in ("generation", "scenarios"):
        done = kedro("run", "--env", "test", "--pipelines", pipeline, data=demo)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    table = pd.read_parquet(demo / "08_reporting/scenario_table.parquet").set_index("name")
    volume = read_volume(demo / "07_model_output/scenario_grain_label_volume.ome.zarr")
    assert list(table.index) == ["as_fitted", "open"]
    fitted, varied = volume.to_numpy() > 0
    assert table.loc["as_fitted", "open_share"] == 0
    assert abs(1 - varied.sum() / fitted.sum() - table.loc["open", "open_share"]) < 1e-6
    assert 0.055 < table.loc["open", "open_share"] < 0.08
    assert table.loc["open", "mean_c_axis_radial_angle"] < 1e-3
    for name in table.index:
        written = {file.name for file in (demo / "08_reporting/scenarios" / name).iterdir()}
        assert written == {"grains.vti", "grains.dream3d", "grains.tesr", "grain_table.csv"}
        again = pd.read_csv(demo / "08_reporting/scenarios" / name / "grain_table.csv")
        assert len(again) == table.loc[name, "grain_count"]
    assert "*ori\n" in (demo / "08_reporting/scenarios/open/grains.tesr").read_text()
    assert (demo / "08_reporting/figures/figure_scenarios.png").is_file()
