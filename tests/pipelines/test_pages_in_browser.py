"""The pages that a whole run leaves, seen by a browser; skipped where there is no Chromium."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from browser import Browser, find_chromium

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium: install it, or name one in CHROMIUM"
)
LAYERS = [
    "raw", "intermediate", "primary", "feature", "model_input", "models", "model_output",
    "reporting",
]  # fmt: skip


def test_the_report_of_a_whole_run_opens_without_complaint(demo):
    page = (demo / "08_reporting" / "report.html").as_uri()
    with Browser() as browser:
        browser.open(page)
        for part in ("#particle", "#marginal-plot", "#pair-plot"):
            browser.wait(f"document.querySelector('{part}')?.dataset.ready")
        assert browser.errors == []
        assert {u.partition(":")[0] for u in browser.requests} <= {"file", "data", "blob"}
        assert browser.evaluate("document.querySelectorAll('#suspects img').length") > 0
        assert browser.evaluate("document.querySelectorAll('figure img').length") >= 16
        spoken = browser.spoken()
        for role in ("button", "checkbox", "combobox", "slider", "table", "link", "heading"):
            names = [name for kind, name in spoken if kind == role]
            assert names, role
            assert all(names), role  # a screen reader says what it is


@pytest.fixture
def viz(project, demo):
    """Address of kedro-viz over the finished run."""
    port = free_port()
    words = "viz", "run", "--env", "test", "--host", "127.0.0.1", "--port", str(port)
    process = subprocess.Popen(
        [sys.executable, "-m", "kedro", *words, "--no-browser"],
        cwd=project,
        env={**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(demo)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # its server is a process of its own
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/api/main")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def free_port():
    """Find a free port below those that a system hands out, which kedro-viz refuses."""
    for port in range(4200, 4400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise OSError("no free port from 4200 to 4399")


def wait_for(address, patience=120):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            with urlopen(address, timeout=10):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise TimeoutError(address)


@pytest.mark.slow
def test_kedro_viz_shows_the_flow_in_its_layers_with_previews(viz):
    with urlopen(f"{viz}/api/main", timeout=30) as answer:
        graph = json.load(answer)
    assert graph["layers"] == LAYERS
    nodes = {node["name"]: node["id"] for node in graph["nodes"]}
    previews = {
        "grain_table": "TablePreview",
        "table_1": "TablePreview",
        "particle_summary": "JSONPreview",
        "figure_7": "ImagePreview",
        "grain_label_volume": "ImagePreview",
        "candidate_chart": "PlotlyPreview",
    }
    for name, kind in previews.items():
        with urlopen(f"{viz}/api/nodes/{nodes[name]}", timeout=30) as answer:
            assert json.load(answer)["preview_type"] == kind, name
    with Browser() as browser:
        browser.open(viz)
        browser.wait("document.querySelectorAll('.pipeline-node').length > 60")
        layers = "[...document.querySelectorAll('.pipeline-layer-name')].map((x) => x.textContent)"
        assert browser.evaluate(layers) == LAYERS
