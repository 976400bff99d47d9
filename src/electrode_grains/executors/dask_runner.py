"""Steps of a run on the workers of dask.distributed."""

from __future__ import annotations

import copy
import functools
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kedro.pipeline import Node, Pipeline
from kedro.runner import ThreadRunner

from electrode_grains.blocks import ExecutorSettings
from electrode_grains.errors import RunError
from electrode_grains.executors.dask_executor import checked_client
from electrode_grains.threads import wanted_threads

if TYPE_CHECKING:
    from distributed import Client
    from kedro.io import CatalogProtocol
    from pluggy import PluginManager

MAIN_PROCESS = "main_process"
"""Tag of steps that log to MLflow as they go, or give blocks to workers themselves."""


class DaskRunner(ThreadRunner):
    """Has workers compute the steps, several at once where none waits for the other.

    Data are loaded and saved in this process, for one step at a time, so that hooks, manifests and
    MLflow see what they see in any run; only the function of a step runs elsewhere. The setting
    `compute` names the scheduler; without one, workers are processes of this machine. Steps with
    the tag `main_process` stay here.

    Examples
    --------
    ``kedro run --runner electrode_grains.executors.dask_runner.DaskRunner``
    """

    def _get_executor(self, max_workers: int) -> ThreadPoolExecutor:
        return _InTurn(self._turn, max_workers)

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        self._turn = threading.Lock()
        settings = ExecutorSettings.model_validate(catalog.load("parameters").get("compute", {}))
        count = settings.n_workers or wanted_threads()
        with checked_client(settings.scheduler_address, count, in_processes=True) as client:
            if settings.scheduler_address is None:
                client.run(_silence)
            client.forward_logging("electrode_grains", logging.INFO)
            steps = [self._elsewhere(node, client) for node in pipeline.nodes]
            super()._run(Pipeline(steps), catalog, hook_manager, run_id)

    @property
    def _logger(self) -> logging.Logger:
        return logging.getLogger(ThreadRunner.__module__)

    def _elsewhere(self, node: Node, client: Client) -> Node:
        """Copy of a step whose function is computed by a worker."""
        if MAIN_PROCESS in node.tags:
            return node
        function = node.func

        @functools.wraps(function)
        def remote(*args: Any, **kwargs: Any) -> Any:
            key = f"{node.name}-{uuid4().hex}"  # other runs may use the scheduler too
            with warnings.catch_warnings():
                # Data travel with the step: scattered, they would die with their worker.
                warnings.filterwarnings("ignore", "Sending large graph")
                future = client.submit(function, *args, **kwargs, key=key, pure=False)
            with _others_may(self._turn):
                return _result(future, node)

        moved = copy.copy(node)
        moved.func = remote
        return moved


class _InTurn(ThreadPoolExecutor):
    """Threads of which one works at a time: matplotlib and hooks know no others."""

    def __init__(self, turn: threading.Lock, max_workers: int) -> None:
        super().__init__(max_workers)
        self._turn = turn

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def alone() -> Any:
            with self._turn:
                return task(*args, **kwargs)

        return super().submit(alone)


@contextmanager
def _others_may(turn: threading.Lock) -> Iterator[None]:
    turn.release()
    try:
        yield
    finally:
        turn.acquire()


def _result(future: Any, node: Node) -> Any:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise RunError(
            "the workers that computed a step have died",
            where=node.name,
            found=str(error).splitlines()[0][:300],
            remedy="look at their memory and logs; the same command goes on with this step",
        ) from error


def _silence() -> None:
    """Leave what a worker of this run has to say to the process that asked it."""
    import kedro.framework.project  # noqa: F401  # it sets logging up when it is imported

    logging.getLogger().handlers.clear()
