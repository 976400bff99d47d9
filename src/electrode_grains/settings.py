"""Project settings of Kedro: hooks, configuration sources, telemetry off."""

import logging
import os
import warnings

from electrode_grains.threads import thread_variables

# Nothing this project does is reported to anybody, unless a user says so.
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

os.environ.update(thread_variables())  # before a library that computes is loaded

from electrode_grains.configuration import RUNS, RefusingConfigLoader
from electrode_grains.hooks import ExperimentTracking, Prerequisites, Progress
from electrode_grains.memory import MemoryCheck
from electrode_grains.runs.hooks import ManifestHooks
from electrode_grains.runs.session import IncrementalSession
from electrode_grains.text import PrintableRecord

logging.setLogRecordFactory(PrintableRecord)
# `python -W error` is about this package: what others call that is deprecated, they have to mend.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="(?!electrode_grains)")


class Session(IncrementalSession):
    """Runs of this project."""

    configuration = RUNS


HOOKS = (MemoryCheck(), Prerequisites(), Progress(), ExperimentTracking(), ManifestHooks(RUNS))
SESSION_CLASS = Session
CONFIG_LOADER_CLASS = RefusingConfigLoader
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro_telemetry")


def read_environment(name: str, fallback: str = "") -> str:
    """Resolve `${env:NAME,fallback}` in configuration files."""
    return os.environ.get(name) or fallback


CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*"]},
    # An environment states what differs from base, leaf by leaf.
    "merge_strategy": {"parameters": "soft", "mlflow": "soft", "globals": "soft"},
    "custom_resolvers": {"env": read_environment},
}
