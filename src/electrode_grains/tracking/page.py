"""MLflow's own page over the experiments of a project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from electrode_grains.tracking.store import TrackingSettings, make_store, store_address
from electrode_grains.tracking.views import save_views

HOST, PORT = "127.0.0.1", 5000


def addresses(settings: TrackingSettings, project: Path, page: str) -> dict[str, str]:
    """Where the page shows each experiment, with columns chosen.

    Parameters
    ----------
    settings : TrackingSettings
    project : Path
        Folder that relative paths of the store are inside.
    page : str
        Address of the page, such as ``http://127.0.0.1:5000``.

    Returns
    -------
    dict of str to str
        By experiment; empty before the first run.
    """
    from mlflow import MlflowClient

    store = store_address(settings, project)
    make_store(store, project / settings.artifact_root)
    paths = save_views(MlflowClient(tracking_uri=store))
    return {name: page + path for name, path in paths.items()}


def serve(settings: TrackingSettings, project: Path, port: int = PORT) -> int:
    """Show the page to this machine alone until a signal ends it; returns MLflow's exit code."""
    words = ("-m", "mlflow", "server", "--host", HOST, "--port", str(port))
    store = ("--backend-store-uri", store_address(settings, project))
    quiet = ("--uvicorn-opts", "--log-level warning")  # else the addresses scroll away
    silent = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "PYTHONWARNINGS": "ignore",
    }
    with subprocess.Popen(
        [sys.executable, *words, *store, *quiet], cwd=project, env={**os.environ, **silent}
    ) as server:
        try:
            return server.wait()
        finally:
            server.terminate()
