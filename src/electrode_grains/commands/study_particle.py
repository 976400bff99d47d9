"""One particle of a study in a process of its own: its project, and the whole pipeline.

A process that ends, runs out of memory or is killed takes no other particle along. It ends by
itself when the process that began it does: it holds the other end of its input.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml

from electrode_grains.command_line import fault, refusal_in
from electrode_grains.commands.init import create_from_scans
from electrode_grains.commands.init_labels import create_from_labels
from electrode_grains.commands.new_project import as_yaml
from electrode_grains.commands.study_table import merge
from electrode_grains.errors import InputError, RunError
from electrode_grains.interrupts import interruptible
from electrode_grains.runs import atomic_write, refuse_if_held

RECORD = "study.json"
HEAD = "# Written by the study from particles.csv and study.yml; change these, not this file.\n"
PARAMETERS = Path("conf") / "local" / "parameters.yml"
MLFLOW_OFF = "# The study logs its particles, in one run.\nenabled: false\n"
PATIENCE = 15.0  # seconds until a run that was cut off here has ended


def main() -> None:
    """Compute the particle that the input names, and say how it ended."""
    job = json.loads(sys.stdin.readline())
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what is logged goes to one file
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with interruptible("The study goes on from there."):
            compute(Path(job["project"]), job["source"], job["settings"])
        outcome = {"state": "done", "reason": ""}
    except Exception as error:
        traceback.print_exc()
        text = refusal_in(error)
        state = "failed" if text is None else "refused"
        outcome = {"state": state, "reason": fault(error) if text is None else text}
    with answer:
        answer.write(json.dumps(outcome))


def _end_with_parent() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def compute(project: Path, source: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Make the project of a particle where there is none, and run what is not up to date.

    Raises
    ------
    InputError
        If the particle began from other data, or its settings were changed by hand.
    """
    if not (project / "pyproject.toml").exists():
        create_project(project, source)
    apply_settings(project, source, settings)
    from electrode_grains.commands.project import open_project

    with chdir(project):
        opened = open_project(project, None)
        _wait_for_a_run_cut_off(opened.data_folder)
        opened.run("__default__")


def create_project(project: Path, source: Mapping[str, str]) -> None:
    """Make the project beside its place, so that a kill leaves none or a whole one."""
    partial = project.with_name(f".{project.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if project.exists():
        raise InputError(
            "the folder of the particle is no project",
            where=str(project),
            remedy="move it away; the study makes it again",
        )
    if "grain_map" in source:
        create_from_labels(
            partial, Path(source["grain_map"]), source.get("spacing_nm"),
            source.get("laue_group"), project.name, source.get("material"),
        )  # fmt: skip
    else:
        numbers = {
            key: float(source[key]) for key in ("slice_spacing_nm", "step_nm") if key in source
        }
        create_from_scans(
            partial, Path(source["scans"]),
            annotations=Path(source["labels"]) if "labels" in source else None,
            laue_group=source.get("laue_group"), name=project.name,
            material=source.get("material"), **numbers,  # type: ignore[arg-type]
        )  # fmt: skip
    (partial / "conf" / "local" / "mlflow.yml").write_text(MLFLOW_OFF, "utf-8")
    text = (partial / PARAMETERS).read_text("utf-8")
    record = {
        "source": dict(source),
        "parameters": yaml.safe_load(text),
        "written": [_digest(text)],
    }
    (partial / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True), "utf-8")
    os.replace(partial, project)


def apply_settings(project: Path, source: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Bring the settings of a project up to those of the study."""
    try:
        record = json.loads((project / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        raise InputError(
            "the study has not made this project",
            where=str(project),
            remedy="move it away, or give the particle another id",
        ) from None
    if record["source"] != dict(source):
        changed = [
            f"{key}: {record['source'].get(key)} -> {source.get(key)}"
            for key in sorted(record["source"].keys() | source.keys())
            if record["source"].get(key) != source.get(key)
        ]
        raise InputError(
            "the particle was begun from other data",
            where=str(project),
            found="; ".join(changed),
            remedy="give it another id, or move its folder away to begin again",
        )
    file = project / PARAMETERS
    text = HEAD + as_yaml(merge(record["parameters"], settings))
    current = file.read_text("utf-8")
    if current == text:
        return
    if _digest(current) not in record["written"]:
        raise InputError(
            "the settings of this particle were changed by hand",
            where=str(file),
            remedy="write them into particles.csv as columns, then remove "
            f"{project} or take the change back",
        )
    record["written"] = [_digest(current), _digest(text)]  # killed in between, either is known
    with atomic_write(project / RECORD) as (partial,):
        partial.write_text(json.dumps(record, indent=1, sort_keys=True), "utf-8")
    with atomic_write(file) as (partial,):
        partial.write_text(text, "utf-8")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _wait_for_a_run_cut_off(data: Path) -> None:
    """Let the run of a worker that died end, before another worker takes over."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            refuse_if_held(data)
            return
        except RunError:
            time.sleep(0.5)


if __name__ == "__main__":
    main()
