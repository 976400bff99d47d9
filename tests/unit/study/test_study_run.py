"""Particles in processes of their own: refused, killed, too large, pooled."""

import json
import os
import signal
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from electrode_grains.commands import main, study_run
from electrode_grains.commands.study_particle import apply_settings, create_project
from electrode_grains.commands.study_report import TABLE, report_study
from electrode_grains.commands.study_run import Job, read_status, run_particle
from electrode_grains.commands.study_table import open_study
from electrode_grains.errors import InputError
from electrode_grains.runs import Manifest, Recipe, file_digests, manifest_path

TINY = {"pool": {"replicates": 99}, "mlflow": {"enabled": False}}


@pytest.fixture
def job(tmp_path):
    return Job(str(tmp_path), "p1", {"grain_map": "x.npy"}, {}, 1, None)


def replace_child(monkeypatch, program):
    """Have another program run in place of the particle."""
    real = study_run.subprocess.Popen

    def popen(_, **options):
        return real([sys.executable, "-c", program], **options)

    monkeypatch.setattr(study_run.subprocess, "Popen", popen)


def test_a_particle_that_is_refused_is_a_row_and_the_others_go_on(tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros((4, 4), np.int32))
    (tmp_path / "text.npy").write_text("no grain map")
    (tmp_path / "particles.csv").write_text(
        'id,grain_map,spacing_nm\np1,flat.npy,"50,50,50"\np2,text.npy,"50,50,50"\n'
    )
    (tmp_path / "study.yml").write_text(yaml.safe_dump(TINY))
    before = {name: (tmp_path / name).read_bytes() for name in ("flat.npy", "text.npy")}
    words = ["study", "run", "--study", str(tmp_path)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2, done.output
    assert "[2 of 2] p2: refused" in done.output
    assert "2 particles: 2 refused" in done.output
    status = read_status(open_study(tmp_path))
    assert {row["state"] for row in status.values()} == {"refused"}
    assert "flat.npy" in status["p1"]["reason"]
    assert "Traceback" in (tmp_path / "logs" / "p1.log").read_text()
    again = CliRunner().invoke(main, words)
    assert "2 that failed before are left out; --retry" in again.output
    assert again.exit_code == 2
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_particle_that_is_killed_is_a_row(job, monkeypatch):
    replace_child(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    outcome = run_particle(job)
    assert outcome.state == "failed"
    assert f"signal {signal.SIGKILL:d}" in outcome.reason
    assert "--retry" in outcome.reason


def test_a_particle_that_takes_too_much_memory_is_ended(job, monkeypatch):
    from dataclasses import replace

    replace_child(monkeypatch, "import time; held = bytearray(200_000_000); time.sleep(60)")
    monkeypatch.setattr(study_run, "END_SECONDS", 0.2)
    outcome = run_particle(replace(job, memory_limit_gb=0.1))
    assert outcome.state == "refused"
    assert "more memory than it may" in outcome.reason
    assert outcome.seconds < 30


def test_a_particle_ends_with_the_process_that_began_it(job, monkeypatch):
    """Its input is closed then, whatever ends that process."""
    replace_child(monkeypatch, "import sys; sys.stdin.readline(); sys.stdin.read()")
    outcome = run_particle(job, is_stopped=lambda: True)
    assert outcome.seconds < study_run.END_SECONDS
    assert "stopped" in outcome.reason


def test_a_worker_of_another_version_is_refused(job):
    from dataclasses import replace

    outcome = run_particle(replace(job, version="0.0.1"))
    assert outcome.state == "refused"
    assert "another version" in outcome.reason


def test_a_worker_that_does_not_see_the_study_is_refused(job, tmp_path):
    from dataclasses import replace

    outcome = run_particle(replace(job, study=str(tmp_path / "elsewhere")))
    assert "does not see the folder" in outcome.reason


@pytest.fixture
def project(tmp_path):
    np.save(tmp_path / "map.npy", np.arange(1, 65, dtype=np.int32).reshape(4, 4, 4))
    source = {"grain_map": str(tmp_path / "map.npy"), "spacing_nm": "50,50,50"}
    create_project(tmp_path / "p1", source)
    return tmp_path / "p1", source


def local(project):
    return yaml.safe_load((project / "conf" / "local" / "parameters.yml").read_text())


def test_settings_of_the_study_reach_the_project_and_can_be_taken_back(project):
    folder, source = project
    begun = local(folder)
    apply_settings(folder, source, {"modelling": {"sample": {"minimum_voxels": 8}}})
    assert local(folder) == {**begun, "modelling": {"sample": {"minimum_voxels": 8}}}
    apply_settings(folder, source, {})
    assert local(folder) == begun


def test_settings_that_a_person_changed_are_not_overwritten(project):
    folder, source = project
    file = folder / "conf" / "local" / "parameters.yml"
    file.write_text(file.read_text() + "# mine\n")
    with pytest.raises(InputError, match="changed by hand"):
        apply_settings(folder, source, {"modelling": {"sample": {"minimum_voxels": 8}}})
    assert file.read_text().endswith("# mine\n")


def test_other_data_under_the_same_id_are_refused(project):
    folder, source = project
    with pytest.raises(InputError, match="begun from other data"):
        apply_settings(folder, {**source, "spacing_nm": "10,10,10"}, {})


def test_a_folder_that_is_no_project_is_left_alone(tmp_path):
    (tmp_path / "p1").mkdir()
    (tmp_path / "p1" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="no project"):
        create_project(tmp_path / "p1", {"grain_map": "x.npy"})
    assert (tmp_path / "p1" / "notes.txt").read_text() == "mine"


def write_computed(folder, count):
    """A study whose particles are done: grain tables with their manifests, and a status."""
    rng = np.random.default_rng(1)
    rows = ["id,grain_map,batch"]
    (folder / "m.npy").write_bytes(b"")
    for number in range(count):
        name = f"p{number}"
        rows.append(f"{name},m.npy,{'ab'[number % 2]}")
        table = pd.DataFrame(
            {
                "label": np.arange(1, 81),
                "voxel_count": rng.integers(40, 400, 80),
                "equivalent_diameter_nm": rng.gamma(20, 20.0, 80),
                "sphericity": rng.beta(20, 5, 80),
                "convexity": rng.beta(20, 3, 80),
                "elongation": rng.beta(5, 4, 80) / (1 + (number == 3)),
                "touches_window": False,
                **({"extra": "text"} if number == 1 else {}),
            }
        )
        file = folder / "particles" / name / TABLE
        file.parent.mkdir(parents=True)
        table.to_parquet(file)
        recipe = Recipe("step", "code", {}, {}, {})
        Manifest("grain_table", file_digests([file]), recipe).write(
            manifest_path("grain_table", file)
        )
    (folder / "particles.csv").write_text("\n".join(rows) + "\n")
    (folder / "study.yml").write_text(yaml.safe_dump(TINY))
    study = open_study(folder)
    status = {
        each.name: {"name": each.name, "state": "done", "seconds": 1.0, "reason": "", "host": "",
                    "row": each.digest(study.settings)}
        for each in study.particles
    }  # fmt: skip
    (folder / "status.json").write_text(json.dumps({"schema_version": 1, "particles": status}))
    return study


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    study = write_computed(tmp_path_factory.mktemp("computed"), 10)
    damaged = study.project("p9") / TABLE
    damaged.write_bytes(damaged.read_bytes() + b" ")
    return study, *report_study(study)


def test_the_pool_is_one_data_set_by_particle(reported):
    study, page, _, _ = reported
    table = pd.read_parquet(page.parent / "grains")
    assert len(table) == 9 * 80
    assert sorted(table["particle"].unique()) == [f"p{number}" for number in range(9)]
    assert table.loc[table["particle"] == "p1", "extra"].eq("text").all()
    one = pd.read_parquet(study.project("p4") / TABLE)
    np.testing.assert_array_equal(
        table.loc[table["particle"] == "p4", "sphericity"], one["sphericity"]
    )


def test_a_table_that_was_changed_is_not_pooled_but_named(reported):
    _, page, _, pool = reported
    assert [(name, state) for name, state, _ in pool.absent] == [("p9", "unreadable")]
    assert "grain_table.parquet was modified" in page.read_text("utf-8")


def test_the_particle_that_differs_is_on_the_page(reported):
    _, page, tables, _ = reported
    unusual = tables["statistics"].query("unusual")
    assert set(unusual["particle"]) == {"p3"}
    assert "elongation" in set(unusual["subject"])
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert text.count("<article") == 9


def test_results_of_a_row_that_was_changed_since_are_not_pooled(reported):
    study, *_ = reported
    changed = type(study)(
        study.folder,
        study.settings.replace(settings={"modelling": {"sample": {"minimum_voxels": 9}}}),
        study.particles,
    )
    assert read_status(changed) == {}
