"""The commands a user types, run as a user runs them."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
import zarr
from kedro.framework.startup import bootstrap_project
from PIL import Image

from electrode_grains.datasets.results import ResultDataset
from electrode_grains.ebsd import read_scan
from electrode_grains.errors import SettingsError
from electrode_grains.runs.session import asked_steps


def result(demo, layer, name):
    return ResultDataset(filepath=str(demo / layer / f"{name}.json")).load()


def test_the_demo_finds_grains(demo):
    table = pd.read_parquet(demo / "07_model_output" / "grain_table.parquet")
    assert len(table) > 60
    assert table["equivalent_diameter_nm"].between(50, 2000).all()


def test_the_demo_is_scored_against_its_truth(demo):
    """A tiny network trained for seconds; chance would match no grain at all."""
    truth = result(demo, "08_reporting", "segmentation_scores")["truth"]
    assert truth["matched"]["f1"] > 0.3
    assert truth["adapted_rand_error"] < 0.7


def test_the_demo_fits_marginals_and_copulas(demo):
    marginals = result(demo, "07_model_output", "marginal_fits")["characteristics"]
    assert all(fits["best"] for fits in marginals.values())
    assert abs(marginals["sphericity"]["candidates"][0]["mean"] - 0.85) < 0.15
    pairs = result(demo, "07_model_output", "copula_fits")["pairs"]
    assert ("polar_angle", "azimuthal_angle") in {(pair["x"], pair["y"]) for pair in pairs}
    assert all(len(pair["candidates"]) == 34 for pair in pairs)  # 33, and independence
    compared = pd.read_parquet(demo / "08_reporting" / "family_comparison.parquet")
    weights = compared.groupby("subject")["akaike_weight"].sum()
    assert weights.to_numpy() == pytest.approx(1)


def test_the_demo_leaves_tables_figures_and_one_page(demo):
    reporting = demo / "08_reporting"
    for number in range(1, 5):
        for suffix in (".csv", ".md", ".tex"):
            assert (reporting / "tables" / f"table_{number}{suffix}").stat().st_size > 0
    for number in range(1, 9):
        assert (reporting / "figures" / f"figure_{number}.png").stat().st_size > 1000
        for kind in ("svg", "pdf"):
            assert (reporting / "figures" / f"figure_{number}.{kind}").stat().st_size > 1000
    page = (reporting / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert len(page) < 15_000_000


def test_the_volumes_share_one_shape(demo):
    shapes = {
        zarr.open_group(path, mode="r")["0"].shape[-3:] for path in demo.glob("0[2-7]_*/*.ome.zarr")
    }
    assert shapes == {(20, 60, 60)}


def test_mlflow_ranks_the_families(demo):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{demo / 'mlflow.db'}")
    experiments = {found.name: found.experiment_id for found in client.search_experiments()}
    assert {"particle", "boundary_model", "modelling"} <= set(experiments)
    (training,) = client.search_runs([experiments["boundary_model"]])
    assert training.info.status == "FINISHED"
    assert len(client.get_metric_history(training.info.run_id, "loss")) == 2
    assert training.data.params["boundary_model.training.epochs"] == "2"
    assert (
        training.data.tags["data.fingerprint"]
        == result(demo, "02_intermediate", "scan_index")["fingerprint"]
    )
    (fitting,) = client.search_runs(
        [experiments["modelling"]], "params.modelling.sample.minimum_voxels = '8'"
    )
    ranked = client.search_runs(
        [experiments["modelling"]],
        f"tags.mlflow.parentRunId = '{fitting.info.run_id}' and params.subject = 'sphericity'",
        order_by=["metrics.aic ASC"],
    )
    best = result(demo, "07_model_output", "marginal_fits")["characteristics"]["sphericity"]
    finite = [run for run in ranked if "aic" in run.data.metrics]
    assert finite[0].data.params["family"] == best["best"]


@pytest.fixture
def copy_of_demo(demo, tmp_path):
    """All results once more, for tests that change them."""
    return shutil.copytree(demo, tmp_path / "demo")


def test_one_pipeline_runs_alone_with_another_setting(kedro, demo, copy_of_demo):
    done = kedro(
        *("run", "--env", "test", "--pipelines", "segmentation"),
        *("--params", "segmentation.grains.minima_depth=0.2"),
        data=copy_of_demo,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    fewer = result(copy_of_demo, "08_reporting", "segmentation_scores")["grain_count"]
    assert fewer < result(demo, "08_reporting", "segmentation_scores")["grain_count"]


@pytest.mark.slow  # the whole chain once more
def test_a_second_run_gives_the_same_tables_and_fits(kedro, demo, copy_of_demo):
    steps = "boundary_model,segmentation,characterization,modelling"
    output = copy_of_demo / "07_model_output"
    for file in output.glob("*.[jp]*"):
        file.unlink()
    done = kedro("run", "--env", "test", "--force", "--pipelines", steps, data=copy_of_demo)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    for name in ("marginal_fits.json", "copula_fits.json", "segmentation_log.json"):
        first, second = (folder / "07_model_output" / name for folder in (demo, copy_of_demo))
        assert first.read_bytes() == second.read_bytes(), name
    for name in ("grain_table", "contact_table"):
        first, second = (
            pd.read_parquet(folder / "07_model_output" / f"{name}.parquet")
            for folder in (demo, copy_of_demo)
        )
        assert first.equals(second), name


def test_an_empty_raw_folder_is_answered_without_a_traceback(kedro, tmp_path):
    done = kedro("run", "--env", "test", data=tmp_path)
    assert done.returncode == 2
    shown = done.stderr
    assert "01_raw" in shown
    assert ".ang" in shown
    assert "electrode-grains demo" in shown
    assert "Traceback" not in shown


def test_all_problems_of_a_stack_are_answered_in_one_table(kedro, copy_of_demo):
    scans = copy_of_demo / "01_raw" / "ebsd_scans"
    (scans / "slice_003.ang").unlink()
    cut = scans / "slice_007.ang"
    cut.write_text(cut.read_text()[:-5000])
    done = kedro("run", "--env", "test", "--pipelines", "preprocessing", data=copy_of_demo)
    assert done.returncode == 2
    assert "2 problems in a stack of 19 slices" in done.stderr
    assert "no 3" in done.stderr
    assert "slice_007.ang" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stack_of_grey_images_is_aligned_like_the_scans(kedro, copy_of_demo):
    scans = copy_of_demo / "01_raw" / "ebsd_scans"
    # Images hold no lattice, so that those of the scans must not bear witness either.
    images_only = ",".join(
        f"preprocessing.alignment.{name}=false" for name in ("lattice_rotation", "require_evidence")
    )
    done = kedro(
        *("run", "--env", "test", "--pipelines", "preprocessing", "--params", images_only),
        data=copy_of_demo,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    first = result(copy_of_demo, "02_intermediate", "slice_transforms")
    for file in scans.glob("*.ang"):
        quality = read_scan(file)["image_quality"].to_numpy()
        tifffile.imwrite(file.with_suffix(".tif"), quality)
        file.unlink()
    done = kedro(
        *("run", "--env", "test", "--pipelines", "preprocessing"),
        *("--params", f"{images_only},preprocessing.stack.step_nm=50"),
        data=copy_of_demo,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    second = result(copy_of_demo, "02_intermediate", "slice_transforms")
    assert first.pop("frame_verdict").startswith("frames edax_2: fits")
    assert second.pop("frame_verdict") == ""  # nothing to judge by
    for lattice in ("agreement_before", "agreement_after"):
        assert isinstance(first["evidence"].pop(lattice), float)
        assert second["evidence"].pop(lattice) is None
    assert first == second
    assert result(copy_of_demo, "02_intermediate", "scan_index")["indexed_share"] == 0


def test_an_impossible_setting_is_answered_without_a_traceback(kedro, tmp_path):
    done = kedro(
        *("run", "--env", "test", "--params", "segmentation.grains.minima_depth=7"),
        data=tmp_path,
    )
    assert done.returncode == 2
    assert "minima_depth" in done.stderr
    assert 'not "auto" and not between 0 and 1' in done.stderr
    assert "pydantic" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_raw_data_are_looked_for_before_the_first_step(kedro, copy_of_demo):
    words = ("run", "--env", "test", "--pipelines", "preprocessing,segmentation", "--force")
    labels, edits = (copy_of_demo / "01_raw" / name for name in ("slice_annotations", "edits.yml"))

    def refusal():
        done = kedro(*words, data=copy_of_demo)
        assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-2000:]
        assert "step 1 of" not in done.stdout + done.stderr
        return done.stderr

    edits.write_text("- {action: [")
    assert "edits is not YAML" in refusal()
    edits.unlink()
    image = next(labels.glob("*.png"))
    Image.fromarray(np.full((60, 60), 7, np.uint8)).save(image)
    assert "unknown classes" in refusal()
    for file in labels.glob("*.png"):
        file.unlink()
    assert "no slice is labelled" in refusal()
    shutil.rmtree(labels)
    assert "no slice is labelled" in refusal()


def test_missing_results_are_named_before_anything_runs(kedro, tmp_path):
    done = kedro("run", "--env", "test", "--pipelines", "segmentation,modelling", data=tmp_path)
    assert done.returncode == 2
    assert "no class_probability_volume" in done.stderr
    wanted = "--pipelines preprocessing,boundary_model,segmentation,characterization"
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())  # not even an experiment was opened


def test_a_pipeline_that_does_not_exist_is_answered_with_those_that_do(kedro, tmp_path):
    done = kedro("run", "--env", "test", "--pipelines", "segmentaton", data=tmp_path)
    assert done.returncode == 2
    assert "segmentaton" in done.stderr
    assert "boundary_model" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_environment_that_does_not_exist_is_answered_with_those_that_do(kedro, tmp_path):
    done = kedro("run", "--env", "tset", data=tmp_path)
    assert done.returncode == 2
    assert "there is no such environment" in done.stderr
    assert "demo, local, paper, real, test" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_environment_turns_telemetry_on(project):
    assert yaml.safe_load((project / ".telemetry").read_text()) == {"consent": False}


@pytest.mark.parametrize(
    ("option", "given", "nearest"),
    [
        ("--nodes", "find_basin", "find_basins"),
        ("--from-nodes", "form_grain", "form_grains"),
        ("--to-outputs", "grain_label_volumes", "grain_label_volume"),
    ],
)
def test_a_misspelt_step_or_dataset_is_answered_with_those_that_are_alike(
    project, option, given, nearest
):
    bootstrap_project(project)
    options = {option.removeprefix("--").replace("-", "_"): [given]}
    nodes = options.pop("nodes", None)
    with pytest.raises(SettingsError) as refusal:
        asked_steps(["segmentation"], nodes, options)
    assert refusal.value.where == option
    assert refusal.value.found == given
    assert nearest in refusal.value.expected


def test_no_warning_of_this_package_is_raised_where_python_turns_them_into_errors(
    kedro_command, tmp_path, monkeypatch
):
    """Kedro, pydantic and MLflow use what they call deprecated; that is theirs to mend."""
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    done = kedro_command(
        "run", "--env", "test", "--pipelines", "acquisition,preprocessing", data=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_comparison_of_no_particles_is_refused_with_the_folder(kedro, tmp_path):
    done = kedro("run", "--env", "test", "--pipelines", "comparison", data=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "a folder that has to be filled by hand is empty or missing" in done.stderr
    assert "compared_grain_tables" in done.stderr
