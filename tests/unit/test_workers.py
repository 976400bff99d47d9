"""Independent pieces of work in processes: nothing that a call says is lost, none outlives us."""

import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest

import electrode_grains.distributions as distributions
from electrode_grains.distributions import GoodnessSettings, PairSettings
from electrode_grains.errors import ComputationError, InputError
from electrode_grains.threads import THREADS
from electrode_grains.workers import in_processes


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    monkeypatch.setenv(THREADS, "2")


def test_results_keep_the_order_of_their_tasks():
    # the first task ends last
    tasks = [(0.2,), (0.0,), (0.1,)]

    assert list(in_processes(operator.neg, [(3,), (1,), (2,)])) == [-3, -1, -2]
    assert list(in_processes(time.sleep, tasks)) == [None] * 3


def test_long_work_leaves_this_process_and_short_work_does_not():
    elsewhere = set(in_processes(os.getpid, [()] * 4))
    here = set(in_processes(os.getpid, [()] * 4, is_long=False))

    assert os.getpid() not in elsewhere
    assert here == {os.getpid()}


def test_files_of_the_folder_are_not_taken_for_libraries(tmp_path, monkeypatch):
    for name in ("random", "types", "queue", "signal", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a user is drawing lots')")
    monkeypatch.chdir(tmp_path)

    assert list(in_processes(operator.neg, [(1,), (2,)])) == [-1, -2]
    assert "PYTHONSAFEPATH" not in os.environ


def test_one_thread_means_one_process(monkeypatch):
    monkeypatch.setenv(THREADS, "1")

    assert set(in_processes(os.getpid, [()] * 2)) == {os.getpid()}


def test_warnings_of_a_call_are_given_here():
    tasks = [("lost its way", RuntimeWarning), ("again", UserWarning)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(in_processes(warnings.warn, tasks))

    assert [(str(one.message), one.category) for one in caught] == tasks


def test_a_refusal_comes_through_as_it_is():
    flat = np.zeros(5)
    with pytest.raises(InputError, match="too few grains") as caught:
        list(in_processes(_compared, [(flat,), (flat,)]))

    assert caught.value.found == "5 grains"


def _compared(sample):
    distributions.compare_samples({"d": sample}, {"d": sample}, [], replicates=9, rng=None)


def test_a_killed_process_is_told_with_what_to_do():
    with pytest.raises(ComputationError, match=f"before its time[\\s\\S]*{THREADS}=1"):
        list(in_processes(_end_here, [(), ()]))


def _end_here():
    assert multiprocessing.parent_process() is not None  # never the process of the tests
    os._exit(9)


def test_processes_may_not_have_children_everywhere():
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # its workers are daemons
        assert pool.apply(_pids) == [True, True]


def _pids():
    return [pid == os.getpid() for pid in in_processes(os.getpid, [(), ()])]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_processes_end_with_the_one_that_asked(tmp_path):
    script = tmp_path / "asks.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            from electrode_grains.workers import in_processes

            if __name__ == "__main__":
                import os
                print(*in_processes(os.getpid, [(), ()]), flush=True)
                list(in_processes(time.sleep, [(60,), (60,)]))
            """
        )
    )
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        asking.stdout.readline()
        children = _until(lambda: _children_of(asking.pid), lambda found: len(found) >= 2)
        asking.send_signal(signal.SIGKILL)

    assert _until(lambda: [pid for pid in children if _is_alive(pid)], lambda left: not left) == []


def _until(look, is_enough, seconds=30):
    end = time.monotonic() + seconds
    while not is_enough(found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _children_of(pid):
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(one) for one in listed.stdout.split()]


def _is_alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip()[:1] not in ("", "Z")


def test_a_pair_is_modelled_alike_wherever_that_is():
    rng = np.random.default_rng(4)
    x = rng.gamma(4.0, 100.0, size=60)
    y = np.clip(0.8 - x / 4000 + 0.05 * rng.normal(size=60), 0.01, 0.99)
    marginals = [
        distributions.fit_characteristic(x, ("gamma", "lognormal"), (0.0, np.inf)),
        distributions.fit_characteristic(y, ("beta", "normal"), (0.0, 1.0)),
    ]
    pairs = PairSettings(families=("independence", "clayton"))
    goodness = GoodnessSettings(replicates=19, selection_replicates=2)

    def modelled(is_long):
        streams = np.random.default_rng(0).spawn(2)
        tasks = [(x, y, *marginals, pairs, goodness, stream) for stream in streams]
        fits = in_processes(distributions.model_pair, tasks, is_long=is_long)
        return [fit.model_dump_json() for fit in fits]

    assert modelled(True) == modelled(False)
