"""A flow of three steps in a temporary folder: what runs again, what is refused."""

import itertools
import json
import os
import random
from collections import Counter

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from electrode_grains.datasets.results import ResultDataset
from electrode_grains.datasets.tables import ParquetDataset
from electrode_grains.errors import InputError, RunError
from electrode_grains.runs import ProjectCode
from electrode_grains.runs.configuration import RunConfiguration
from electrode_grains.runs.plan import plan_steps
from electrode_grains.runs.provenance import Provenance
from electrode_grains.runs.recorder import InputChangedError, RunRecorder


def tabulate(raw, settings):
    return pd.DataFrame({"size": raw["sizes"]}) * settings["factor"], object()


def summarize(table, in_memory):
    return {"total": int(table["size"].sum())}


def judge(summary):
    return {"large": summary["total"] > 5}


FLOW = Pipeline(
    [
        Node(tabulate, ["raw", "params:table"], ["table", "in_memory"], name="tabulate"),
        Node(summarize, ["table", "in_memory"], "summary", name="summarize"),
        Node(judge, "summary", "judgement", name="judge"),
    ]
)
LAST = FLOW.filter(node_names=["judge"])


class Project:
    def __init__(self, folder):
        self.folder = folder
        self.parameters, self.options = {"table": {"factor": 2}}, {}
        ResultDataset(filepath=str(folder / "raw.json")).save({"sizes": [1, 2, 3]})

    @property
    def catalog(self):
        return DataCatalog(
            {
                "raw": ResultDataset(filepath=str(self.folder / "raw.json")),
                "table": ParquetDataset(filepath=str(self.folder / "table.parquet")),
                "summary": ResultDataset(filepath=str(self.folder / "summary.json")),
                "judgement": ResultDataset(
                    filepath=str(self.folder / "judgement.json"), **self.options
                ),
                "in_memory": MemoryDataset(),
                "params:table": MemoryDataset(self.parameters["table"]),
            }
        )

    @property
    def provenance(self):
        return Provenance(
            self.catalog, self.parameters, FLOW, CONFIGURATION, folder=self.folder, raw={"raw"}
        )

    def plan(self, flow=FLOW, *, force=False):
        return plan_steps(self.provenance, flow, force=force)

    def run(
        self,
        flow=FLOW,
        *,
        force=False,
        stop_after=99,
        killed_at=None,
        on_compute=None,
        tick=lambda: None,
    ):
        """Run as the session does; returns the names of steps that ran."""
        provenance, catalog = self.provenance, self.catalog
        provenance.check_inputs(flow.inputs(), force=force)
        reasons = plan_steps(provenance, flow, force=force)
        nodes = [node for node in flow.nodes if node.name in reasons][:stop_after]
        provenance.check_outputs(name for node in nodes for name in node.outputs)
        recorder = RunRecorder(self.provenance)
        for node in nodes:
            inputs = {}
            for name in node.inputs:
                tick()
                recorder.before_load(node, name)
                tick()
                inputs[name] = catalog.load(name)
                tick()
                recorder.after_load(node, name)
            tick()
            recorder.begin(node)
            tick()
            outputs = node.run(inputs)
            if on_compute is not None:
                on_compute(node)
            recorder.end(node)
            for name, data in outputs.items():
                recorder.before_save(node, name, data)
                tick()
                catalog.save(name, data)
                tick()
                if name == killed_at:  # between the file and its manifest
                    return list(reasons)
                recorder.after_save(node, name, data)
        return list(reasons)


CONFIGURATION = RunConfiguration(
    code=ProjectCode.of("electrode_grains", ["pandas"]),
    version="1",
    data_folder=lambda project, _: project,
    check_parameters=lambda *_: None,
)
ALL = ["tabulate", "summarize", "judge"]


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    assert project.run() == ALL
    return project


def test_a_second_run_has_nothing_to_do(project):
    assert project.run() == []


def test_force_runs_all(project):
    assert project.run(force=True) == ALL


def test_a_changed_parameter_runs_what_takes_it_and_what_follows(project):
    project.parameters = {"table": {"factor": 3}}
    reasons = project.plan()
    assert reasons["tabulate"] == "table.factor: 2 -> 3"
    assert list(reasons) == ALL
    assert project.run() == ALL
    assert project.run() == []


def test_changed_raw_data_run_what_reads_them(project):
    ResultDataset(filepath=str(project.folder / "raw.json")).save({"sizes": [7]})
    assert project.plan()["tabulate"] == "raw changed"


def test_a_lost_result_runs_its_step_and_what_keeps_its_input_in_memory(project):
    (project.folder / "summary.json").unlink()
    reasons = project.plan()
    assert reasons["summarize"] == "summary is missing"
    assert "which no file keeps" in reasons["tabulate"]


def test_a_lost_last_result_runs_its_step_alone(project):
    (project.folder / "judgement.json").unlink()
    assert project.run() == ["judge"]


@pytest.mark.parametrize("damage", ["cut", "flip", "swapped"])
def test_a_damaged_result_is_recomputed_or_refused(project, damage):
    """Recomputed where its step is in the run; refused where it is only read."""
    file = project.folder / "summary.json"
    sound = file.read_bytes()
    if damage == "swapped":  # whole, valid, and of another dataset
        file.write_bytes((project.folder / "judgement.json").read_bytes())
    else:
        file.write_bytes(sound[:-9] if damage == "cut" else sound.replace(b"12", b"13"))
    with pytest.raises(InputError) as refusal:
        project.run(LAST)
    assert "summary cannot be trusted" in str(refusal.value)
    assert "summary.json" in str(refusal.value)
    assert project.run() == ALL
    assert file.read_bytes() == sound
    assert project.run(LAST) == []


def test_a_stale_result_is_refused_where_it_is_only_read(project):
    project.parameters = {"table": {"factor": 3}}
    with pytest.raises(InputError, match=r"table before it is stale: table\.factor: 2 -> 3"):
        project.run(LAST)


def bytes_of(folder):
    return {
        file.relative_to(folder): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and ".manifests" not in file.parts
    }


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("manifest", ["missing", "of another dataset", "torn"])
def test_a_file_that_no_run_has_recorded_is_never_replaced(project, manifest, force):
    (project.folder / "summary.json").write_text('{"total": "by hand"}')
    place = project.folder / ".manifests" / "summary.json"
    if manifest == "missing":
        place.unlink()
    elif manifest == "torn":
        place.write_bytes(place.read_bytes()[:40])
    else:
        place.write_bytes((project.folder / ".manifests" / "table.json").read_bytes())
    before = bytes_of(project.folder)
    with pytest.raises(RunError) as refusal:
        project.run(force=force)
    assert str(project.folder / "summary.json") in str(refusal.value)
    assert "move it" in refusal.value.remedy
    assert bytes_of(project.folder) == before


def test_a_file_put_there_after_the_plan_is_not_replaced(project):
    (project.folder / "judgement.json").unlink()
    (project.folder / ".manifests" / "judgement.json").unlink()

    def put_there(node):
        if node.name == "judge":
            (project.folder / "judgement.json").write_text("{}")

    with pytest.raises(RunError, match="judgement is not replaced"):
        project.run(on_compute=put_there)
    assert (project.folder / "judgement.json").read_text() == "{}"


@pytest.mark.parametrize("first", [True, False])
def test_the_file_of_a_run_killed_before_its_manifest_is_replaced(project, first):
    if first:
        for file in (project.folder / "table.parquet", project.folder / ".manifests/table.json"):
            file.unlink()
    project.parameters = {"table": {"factor": 3}}
    assert project.run(killed_at="table") == ALL
    assert project.run() == ALL
    assert not list((project.folder / ".manifests").glob("*.claim"))
    assert project.run() == []


ACQUISITION = Pipeline([Node(lambda: {"sizes": [9]}, None, "raw", name="acquire")])


def test_raw_data_are_replaced_only_as_this_project_wrote_them(project):
    before = bytes_of(project.folder)
    for force in (False, True):
        with pytest.raises(RunError, match="raw is not replaced"):
            project.run(ACQUISITION, force=force)
    assert bytes_of(project.folder) == before
    (project.folder / "raw.json").unlink()
    assert project.run(ACQUISITION, force=True) == ["acquire"]
    assert project.run(ACQUISITION, force=True) == ["acquire"]
    ResultDataset(filepath=str(project.folder / "raw.json")).save({"sizes": [7]})
    before = bytes_of(project.folder)
    with pytest.raises(RunError, match="changed since a run wrote it"):
        project.run(ACQUISITION, force=True)
    assert bytes_of(project.folder) == before


def test_raw_data_outside_the_data_folder_are_never_written(project, tmp_path):
    inner = Provenance(
        project.catalog, {}, FLOW, CONFIGURATION, raw={"raw"}, folder=tmp_path / "inner"
    )
    for check in (
        lambda: inner.check_folders(["raw"]),
        lambda: RunRecorder(inner).before_save(ACQUISITION.nodes[0], "raw", {}),
    ):
        with pytest.raises(RunError, match="outside the data folder"):
            check()


def test_forced_input_is_used_with_a_warning_and_then_never_replaced(project, caplog):
    file = project.folder / "summary.json"
    file.write_text(json.dumps({"total": 1}))
    assert project.run(LAST, force=True) == ["judge"]
    assert "summary is used as it is" in caplog.text
    assert project.run(LAST) == []
    assert project.provenance.store.manifest("summary").recipe is None
    assert project.plan()["summarize"] == "summary was put there by a person"
    with pytest.raises(RunError, match="a person put it there"):
        project.run()
    assert json.loads(file.read_text()) == {"total": 1}


def test_damage_between_plan_and_load_is_refused_at_the_load(project):
    provenance = project.provenance
    provenance.check_inputs(LAST.inputs())
    (project.folder / "summary.json").write_text("{}")
    with pytest.raises(InputError, match=r"summary\.json was modified"):
        provenance.verify("summary")


def test_an_input_changed_while_its_step_computes_is_not_taken_for_used(project):
    """Nothing is written, even where size and time of the file are as before."""
    raw = project.folder / "raw.json"
    content, times = raw.read_bytes(), raw.stat()

    def change(node):
        if node.name == "tabulate":
            raw.write_bytes(content.replace(b"3", b"8"))
            os.utime(raw, ns=(times.st_atime_ns, times.st_mtime_ns))

    before = bytes_of(project.folder)
    with pytest.raises(InputChangedError, match="raw was changed while tabulate was at work"):
        project.run(force=True, on_compute=change)
    raw.write_bytes(content)
    assert bytes_of(project.folder) == before
    assert project.run() == []


def test_an_input_changed_while_results_are_written_outdates_them(project):
    """Recorded is what was loaded, never what lies there at the end."""
    raw = project.folder / "raw.json"
    save = ParquetDataset.save

    def change_and_save(dataset, data):
        raw.write_bytes(raw.read_bytes().replace(b"3", b"8"))
        save(dataset, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ParquetDataset, "save", change_and_save)
        assert project.run(force=True) == ALL
    assert project.plan()["tabulate"] == "raw changed"


MOMENTS = 29  # of a whole run


def change_raw(file, sizes, chance):
    """Change a file as editors and programs do, in part so that its size and time stay."""
    before = file.stat()
    content = json.dumps({"schema_version": 1, "sizes": sizes})
    how = chance.choice(["in place", "renamed", "removed"])
    if how == "renamed":
        file.with_suffix(".new").write_text(content)
        os.replace(file.with_suffix(".new"), file)
    elif how == "removed":
        file.unlink()
        file.write_text(content)
    else:
        file.write_text(content)
    if chance.random() < 0.5:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def disturbed_runs(folder, count, seed=20):
    """Runs whose raw data change at some moments; returns how many of them ended in which way."""
    chance, ends = random.Random(seed), Counter()
    project, raw = Project(folder), folder / "raw.json"
    sizes = [1, 2, 3]
    for _ in range(count):
        moments = chance.sample(range(MOMENTS), chance.choice([1, 1, 2]))
        clock = itertools.count()

        def tick(clock=clock, moments=moments):
            nonlocal sizes
            if next(clock) in moments:
                sizes = [chance.randrange(1, 9) for _ in range(3)]
                change_raw(raw, sizes, chance)

        try:
            project.run(force=chance.random() < 0.7, tick=tick)
            ends["ran"] += 1
        except InputChangedError:
            ends["refused"] += 1
        right = {"schema_version": 1, "total": 2 * sum(sizes)}
        summary = folder / "summary.json"
        is_right = summary.exists() and ResultDataset(filepath=str(summary)).load() == right
        if not project.plan() and not is_right:
            ends["wrong and taken for up to date"] += 1
        project.run()
        assert project.plan() == {}
        assert ResultDataset(filepath=str(summary)).load() == right
    return ends


@pytest.mark.parametrize("count", [60, pytest.param(5000, marks=pytest.mark.slow)])
def test_no_change_of_raw_data_at_any_moment_is_taken_for_used(tmp_path, count):
    ends = disturbed_runs(tmp_path, count)
    assert set(ends) == {"ran", "refused"}
    assert min(ends.values()) > count / 10


def test_a_file_that_a_setting_names_changed_while_its_step_computes(project):
    network = project.folder / "network"
    network.write_text("1")
    project.parameters = {"table": {"factor": 2, "network": str(network)}}
    with pytest.raises(InputChangedError, match=r"table\.network was changed"):
        project.run(on_compute=lambda _: network.write_text("2"))


def test_a_changed_option_of_the_catalog_is_a_reason(project):
    """All keys of an entry but where its files lie and how it is shown."""
    options = project.provenance.store.options("table")
    assert not {"filepath", "metadata"} & set(options)
    assert "catalog.table.type" in project.provenance.recipes.settings(FLOW.nodes[0])
    project.options = {"model": "electrode_grains.alignment.SliceTransforms"}
    assert project.plan(LAST)["judge"].startswith(
        "catalog.judgement.model: None -> electrode_grains.alignment.SliceTransforms"
    )


def test_a_manifest_says_what_its_step_took(project):
    cost = project.provenance.store.manifest("summary").cost
    assert cost["seconds"] >= 0
    assert cost["peak_memory_mb"] > 10
    assert "processors" in cost["machine"]


def test_raw_data_may_go_once_their_results_are_there(project):
    (project.folder / "raw.json").unlink()
    assert project.run(LAST) == []


def test_a_parameter_that_names_a_file_stands_for_its_content(project):
    network = project.folder / "network"
    network.write_text("1")
    project.parameters = {"table": {"factor": 2, "network": str(network)}}
    project.run()
    assert project.run() == []
    network.write_text("2")
    assert project.run() == ALL


def test_a_run_cut_off_after_any_step_ends_in_the_same_bytes(project, tmp_path_factory):
    truth = {file.name: file.read_bytes() for file in project.folder.glob("[!.]*.*")}
    for steps in range(1, 3):
        other = Project(tmp_path_factory.mktemp("other"))
        other.run(stop_after=steps)
        other.run()
        assert {file.name: file.read_bytes() for file in other.folder.glob("[!.]*.*")} == truth


def test_no_flipped_byte_of_any_result_survives_a_run(project):
    chance = random.Random(1)
    files = [project.folder / name for name in ("table.parquet", "summary.json", "judgement.json")]
    truth = {file: file.read_bytes() for file in files}
    for _ in range(60):
        file = chance.choice(files)
        damaged = bytearray(truth[file])
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        file.write_bytes(damaged)
        assert project.run() != []
        assert {file: file.read_bytes() for file in files} == truth


def test_parts_of_killed_writers_are_swept_whatever_they_were_to_become(project):
    """States of a training and manifests, which no later run may write again."""
    project.run()
    left = [".epoch_00002.77.part", ".manifests/.table.json.77.part"]
    (project.folder / left[0]).mkdir()
    (project.folder / left[0] / "weights.safetensors").touch()
    (project.folder / left[1]).touch()
    (project.folder / ".hidden.part").touch()  # no writer's name: somebody else's file
    project.provenance.remove_leftovers(FLOW.all_outputs())
    assert not [name for name in left if (project.folder / name).exists()]
    assert (project.folder / ".hidden.part").exists()
    assert project.plan() == {}


def test_what_a_killed_run_left_is_swept(project):
    left = project.folder / ".table.parquet.12345.part"
    left.touch()
    project.provenance.remove_leftovers(FLOW.all_outputs())
    assert not left.exists()


def test_who_made_a_result_is_asked_once(project, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "electrode_grains.runs.provenance.code_version",
        lambda folder: asked.append(folder) or {"git.commit": "abc"},
    )
    provenance = project.provenance
    assert provenance.made_by() == {"version": "1", "git.commit": "abc"}
    assert provenance.made_by() == {"version": "1", "git.commit": "abc"}
    assert len(asked) == 1
