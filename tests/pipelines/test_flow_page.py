"""The page of the flow: served to this machine alone, and for looking only."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest

from electrode_grains.pipeline_registry import STEPS


@pytest.fixture(scope="module")
def port(project, tmp_path_factory):
    """Of a page that is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    data = {"ELECTRODE_GRAINS_TEST_DATA": str(tmp_path_factory.mktemp("flow"))}
    with subprocess.Popen(
        [sys.executable, "-m", "electrode_grains.flow_page", "test", str(number)],
        cwd=project, env={**os.environ, **data},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", number)) == 0:
                    break
            time.sleep(0.2)
        yield number
        process.terminate()


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
