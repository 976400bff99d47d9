import subprocess
import sys

import pytest

from electrode_grains import threads


def test_all_libraries_take_the_number_that_a_user_sets():
    code = (
        "import os; from electrode_grains.threads import thread_variables;"
        "os.environ.update(thread_variables());"
        "import numba, torch; print(numba.config.NUMBA_NUM_THREADS, torch.get_num_threads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"ELECTRODE_GRAINS_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1", "1"]


def test_what_a_user_has_set_stays():
    own = {"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "7"}
    assert not set(own) & set(threads.thread_variables(own))


@pytest.mark.parametrize(
    ("content", "cores"), [("150000 100000", 1), ("400000 100000", 4), ("max 100000", None)]
)
def test_the_quota_of_a_container_counts(tmp_path, content, cores):
    (tmp_path / "cpu.max").write_text(content)
    assert threads._quota(tmp_path) == cores


def test_a_number_that_is_none_is_passed_over():
    variables = threads.thread_variables({"ELECTRODE_GRAINS_THREADS": "many"})
    assert variables["OMP_NUM_THREADS"] == str(threads.available_cores())
