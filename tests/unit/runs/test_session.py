"""What a session runs, in which order it asks, and what it says; Kedro's own run is replaced."""

import logging
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from electrode_grains.datasets.results import ResultDataset
from electrode_grains.errors import InputError, RunError, SettingsError
from electrode_grains.runs import ProjectCode, project, refuse_if_held, session
from electrode_grains.runs.configuration import RunConfiguration
from electrode_grains.runs.recorder import InputChangedError, RunRecorder
from electrode_grains.runs.session import IncrementalSession, _log_plan, asked_steps


def pass_on(data):
    return data


STEPS = Pipeline(
    [
        Node(pass_on, "raw", "table", name="measure", tags=["first"]),
        Node(pass_on, "table", "fits", name="fit", tags=["second"]),
        Node(pass_on, "fits", "page", name="report", tags=["second"]),
    ]
)
APART = Pipeline([Node(pass_on, "raw", "drawing", name="draw")])
PIPELINES = {"__default__": STEPS, "apart": APART}


class Loader(dict):
    """A configuration, as a loader of Kedro gives it."""


class Mine(IncrementalSession):
    """A session over a folder, without a project of Kedro."""

    checked: list
    configuration = RunConfiguration(
        code=ProjectCode.of("electrode_grains"),
        version="1",
        data_folder=lambda folder, _: folder / "data",
        check_parameters=lambda parameters, flows: Mine.checked.append((parameters, list(flows))),
    )

    def load_context(self):
        names = ("raw", "table", "fits", "page", "drawing")
        data = Path(self.folder) / "data"
        catalog = DataCatalog(
            {name: ResultDataset(filepath=str(data / f"{name}.json")) for name in names}
        )
        return SimpleNamespace(
            project_path=str(self.folder),
            config_loader={"parameters": {"a": 1}},
            catalog=catalog,
            params={},
        )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with raw data; Kedro's run does all steps, and says which."""
    ResultDataset(filepath=str(tmp_path / "data" / "raw.json")).save({"size": 1})
    Mine.checked, calls = [], []

    def run(own, *, pipeline_names, node_names, **options):
        with pytest.raises(RunError, match="another run works"):
            refuse_if_held(tmp_path / "data")  # held while Kedro runs
        calls.append((pipeline_names, node_names, options))
        own.before_run(len(calls))
        context = own.load_context()
        steps = sum((PIPELINES[name] for name in pipeline_names or ["__default__"]), Pipeline([]))
        recorder = RunRecorder(project.open_provenance(context, Mine.configuration, steps))
        for node in (
            steps.nodes if node_names is None else steps.filter(node_names=node_names).nodes
        ):
            (name,), (made,) = node.inputs, node.outputs
            recorder.before_load(node, name)
            data = context.catalog.load(name)
            recorder.after_load(node, name)
            recorder.begin(node)
            recorder.end(node)
            recorder.before_save(node, made, data)
            context.catalog.save(made, data)
            recorder.after_save(node, made, data)
        return {"ran": len(calls)}

    monkeypatch.setattr(KedroSession, "run", run)
    for module in (session, project):
        monkeypatch.setattr(module, "pipelines", PIPELINES)

    def new(before_run=lambda number: None, *, force=False, by_code=True):
        made = Mine("id")
        made.folder, made.before_run = tmp_path, before_run
        made._force, made._by_code = force, by_code
        return made

    return SimpleNamespace(new=new, calls=calls, data=tmp_path / "data")


def test_a_run_does_all_then_nothing_then_what_is_lacking(folder):
    assert folder.new().run() == {"ran": 1}
    assert folder.calls == [([], None, {})]  # without names: Kedro-Viz takes it for a whole run
    assert folder.new().run() == {}
    (folder.data / "fits.json").unlink()
    folder.new().run(tags=None)
    assert folder.calls[1:] == [([], ["fit", "report"], {"tags": None})]
    assert Mine.checked == [({"a": 1}, list(PIPELINES.values()))] * 3
    refuse_if_held(folder.data)  # free again


def test_forced_runs_do_all(folder):
    folder.new().run()
    assert folder.new(force=True).run() == {"ran": 2}
    assert folder.calls[1] == ([], None, {})


def test_pipelines_are_named_one_or_several(folder):
    folder.new().run("apart")
    folder.new().run(pipeline_names=["__default__", "apart"])
    assert folder.calls == [
        (["apart"], None, {}),
        (["__default__", "apart"], ["measure", "fit", "report"], {}),
    ]


def test_named_steps_that_are_all_outdated_stay_named(folder):
    folder.new().run(node_names=["measure"])
    assert folder.calls == [([], ["measure"], {})]


def test_a_run_whose_input_moves_begins_once_more_and_only_once(folder, caplog):
    def move(number):
        if number == 1:
            raise InputChangedError("raw was changed")

    with caplog.at_level(logging.WARNING):
        assert folder.new(move).run() == {"ran": 2}
    assert caplog.messages == ["raw was changed; the run begins once more"]

    def always(number):
        raise InputChangedError(f"changed {number}")

    with pytest.raises(InputChangedError, match="changed 4"):
        folder.new(always, force=True).run()
    refuse_if_held(folder.data)


def test_a_result_that_is_only_read_must_be_whole_unless_forced(folder, caplog):
    folder.new().run()
    (folder.data / "table.json").write_text('{"size": 2}')
    with pytest.raises(InputError, match="table cannot be trusted"):
        folder.new().run(node_names=["fit"])
    assert len(folder.calls) == 1
    folder.new(force=True).run(node_names=["fit"])
    assert "table is used as it is" in caplog.text


def test_what_no_run_made_is_not_replaced_and_leftovers_are_removed(folder):
    (folder.data / ".table.json.1234.part").write_text("half")
    (folder.data / "page.json").write_text("a person's")
    with pytest.raises(RunError, match=r"page"):
        folder.new().run()
    assert not folder.calls
    assert not (folder.data / ".table.json.1234.part").exists()
    (folder.data / "page.json").unlink()
    folder.new().run()


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, ["measure", "fit", "report"]),
        ({"tags": ["second"]}, ["fit", "report"]),
        ({"from_nodes": ["fit"]}, ["fit", "report"]),
        ({"to_nodes": ["fit"]}, ["measure", "fit"]),
        ({"from_inputs": ["fits"]}, ["report"]),
        ({"to_outputs": ["table"]}, ["measure"]),
        ({"from_nodes": ["fit"], "to_outputs": ["fits"]}, ["fit"]),
    ],
)
def test_options_name_steps_as_kedro_takes_them(monkeypatch, options, steps):
    monkeypatch.setattr(session, "pipelines", PIPELINES)
    asked = asked_steps(["__default__"], None, options)
    assert [node.name for node in asked.nodes] == steps
    assert [n.name for n in asked_steps(["__default__"], ["report"], {}).nodes] == ["report"]
    assert len(asked_steps(["__default__", "apart"], (), {}).nodes) == 4


@pytest.mark.parametrize(
    ("nodes", "options", "message", "where", "found", "expected"),
    [
        (["fitt"], {}, "no such step", "--nodes", "fitt", "fit"),
        (["fit", "xyz"], {}, "no such step", "--nodes", "xyz", "measure, fit, report"),
        (None, {"from_nodes": ["repor"]}, "no such step", "--from-nodes", "repor", "report"),
        (None, {"to_nodes": ["xy"]}, "no such step", "--to-nodes", "xy", "measure, fit, report"),
        (None, {"from_inputs": ["tables"]}, "such dataset", "--from-inputs", "tables", "table"),
        (None, {"to_outputs": ["measure"]}, "no such dataset", "--to-outputs", "measure",
         "fits, page, raw, table"),
        (None, {"tags": ["third"]}, "has such a tag", None, "--tags third", "first, second"),
        (None, {"tags": ["first"], "from_nodes": ["fit"]}, "has such a tag", None, "--tags first",
         "first, second"),
    ],
)  # fmt: skip
def test_what_the_pipelines_lack_is_named_with_what_is_alike(
    monkeypatch, nodes, options, message, where, found, expected
):
    monkeypatch.setattr(session, "pipelines", PIPELINES)
    with pytest.raises(SettingsError, match=message) as refusal:
        asked_steps(["__default__"], nodes, options)
    error = refusal.value
    assert (error.where, error.found, error.expected) == (where, found, expected)


def test_without_tags_the_other_ways_are_named(monkeypatch):
    monkeypatch.setattr(session, "pipelines", PIPELINES)
    with pytest.raises(SettingsError, match="--nodes, or --pipelines"):
        asked_steps(["apart"], None, {"tags": ["x"]})
    with pytest.raises(SettingsError, match="the options name no step"):
        asked_steps(["__default__"], None, {"from_nodes": ["report"], "to_nodes": ["measure"]})


@pytest.mark.parametrize(
    ("reasons", "lines"),
    [
        ({}, ["3 of 3 steps are up to date: nothing to do (--force runs them)"]),
        ({"measure": "forced", "fit": "forced", "report": "forced"}, []),
        (
            {"fit": "seed: 1 -> 2", "report": "fits is recomputed"},
            [
                "fit: will run (seed: 1 -> 2)",
                "so will the steps that use it: report",
                "1 of 3 steps are up to date and are skipped (--force runs them): measure",
            ],
        ),
        (
            {"measure": "raw changed", "fit": "table is recomputed", "report": "page is missing"},
            [
                "measure: will run (raw changed)",
                "report: will run (page is missing)",
                "so will the steps that use it: fit",
            ],
        ),
    ],
)
def test_the_plan_is_told(caplog, reasons, lines):
    with caplog.at_level(logging.INFO):
        _log_plan(STEPS, reasons)
    assert caplog.messages == lines


def test_force_is_taken_from_the_parameters_of_the_run(monkeypatch):
    given = []

    def create(cls, *words, **options):
        given.append((words, options))
        return cls("id")

    monkeypatch.setattr(KedroSession, "create", classmethod(create))
    made = IncrementalSession.create("here", env="x", runtime_params={"force": True, "a": 1})
    assert given == [(("here",), {"env": "x", "runtime_params": {"a": 1}})]
    assert (made._force, made._by_code) == (True, True)
    plain = IncrementalSession.create(by_code=False)
    assert given[1] == ((), {"runtime_params": {}})
    assert (plain._force, plain._by_code) == (False, False)
    assert not IncrementalSession.create(runtime_params={"force": False})._force


def test_options_of_entries_replace_those_of_the_catalog(monkeypatch):
    def loader(_):
        return Loader(catalog={"a": {"type": "x", "form": 1}, "b": {"type": "y"}}, other={})

    monkeypatch.setattr(KedroSession, "_get_config_loader", loader)
    made = Mine("id")
    assert made._get_config_loader() == loader(None)
    made._entry_options = {"a": {"form": 2, "new": 3}, "c": {"form": 4}}
    assert made._get_config_loader() == {
        "catalog": {"a": {"type": "x", "form": 2, "new": 3}, "b": {"type": "y"}},
        "other": {},
    }


def test_results_are_checked_outside_a_run_by_all_steps_that_make_no_raw_data(
    folder, monkeypatch, caplog
):
    opened = []

    @contextmanager
    def create(**options):
        opened.append(options)
        yield folder.new()

    monkeypatch.setattr(
        project, "settings", SimpleNamespace(SESSION_CLASS=SimpleNamespace(create=create))
    )
    folder.new().run(pipeline_names=["__default__", "apart"])
    check = dict(project=folder.data, environment="env", configuration=Mine.configuration)
    project.check_results(names=["page", "drawing"], **check)
    assert opened == [{"project_path": folder.data, "env": "env", "runtime_params": {}}]
    (folder.data / "raw.json").write_text('{"size": 3}')
    for name in ("page", "drawing"):
        with pytest.raises(InputError, match=f"{name} cannot be trusted"):
            project.check_results(names=[name], **check)
    project.check_results(names=["page"], disregard={"raw"}, **check)
    assert "as it is" not in caplog.text
    project.check_results(names=["page"], force=True, runtime_params={"a": 2}, **check)
    assert "page is used as it is" in caplog.text
    assert opened[-1]["runtime_params"] == {"a": 2}


@pytest.mark.parametrize(("options", "stale"), [({}, True), ({"by_code": False}, False)])
def test_results_of_other_code_are_stale_unless_only_data_are_asked_for(folder, options, stale):
    folder.new().run()
    context = folder.new().load_context()
    known = project.open_provenance(context, Mine.configuration, STEPS, **options)
    manifest = known.store.manifest("table")
    known.store.write(replace(manifest, recipe=replace(manifest.recipe, code="of another version")))
    assert known.stale_reason("table") == ("the code changed" if stale else None)
    before = "table before it is stale: the code changed"
    assert known.stale_reason("fits") == (before if stale else None)
