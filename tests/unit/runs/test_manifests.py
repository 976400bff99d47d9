import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from electrode_grains.configuration import RUNS
from electrode_grains.errors import RunError
from electrode_grains.runs import (
    Manifest,
    ProjectCode,
    Recipe,
    combine_digests,
    file_digests,
    one_run,
    refuse_if_held,
)
from electrode_grains.runs import lock as lock_module

RECIPE = Recipe("nodes.fit", "aa", {"numpy": "2"}, {"seed": 1}, {"grains": "11"})


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    manifest = Manifest("fits", {"fits.json": "12"}, RECIPE, {"version": "1"}, {"keys": ["a"]})
    manifest.write(tmp_path / "fits.json")
    assert Manifest.read(tmp_path / "fits.json") == manifest


@pytest.mark.parametrize("cut", range(0, 100, 5))
def test_a_torn_manifest_is_no_manifest(tmp_path, cut):
    path = tmp_path / "fits.json"
    Manifest("fits", {"fits.json": "12"}, RECIPE).write(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * cut // 100])
    assert Manifest.read(path) is None


def test_the_digest_of_a_folder_knows_names_contents_and_places(tmp_path):
    folder = tmp_path / "v.ome.zarr"
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "chunk").write_bytes(b"1")
    first = combine_digests(file_digests([folder]))
    assert first == combine_digests(file_digests([folder]))
    (folder / "0" / "chunk").write_bytes(b"2")
    other_bytes = combine_digests(file_digests([folder]))
    (folder / "0" / "chunk").write_bytes(b"1")
    (folder / "0" / "chunk").rename(folder / "chunk")
    other_place = combine_digests(file_digests([folder]))
    assert len({first, other_bytes, other_place}) == 3


def test_the_order_of_a_directory_listing_does_not_count(tmp_path, monkeypatch):
    for name in "cab":
        (tmp_path / name).write_text(name)
    first = file_digests([tmp_path])
    listed = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda *words: reversed(list(listed(*words))))
    assert list(file_digests([tmp_path]).items()) == list(first.items())


def test_a_step_does_not_depend_on_the_code_of_steps_after_it():
    modules = RUNS.code.reached_modules(["electrode_grains.pipelines.preprocessing.pipeline"])
    assert "electrode_grains.ebsd.ang" in modules
    assert "electrode_grains.alignment.registration" in modules
    assert not [name for name in modules if "distributions" in name or "figures" in name]
    first, second = (
        RUNS.code.digest([f"electrode_grains.{name}"]) for name in ("volumes", "errors")
    )
    assert len(first) == len(second) == 40
    assert first != second


def test_modules_that_a_package_loads_when_they_are_used_are_reached(tmp_path):
    package = tmp_path / "rooms"
    for name in ("stub", "call", "part"):
        (package / name).mkdir(parents=True)
    for name in ("stub/deep", "call/deep", "call/other", "part/near", "alone", "later"):
        (package / f"{name}.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "stub" / "__init__.py").write_text("attach_stub(__name__, __file__)")
    (package / "stub" / "__init__.pyi").write_text("from .deep import name as name")
    (package / "call" / "__init__.py").write_text(
        "lazy.attach(__name__, submodules=['other'], submod_attrs={'deep': ['name']})"
    )
    (package / "part" / "__init__.py").write_text("from . import near\nfrom ..alone import it")
    (package / "main.py").write_text(
        "from rooms import stub, call, part\nlater = lazy.load('rooms.later')"
    )
    reached = ProjectCode("rooms", package).reached_modules(["rooms.main"])
    expected = {"main", "stub", "stub.deep", "call", "call.deep", "call.other"}
    expected |= {"part", "part.near", "alone", "later"}
    assert reached == {"rooms", *(f"rooms.{name}" for name in expected)}


HOLDER = """
import sys, time
from pathlib import Path
from electrode_grains.runs import one_run
with one_run(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_run_is_refused_and_told_who_holds_the_folder(tmp_path, holder):
    begun = time.monotonic()
    with pytest.raises(RunError) as refusal, one_run(tmp_path):
        pass
    assert time.monotonic() - begun < 30  # at once; the margin is for a busy machine
    told = str(refusal.value)
    assert f"process {holder.pid} on {os.uname().nodename}" in told
    assert "begun at 20" in told


def test_a_look_at_the_lock_refuses_beside_a_run_and_holds_nothing(tmp_path, holder):
    with pytest.raises(RunError, match=f"process {holder.pid}"):
        refuse_if_held(tmp_path)
    holder.kill()
    holder.wait()
    refuse_if_held(tmp_path)
    with one_run(tmp_path):
        pass
    refuse_if_held(tmp_path / "nothing there")
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_killed_run_is_taken_over(tmp_path, holder, caplog):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / lock_module.HOLDER).exists()
    with one_run(tmp_path):
        held = json.loads((tmp_path / lock_module.HOLDER).read_text())
        assert held["process"] == os.getpid()
    assert f"process {holder.pid}" in caplog.text
    assert not list(tmp_path.iterdir())


COUNTER = """
import sys
from pathlib import Path
from electrode_grains.errors import RunError
from electrode_grains.runs import one_run
folder, count = Path(sys.argv[1]), 0
while count < 200:
    try:
        with one_run(folder):
            number = int((folder.with_suffix(".count")).read_text())
            folder.with_suffix(".count").write_text(str(number + 1))
            count += 1
    except RunError:
        pass
"""


def test_two_processes_never_hold_a_folder_at_once(tmp_path):
    """Though each removes the lock file; a count that both raise would miss some steps."""
    (tmp_path / "data.count").write_text("0")
    words = [sys.executable, "-c", COUNTER, str(tmp_path / "data")]
    for process in [subprocess.Popen(words, stderr=subprocess.DEVNULL) for _ in range(3)]:
        assert process.wait() == 0
    assert (tmp_path / "data.count").read_text() == "600"


def test_a_lock_is_free_after_an_error_inside(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), one_run(tmp_path):
            _ = 1 / 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"), one_run(tmp_path / "file" / "data"):
        pass


@pytest.mark.parametrize("dataset", ["tables", "results", "volume", "network", "checkpoints"])
def test_an_edit_of_a_figure_makes_no_result_anew(dataset):
    reached = RUNS.code.reached_modules([f"electrode_grains.datasets.{dataset}"])
    assert f"electrode_grains.datasets.{dataset}" in reached
    assert [module for module in reached if "figures" in module] == []


def test_no_module_needs_a_library_of_one_system_to_be_imported(project):
    """Imports at the top of a module; those inside functions may be guarded."""
    posix = {"fcntl", "resource", "pwd", "grp", "termios", "msvcrt", "winreg"}
    for file in (project / "src").rglob("*.py"):
        for statement in ast.parse(file.read_bytes()).body:
            names = {alias.name for alias in getattr(statement, "names", ())}
            if isinstance(statement, ast.Import | ast.ImportFrom):
                assert not posix & {*names, getattr(statement, "module", None)}, file
