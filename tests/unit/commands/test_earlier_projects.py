"""Projects that an earlier version of the package made."""

import re
import shutil
import subprocess
import sys

import pytest

from electrode_grains.errors import SettingsError
from electrode_grains.shipped import packaged_configuration, refuse_earlier_configuration


def leave_out(file, entry):
    """Remove an entry and what is indented below it."""
    text, count = re.subn(rf"(?m)^{entry}:.*\n(?:[ #].*\n|\n)*", "", file.read_text("utf-8"))
    assert count == 1
    file.write_text(text, "utf-8")


def test_a_run_is_refused_with_the_command_that_brings_the_configuration_up_to_date(
    command, own_project
):
    base = own_project / "conf" / "base"
    leave_out(base / "catalog_preprocessing.yml", "slice_table")
    leave_out(base / "parameters.yml", "compute")
    checked = command("check", own_project)
    assert "compute" in checked.output
    run = [sys.executable, "-m", "kedro", "run"]
    done = subprocess.run(run, cwd=own_project, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    told = " ".join(done.stderr.split())
    assert "no params:compute, no slice_table" in told
    assert not list((own_project / "data" / "02_intermediate").glob("*.json"))

    copy = re.search(r"cp (\S+)/\*\.yml conf/base/", told)
    for file in packaged_configuration().joinpath("base").glob("*.yml"):
        shutil.copy(file, base)
    assert copy[1] == str(packaged_configuration() / "base")
    assert command("check", own_project).exit_code == 0


def test_what_a_user_adds_to_the_flow_need_not_be_configured():
    refuse_earlier_configuration({"my_own_table"})
    with pytest.raises(SettingsError, match=r"no grain_table\n"):
        refuse_earlier_configuration({"my_own_table", "grain_table"})
