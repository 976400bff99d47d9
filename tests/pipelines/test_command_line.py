"""The commands a user types, run as a user runs them."""

import pandas as pd
import yaml
import zarr

from electrode_grains.datasets.results import ResultDataset


def test_the_demo_finds_grains(demo):
    table = pd.read_parquet(demo / "07_model_output" / "grain_table.parquet")
    assert len(table) > 5
    assert table["equivalent_diameter_nm"].between(50, 5000).all()


def test_the_demo_is_scored_against_its_truth(demo):
    scores = ResultDataset(filepath=str(demo / "08_reporting" / "segmentation_scores.json")).load()
    assert 0 <= scores["truth"]["adapted_rand_error"] < 1


def test_the_demo_leaves_tables_figures_and_one_page(demo):
    reporting = demo / "08_reporting"
    for number in range(1, 5):
        for suffix in (".csv", ".md", ".tex"):
            assert (reporting / "tables" / f"table_{number}{suffix}").stat().st_size > 0
    for number in range(1, 9):
        assert (reporting / "figures" / f"figure_{number}.png").stat().st_size > 1000
        assert (reporting / "figures" / f"figure_{number}.svg").stat().st_size > 1000
    page = (reporting / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert len(page) < 15_000_000


def test_the_volumes_share_one_shape(demo):
    shapes = {
        zarr.open_group(path, mode="r")["0"].shape[-3:] for path in demo.glob("0[2-7]_*/*.ome.zarr")
    }
    assert shapes == {(16, 48, 48)}


def test_mlflow_ranks_the_families(demo):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{demo / 'mlflow.db'}")
    experiments = {found.name: found.experiment_id for found in client.search_experiments()}
    assert {"particle", "boundary_model", "modelling"} <= set(experiments)
    (training,) = client.search_runs([experiments["boundary_model"]])
    assert training.info.status == "FINISHED"
    assert len(client.get_metric_history(training.info.run_id, "loss")) == 2
    assert training.data.params["boundary_model.training.epochs"] == "2"


def test_one_pipeline_runs_alone_with_another_setting(kedro, demo):
    done = kedro(
        *("run", "--env", "test", "--pipelines", "segmentation"),
        *("--params", "segmentation.grains.minima_depth=0.2"),
        data=demo,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_an_empty_raw_folder_is_answered_without_a_traceback(kedro, tmp_path):
    done = kedro("run", "--env", "test", data=tmp_path)
    assert done.returncode == 2
    shown = done.stderr
    assert "01_raw" in shown
    assert ".ang" in shown
    assert "make run" in shown
    assert "Traceback" not in shown


def test_an_impossible_setting_is_answered_without_a_traceback(kedro, tmp_path):
    done = kedro(
        *("run", "--env", "test", "--params", "segmentation.grains.minima_depth=7"),
        data=tmp_path,
    )
    assert done.returncode == 2
    assert "minima_depth" in done.stderr
    assert "less than 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_environment_turns_telemetry_on(project):
    assert yaml.safe_load((project / ".telemetry").read_text()) == {"consent": False}
