"""`kedro run` on workers of dask: same files, manifests and experiments as in one process."""

import shutil

from mlflow import MlflowClient

from electrode_grains.runs import file_digests

RUNNER = "electrode_grains.executors.dask_runner.DaskRunner"
PIPELINES = "preprocessing,segmentation,characterization"
FOLDERS = ("02_intermediate", "03_primary", "07_model_output")


def results(folder):
    """Digests of files but for manifests, which tell the time a step took."""
    found = file_digests([folder])
    return {name: digest for name, digest in found.items() if ".manifests" not in str(name)}


def test_workers_make_the_same_files_and_the_next_run_has_nothing_to_do(kedro, demo, tmp_path):
    data = shutil.copytree(demo, tmp_path / "demo")
    words = ("run", "--env", "test", "--pipelines", PIPELINES)
    done = kedro(*words, "--force", "--runner", RUNNER, data=data)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "grains" in done.stdout
    for folder in FOLDERS:
        made, expected = (results(place / folder) for place in (data, demo))
        assert made == expected
        assert made
    client = MlflowClient(tracking_uri=f"sqlite:///{data / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("particle")
    assert client.search_runs([experiment.experiment_id])[0].info.status == "FINISHED"
    again = kedro(*words, data=data)
    assert "nothing to do" in again.stdout
