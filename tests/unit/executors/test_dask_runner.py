"""Steps on workers that are processes: results, refusals, deaths, and what stays here."""

import os

import pytest
from kedro.framework.hooks.manager import _NullPluginManager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from electrode_grains.errors import InputError, RunError
from electrode_grains.executors.dask_runner import DaskRunner


def twice(x):
    return 2 * x, os.getpid()


def here(x):
    return x + 1, os.getpid()


def total(a, b):
    return a + b


def refuse(x):
    raise InputError("this is no slice", where=f"slice {x}", remedy="scan it again")


def die(x):
    os._exit(9)


def run(steps, **compute):
    given = {"x": MemoryDataset(20), "parameters": MemoryDataset({"compute": compute})}
    outputs = DaskRunner().run(Pipeline(steps), DataCatalog(given), _NullPluginManager())
    return {name: dataset.load() for name, dataset in outputs.items()}


@pytest.mark.parametrize("workers", [1, 2])
def test_steps_are_computed_elsewhere_but_those_that_belong_here(workers):
    found = run(
        [
            Node(twice, "x", ["doubled", "elsewhere"], name="twice"),
            Node(here, "x", ["more", "at_home"], name="here", tags="main_process"),
            Node(total, ["doubled", "more"], "sum", name="total"),
        ],
        n_workers=workers,
    )
    assert found["sum"] == 40 + 21
    assert found["at_home"] == os.getpid() != found["elsewhere"]


def test_a_refusal_of_a_step_stays_one():
    with pytest.raises(InputError, match="this is no slice") as refused:
        run([Node(refuse, "x", "y", name="refuse")], n_workers=1)
    assert refused.value.where == "slice 20"


def test_a_step_whose_workers_die_is_named():
    with pytest.raises(RunError, match="workers that computed a step have died") as refused:
        run([Node(die, "x", "y", name="die")], n_workers=1)
    assert refused.value.where == "die"


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch):
    monkeypatch.setattr("electrode_grains.executors.dask_client.CONNECT_SECONDS", 1)
    with pytest.raises(RunError, match="scheduler cannot be reached"):
        run([Node(here, "x", ["more", "at_home"], name="here")], executor="dask",
            scheduler_address="tcp://127.0.0.1:9")  # fmt: skip
