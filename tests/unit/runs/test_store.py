"""Which files a dataset has, and what a recorder and the digests make of them."""

import hashlib
import os
import resource
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from kedro_datasets.partitions import PartitionedDataset

from electrode_grains.datasets.results import ResultDataset
from electrode_grains.errors import RunError
from electrode_grains.runs import (
    Manifest,
    Recipe,
    content,
    file_digests,
    machine,
    recorder,
    refuse_if_held,
)
from electrode_grains.runs.lock import HOLDER, LOCK, one_run
from electrode_grains.runs.machine import memory_limits
from electrode_grains.runs.provenance import Provenance
from electrode_grains.runs.recorder import Cost, InputChangedError, RunRecorder, earlier_seconds
from electrode_grains.runs.store import DatasetStore


def work(_):
    return 1


@pytest.fixture
def store(tmp_path):
    parts = PartitionedDataset(
        path=str(tmp_path / "parts"), dataset="json.JSONDataset", filename_suffix=".json"
    )
    return DatasetStore(
        DataCatalog(
            {
                "own": ResultDataset(filepath=str(tmp_path / "own.json"), metadata={"a": 1}),
                "plain": JSONDataset(filepath=str(tmp_path / "plain.json")),
                "parts": parts,
                "memory": MemoryDataset(),
            }
        )
    )


def test_every_kind_of_dataset_tells_its_files(store, tmp_path):
    assert store.paths("own") == (tmp_path / "own.json",)
    assert [path.name for path in store.paths("plain")] == ["plain.json"]
    assert [path.name for path in store.paths("parts")] == ["parts"]
    assert store.paths("memory") == store.paths("unknown") == ()
    assert store.first_path("own") == tmp_path / "own.json"


def test_a_dataset_is_there_with_all_its_files(store, tmp_path):
    assert not any(store.exists(name) for name in ("own", "plain", "memory", "unknown"))
    (tmp_path / "own.json").write_text("{}")
    assert store.exists("own")
    assert not store.exists("plain")


def test_a_folder_is_replaced_only_where_it_holds_parts(store, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "notes.txt").write_text("mine")
    assert store.replaced_paths("parts") == ()
    assert store.replaced_paths("own") == ()
    (tmp_path / "own.json").write_text("{}")
    assert store.replaced_paths("own") == (tmp_path / "own.json",)
    single = SimpleNamespace(
        get=lambda *_, **__: SimpleNamespace(paths=lambda: (tmp_path / "own.json", tmp_path)),
        exists=lambda _: False,
    )
    assert DatasetStore(single).replaced_paths("two") == (tmp_path / "own.json",)
    single.exists = lambda _: True
    assert DatasetStore(single).replaced_paths("two") == (tmp_path / "own.json", tmp_path)
    lacking = (tmp_path / "lost", tmp_path)
    single.get = lambda *_, **__: SimpleNamespace(paths=lambda: lacking)
    single.exists = lambda _: False
    assert DatasetStore(single).replaced_paths("two") == (tmp_path,)


def test_options_are_what_shapes_data_not_where_they_lie(store):
    assert {"filepath", "type"} <= set(store.entry("own"))
    assert not {"metadata", "filepath"} & set(store.options("own"))
    assert store.entry("memory") == store.entry("unknown") == {}


def test_a_manifest_of_another_dataset_is_none_of_this(store, tmp_path):
    (tmp_path / "own.json").write_text("{}")
    files = store.digests("own")
    assert "unrecorded" in store.integrity_error("own", store.manifest("own"))
    store.write(Manifest("own", files, None))
    assert store.integrity_error("own", store.manifest("own")) is None
    stored = next((tmp_path / ".manifests").glob("own*"))
    stored.write_text(stored.read_text().replace('"own"', '"other"'))
    assert store.manifest("own") is None
    (tmp_path / "own.json").unlink()
    assert store.integrity_error("own", None) == "own is missing"


def test_a_step_costs_what_the_clocks_say(monkeypatch):
    clock = iter([(100.0, 7.0), (102.34567, 7.98765)])
    now = []
    monkeypatch.setattr(recorder.time, "monotonic", lambda: now.append(next(clock)) or now[-1][0])
    monkeypatch.setattr(recorder, "cpu_seconds", lambda: now[-1][1])
    monkeypatch.setattr(recorder, "peak_memory", lambda: 3 * 2**20 + 2**19 + 2**17)
    provenance = SimpleNamespace(store=None, recipes=SimpleNamespace(settings=lambda _: {}))
    kept = RunRecorder(provenance)
    node = Node(work, "a", "b", name="step")
    kept.begin(node)
    kept.end(node)
    assert kept._costs == {"step": Cost(2.346, 0.988, 3.6, recorder.this_machine())}


def test_times_of_other_machines_are_no_forecast(store, tmp_path):
    steps = Pipeline([Node(work, "memory", ["own", "plain"], name="step")])
    assert earlier_seconds(store, steps) == {}
    here = recorder.this_machine()
    (tmp_path / "own.json").write_text("{}")
    store.write(Manifest("own", {}, None, cost={"machine": "another", "seconds": 5}))
    assert earlier_seconds(store, steps) == {}
    store.write(Manifest("plain", {}, None, cost={"machine": here, "seconds": 4}))
    assert earlier_seconds(store, steps) == {"step": 4.0}
    store.write(Manifest("own", {}, None, cost={"machine": here, "seconds": 3}))
    assert earlier_seconds(store, steps) == {"step": 3.0}  # the first output that knows


def test_a_digest_counts_for_later_where_the_file_was_older_than_a_tick(tmp_path, monkeypatch):
    written = 1.7e9  # of a clock that does not move between two changes
    for name in ("young", "old"):
        (tmp_path / name).write_text("before")
    monkeypatch.setattr(content, "_signature", lambda _: (1, 6, int(written * 1e9), 0))
    for name, now in (("young", written + 2.4), ("old", written + 2.6)):  # 2 s on FAT
        file = tmp_path / name
        monkeypatch.setattr(content.time, "time", lambda now=now: now)
        first = file_digests([file])[name]
        assert first == hashlib.blake2b(b"before", digest_size=20).hexdigest()
        file.write_text("behind")
        assert (file_digests([file])[name] == first) is (name == "old")


def test_a_change_of_the_times_of_a_file_counts_whichever(tmp_path, monkeypatch):
    monkeypatch.setattr(content.time, "time", lambda: 1e6 + 1)
    file = tmp_path / "a"
    for times in ((int(1e15), 0), (0, int(1e15))):  # of its data, of its entry
        monkeypatch.setattr(content, "_signature", lambda _, times=times: (1, 6, *times))
        file.write_text("before")
        first = file_digests([file])["a"]
        file.write_text("behind")
        assert file_digests([file])["a"] != first


def test_a_lock_that_cannot_be_read_says_nothing_and_one_that_cannot_be_made_does(tmp_path):
    (tmp_path / LOCK).mkdir()
    refuse_if_held(tmp_path)
    with pytest.raises(RunError, match="cannot be written") as refusal, one_run(tmp_path):
        pass
    assert refusal.value.where == str(tmp_path)
    assert refusal.value.found
    assert not (tmp_path / HOLDER).exists()


def test_nobody_waits_for_a_lock(tmp_path, monkeypatch):
    waits = []
    acquire = FileLock.acquire

    def counted(lock, *, timeout):
        waits.append(timeout)
        return acquire(lock, timeout=timeout)

    monkeypatch.setattr(FileLock, "acquire", counted)
    with one_run(tmp_path):
        with pytest.raises(RunError), one_run(tmp_path):
            pass
        with pytest.raises(RunError):
            refuse_if_held(tmp_path)
    assert waits == [0, 0, 0]


def test_the_holder_of_a_lock_is_told_and_gone_with_it(tmp_path):
    folder = tmp_path / "not" / "there"
    refuse_if_held(folder)
    with one_run(folder):
        with pytest.raises(RunError, match="another run works") as refusal, one_run(folder):
            pass
        assert f"process {os.getpid()} " in refusal.value.found
        (folder / HOLDER).unlink()
        with pytest.raises(RunError) as refusal:
            refuse_if_held(folder)
        assert refusal.value.found == "a run that has just begun"
    assert list(folder.iterdir()) == []


def test_memory_may_be_limited_by_machine_container_and_address_space(tmp_path, monkeypatch):
    memory = SimpleNamespace(total=5)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(machine.psutil, "swap_memory", lambda: SimpleNamespace(total=2))
    files = (tmp_path / "max", tmp_path / "bytes", tmp_path / "missing")
    monkeypatch.setattr(machine, "CONTROL_GROUP", files)
    files[0].write_text("max\n")
    files[1].write_text("3\n")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 0))
    assert [limit[:2] for limit in memory_limits()] == [
        ("memory of this machine", 7), ("memory of this container", 3),
    ]  # fmt: skip
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4, 9))
    assert list(memory_limits())[-1] == ("address space", 4, "raise the limit (ulimit -v)")


def test_manifests_that_are_on_disks_today_can_be_read(tmp_path):
    text = (
        '{"schema_version": 1, "dataset": "fits", "files": {"fits.json": "12"}, "recipe": null, '
        '"made_by": {}, "schema": {}, "cost": {}, "former": {"old.json": "3", "fits.json": "4"}}'
    )
    (tmp_path / "fits.json").write_text(text)
    manifest = Manifest.read(tmp_path / "fits.json")
    assert manifest.own_files() == {"old.json": "3", "fits.json": "12"}
    (tmp_path / "fits.json").write_text(text.replace(": 1,", ": 2,"))
    assert Manifest.read(tmp_path / "fits.json") is None


def test_changes_are_shown_by_sixty_characters_and_only_what_both_versions_know():
    before = Recipe(
        "a", "x", {"numpy": "1"}, {"long": "y" * 99, "gone": 1, "a.type": "b"}, {"i": "1"}
    )
    after = Recipe(
        "a", "z", {"numpy": "2"}, {"long": "n" * 99, "new": 1, "a.type": "c"}, {"i": "1"}
    )
    shown = f"long: {'y' * 60} -> {'n' * 60}"
    assert list(before.differences(after)) == [
        "a.type: b -> c", "gone: 1 -> None", shown, "new: None -> 1", "the code changed",
        "numpy: 1 -> 2",
    ]  # fmt: skip
    assert list(before.differences(after, by_code=False)) == [shown]
    moved = Recipe("b", "x", before.libraries, before.parameters, {"i": "2", "j": "1"})
    assert list(before.differences(moved)) == ["i changed", "j changed", "the code changed"]


def test_a_step_is_outdated_by_any_output_that_a_file_keeps(store, tmp_path):
    step = Node(work, "memory", ["memory_too", "own", "plain"], name="step")
    recipe = Recipe("s", "c", {}, {}, {})
    builder = SimpleNamespace(build=lambda node: recipe)
    known = SimpleNamespace(store=store, recipes=builder)
    assert Provenance.outdated_reason(known, step) == "own is missing"
    for name in ("own", "plain"):
        (tmp_path / f"{name}.json").write_text("{}")
        store.write(Manifest(name, store.digests(name), recipe))
    assert Provenance.outdated_reason(known, step) is None
    store.write(Manifest("plain", store.digests("plain"), None))
    assert Provenance.outdated_reason(known, step) == "plain was put there by a person"
    store.write(Manifest("plain", store.digests("plain"), Recipe("s", "d", {}, {}, {})))
    assert Provenance.outdated_reason(known, step) == "the code changed"
    (tmp_path / "plain.json").write_text("other")
    assert "plain was changed since it was made" in Provenance.outdated_reason(known, step)


@pytest.mark.parametrize("before", ["raw", "lost", "sound"])
def test_inputs_behind_one_that_is_as_it_should_be_are_looked_at_too(store, tmp_path, before):
    (tmp_path / "plain.json").write_text("{}")
    if before != "lost":
        (tmp_path / "own.json").write_text("{}")
    store.write(Manifest("plain", {"plain.json": "of other bytes"}, None))
    if before == "sound":
        store.write(Manifest("own", store.digests("own"), None))
    known = SimpleNamespace(
        store=store,
        recipes=SimpleNamespace(makers={"plain": 1, **({} if before == "raw" else {"own": 1})}),
        stale_reason=lambda name: None,
        _refusal=lambda name, reason: RunError(f"{name}: {reason}"),
        made_by=lambda: {"version": "1"},
    )
    with pytest.raises(RunError, match="plain: plain was changed"):
        Provenance.check_inputs(known, {"own", "plain"})
    Provenance.check_inputs(known, {"own", "plain"}, force=True)
    taken = store.manifest("plain")
    assert (taken.files, taken.recipe) == (store.digests("plain"), None)
    assert taken.made_by == {"version": "1"}


def test_a_recipe_has_what_was_loaded_first_by_the_step_and_those_that_it_gets_in_memory():
    step, maker = (Node(work, "raw", name, name=name) for name in ("step", "maker"))
    recipes = SimpleNamespace(
        makers_in_memory=lambda node: [maker],
        settings=lambda node: {"seed": 1},
        build=lambda node, loaded: Recipe("s", "c", {}, {"seed": 1}, dict(loaded)),
    )
    kept = RunRecorder(SimpleNamespace(store=None, recipes=recipes))
    kept._loaded = {("other", "raw"): "0", ("maker", "raw"): "1", ("step", "raw"): "2",
                    ("step", "more"): "3", ("other", "alone"): "4"}  # fmt: skip
    kept.begin(step)
    assert kept._recipe(step).inputs == {"raw": "1", "more": "3"}
    kept._settings["step"] = {"seed": 2}
    with pytest.raises(InputChangedError, match="seed was changed while step was at work"):
        kept._recipe(step)


@pytest.mark.skipif(not machine.psutil.LINUX, reason="Linux counts in KiB")
def test_the_peak_of_memory_is_in_bytes_and_time_of_all_threads(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "STATUS", tmp_path / "none")  # as where there is no /proc
    usage = SimpleNamespace(ru_maxrss=3)
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    assert machine.peak_memory() == 3 * 1024
    times = SimpleNamespace(user=1.5, system=0.25)
    process = SimpleNamespace(cpu_times=lambda: times)
    monkeypatch.setattr(machine.psutil, "Process", lambda: process)
    assert machine.cpu_seconds() == 1.75


@pytest.mark.skipif(not machine.psutil.LINUX, reason="of Linux")
def test_the_peak_of_memory_is_not_that_of_the_process_that_started_this_one():
    large = np.ones(2**26)  # 512 MiB
    words = "from electrode_grains.runs.machine import peak_memory; print(peak_memory())"
    started = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True)
    assert machine.peak_memory() > large.nbytes > 2 * int(started.stdout)
