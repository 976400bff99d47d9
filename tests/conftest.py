"""Shared by all tests: nothing is reported anywhere, nothing is written into the project."""

import os
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["proofs"]

os.environ["DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("OMP_NUM_THREADS", "2")

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Workers that compile at once overwrite each other's cache, which then crashes for good.
    own_cache = Path(tempfile.gettempdir()) / f"electrode-grains-numba-{worker}"
    os.environ["NUMBA_CACHE_DIR"] = str(own_cache)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Say how a worker died: pytest-xdist says only that it did."""
    if error:
        process = node.gateway._io.popen
        ended = process.wait(timeout=30)
        memory = psutil.virtual_memory()
        sys.stderr.write(
            f"\n{node.gateway.id} ended with {ended} (a signal where negative); "
            f"{memory.available >> 20} of {memory.total >> 20} MB of memory are free\n"
        )


# No test may fail because a machine is slow, nor by a chance that nobody can repeat.
settings.register_profile(
    "project",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("project")

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT
