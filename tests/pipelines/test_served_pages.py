"""The pages of the flow and of experiments: served to this machine alone; the flow only shows."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

from electrode_grains.pipeline_registry import STEPS


@contextmanager
def served(page, project, data):
    """Serve a page of the test environment; gives its process and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = (page, "--env", "test", "--port", str(port))
    with subprocess.Popen(
        [sys.executable, "-m", "electrode_grains", *words],
        cwd=project, env={**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(data)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        try:
            yield process, port
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def port(project, tmp_path_factory):
    """Of a flow that is served."""
    with served("flow", project, tmp_path_factory.mktemp("flow")) as (_, port):
        yield port


def status(port, method, path, host, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": host, "Content-Type": "application/json"}
    with closing(connection):
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_flow_is_shown_to_this_machine(port):
    for host in ("127.0.0.1", f"127.0.0.1:{port}", f"localhost:{port}"):
        code, content = status(port, "GET", "/api/main", host)
        assert code == 200
        assert "grain_table" in {node["name"] for node in json.loads(content)["nodes"]}


def test_the_flow_opens_with_its_pipelines_closed_and_steps_by_their_short_names(port):
    _, content = status(port, "GET", "/api/pipelines/demo", "127.0.0.1")
    shown = json.loads(content)
    closed = {
        child["id"]
        for child in shown["modular_pipelines"]["__root__"]["children"]
        if child["type"] == "modularPipeline"
    }
    assert closed == {"acquisition", *STEPS}
    steps = {node["name"] for node in shown["nodes"] if node["type"] == "task"}
    assert {"read_stack", "train_network", "form_grains", "write_report"} <= steps


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "localhost.example.org"])
def test_a_page_of_another_name_is_not_answered(port, host):
    assert status(port, "GET", "/api/main", host)[0] == 400


def test_nothing_is_written_on_demand_of_a_page(port, tmp_path):
    wanted = {"platform": "local", "endpoint": str(tmp_path / "site"), "bucket_name": "x"}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        code, _ = status(port, method, "/api/deploy", "127.0.0.1", json.dumps(wanted))
        assert code == 405
    assert not list(tmp_path.iterdir())


def test_experiments_are_served_to_this_machine_until_a_signal(project, demo):
    with served("experiments", project, demo) as (process, port):
        refused = subprocess.run(
            [sys.executable, "-m", "electrode_grains", "experiments", "--env", "test",
             "--port", str(port)],
            cwd=project, capture_output=True, text=True, check=False,
            env={**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(demo)},
        )  # fmt: skip
        assert refused.returncode == 2
        assert "another program serves this port" in refused.stderr
        code, content = status(port, "GET", "/", "127.0.0.1")
        assert code == 200
        assert b"MLflow" in content
        assert status(port, "GET", "/", "example.org")[0] == 403
        process.send_signal(signal.SIGTERM)
        shown, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    for experiment in ("particle", "boundary_model", "modelling"):
        assert f"{experiment} " in shown
    assert "viewStateShareKey=electrode_grains" in shown
    assert "Traceback" not in shown
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port))  # MLflow ended too


def test_without_experiments_none_are_served(project, tmp_path):
    shutil.copytree(project / "conf" / "base", tmp_path / "conf" / "base")
    shutil.copy(project / "pyproject.toml", tmp_path)
    for folder in ("src", "conf/local"):
        (tmp_path / folder).mkdir()
    (tmp_path / "conf" / "local" / "mlflow.yml").write_text("enabled: false\n")
    done = subprocess.run(
        [sys.executable, "-m", "electrode_grains", "experiments"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "this project keeps no experiments" in done.stderr
