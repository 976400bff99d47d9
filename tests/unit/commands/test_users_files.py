"""No command and no pipeline changes a byte of what a user owns."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from electrode_grains.datasets.folders import AnnotationFolderDataset
from electrode_grains.datasets.label_images import write_classes
from electrode_grains.errors import InputError

PIPELINES = ("acquisition", "demo", "orientation_annotation", "preprocessing")


def contents(*folders):
    return {
        file: file.read_bytes()
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def kedro_run(project, *words):
    return subprocess.run(
        [sys.executable, "-m", "kedro", "run", *words],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow  # test_every_door.py asks more, and shares one project
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_no_pipeline_changes_scans_or_labels_of_a_user(command, slices, tmp_path, pipeline):
    """Names of slices are those that the virtual particle would take."""
    project = tmp_path / "own"
    words = ("--annotations", slices / "labels", "--slice-spacing-nm", 50)
    assert command("init", project, "--scans", slices / "scans", *words).exit_code == 0
    labels = project / "data" / "01_raw" / "slice_annotations"
    (labels / "notes.txt").write_text("by hand")
    before = contents(slices, labels)
    assert len(before) == 8 + 2 + 2 + 1

    done = kedro_run(project, "--pipelines", pipeline)

    assert contents(slices, labels) == before
    refused = pipeline in ("acquisition", "demo")
    assert done.returncode == (2 if refused else 0), done.stdout + done.stderr
    if pipeline == "orientation_annotation":
        made = project / "data" / "02_intermediate" / "orientation_annotations"
        assert len(AnnotationFolderDataset(path=str(made)).load()) == 4
    if pipeline == "preprocessing":
        assert "2 labelled slices, from: hand" in " ".join(done.stdout.split())


def test_labels_from_orientations_are_used_where_no_hand_painted_any(command, slices, tmp_path):
    project = tmp_path / "own"
    words = ("init", project, "--scans", slices / "scans", "--slice-spacing-nm", 50)
    assert command(*words).exit_code == 0
    assert "no slice is labelled" in command("check", project).output
    done = kedro_run(project, "--pipelines", "orientation_annotation,preprocessing")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 labelled slices, from: orientations" in " ".join(done.stdout.split())
    assert "4 labelled slices" in command("check", project).output


def test_import_keeps_the_painted_images_and_replaces_on_demand_only(
    command, own_project, tmp_path
):
    labels = own_project / "data" / "01_raw" / "slice_annotations"
    write_classes(AnnotationFolderDataset(path=str(labels)).load()["slice_002"],
                  labels / "slice_002.tif", ".tif")  # fmt: skip
    (labels / "slice_002.png").unlink()
    painted = tmp_path / "painted"
    painted.mkdir()
    drawn = np.ones((24, 28), np.uint8)
    for name in ("slice_002.png", "slice_004.tif"):
        write_classes(drawn, painted / name, name[-4:])
    before = contents(labels, painted)

    refused = command("annotate", "--project", own_project, "--import", painted)
    assert refused.exit_code == 2
    assert "slice_002.tif" in refused.output
    assert "--replace" in refused.output
    assert contents(labels, painted) == before

    done = command("annotate", "--project", own_project, "--import", painted, "--replace")
    assert done.exit_code == 0, done.output
    after = contents(labels, painted)
    changed = {path.name for path in before if after[path] != before[path]}
    assert changed == {"slice_002.tif"}
    assert {path.name for path in after.keys() - before.keys()} == {"slice_004.png"}
    archive = labels.with_name("slice_annotations_replaced")
    assert list(contents(archive).values()) == [before[labels / "slice_002.tif"]]


def test_two_painted_images_of_one_slice_are_equal_or_refused(command, own_project, tmp_path):
    painted = tmp_path / "painted"
    painted.mkdir()
    drawn = np.ones((24, 28), np.uint8)
    write_classes(drawn, painted / "slice_004.tif", ".tif")
    write_classes(drawn, painted / "slice_004.png")
    words = ("annotate", "--project", own_project, "--import", painted)
    assert command(*words).exit_code == 0
    write_classes(drawn + 1, painted / "slice_004.png")
    done = command(*words)
    assert done.exit_code == 2
    assert "slice_004.png and" in done.output


def test_import_waits_for_no_run_but_refuses_beside_one(command, own_project, tmp_path):
    from electrode_grains.runs import one_run

    painted = tmp_path / "painted"
    painted.mkdir()
    Image.fromarray(np.ones((24, 28), np.uint8)).save(painted / "slice_004.png")
    with one_run(own_project / "data"):
        done = command("annotate", "--project", own_project, "--import", painted)
    assert done.exit_code == 2
    assert "another run" in done.output
    assert not (own_project / "data/01_raw/slice_annotations/slice_004.png").exists()


def test_a_folder_for_results_keeps_what_a_user_put_there(tmp_path):
    from electrode_grains.commands.outputs import output_folder, written_before

    folder = tmp_path / "pictures"
    (folder / "image").mkdir(parents=True)
    (folder / "image" / "a.png").write_text("a user's")
    (folder / "b.png").write_text("a user's")
    with (
        pytest.raises(InputError, match=r"image/a\.png"),
        output_folder(folder, ["image", "c.png"]),
    ):
        pass
    for text in ("first", "second"):
        with output_folder(folder, ["c.png", "image/d.png"]):
            (folder / "c.png").write_text(text)
            (folder / "image" / "d.png").write_text(text)
    assert sorted(file.name for file in written_before(folder)) == ["c.png", "d.png"]
    (folder / "c.png").write_text("retouched by the user")
    with pytest.raises(InputError, match=r"c\.png"), output_folder(folder, ["c.png"]):
        (folder / "c.png").write_text("lost")
    assert (folder / "c.png").read_text() == "retouched by the user"
    assert (folder / "image" / "a.png").read_text() == "a user's"


def test_files_of_a_killed_command_are_known_as_its_own(tmp_path):
    from electrode_grains.commands.outputs import output_folder

    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from electrode_grains.commands.outputs import output_folder\n"
        "folder = Path(sys.argv[1])\n"
        "with output_folder(folder, ['a.png', 'grains']):\n"
        "    (folder / 'a.png').write_text('half'); (folder / 'grains').mkdir()\n"
        "    (folder / 'grains' / '1.stl').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)]).returncode < 0
    (tmp_path / "b.png").write_text("a user's")
    with pytest.raises(InputError, match=r"b\.png"), output_folder(tmp_path, ["a.png", "b.png"]):
        pass
    with output_folder(tmp_path, ["a.png", "grains"]):
        (tmp_path / "a.png").write_text("whole")
    for name in ("a.png", "grains/2.stl"):
        (tmp_path / name).write_text("a user's")
        with pytest.raises(InputError, match=name), output_folder(tmp_path, ["a.png", "grains"]):
            pass
        (tmp_path / name).unlink()


def test_annotate_exports_beside_a_users_files_and_over_none_of_them(
    command, own_project, tmp_path
):
    folder = tmp_path / "to_paint"
    (folder / "image").mkdir(parents=True)
    (folder / "image" / "slice_004.png").write_text("a user's")
    words = ("annotate", "--project", own_project, "--export", folder, "--slices")
    done = command(*words, "4")
    assert done.exit_code == 2
    assert "image/slice_004.png" in done.output
    for _ in range(2):
        assert command(*words, "3").exit_code == 0
    assert (folder / "image" / "slice_004.png").read_text() == "a user's"


def init(command, project, slices, *more):
    words = ("--scans", slices / "scans", "--annotations", slices / "labels", *more)
    return command("init", project, *words, "--slice-spacing-nm", 50)


@pytest.mark.parametrize(
    "place",
    [
        "01_raw/slice_annotations/slice_002.png",  # painted before the project was made again
        "01_raw/slice_annotations/slice_007.png",  # which would have joined the labels
        "01_raw/ebsd_scans/slice_003.ang",
        "01_raw/ebsd_scans/slice_011.ang",  # which would have joined the stack
    ],
)
def test_a_new_project_replaces_no_scan_and_no_label_and_mixes_none(
    command, slices, tmp_path, place
):
    project = tmp_path / "nmc"
    (own := project / "data" / place).parent.mkdir(parents=True)
    own.write_text("a user's")
    (project / "README.md").write_text("a user's")
    done = init(command, project, slices, "--copy")
    assert done.exit_code == 2, done.output
    assert own.name in done.output
    assert sorted(file for file in project.rglob("*") if file.is_file()) == sorted(
        [own, project / "README.md"]
    )
    assert own.read_text() == "a user's"


def test_a_new_project_around_a_users_folder_keeps_all_that_lies_there(command, slices, tmp_path):
    """With the notes of a user, and the scans and labels that are to be copied there already."""
    project = tmp_path / "nmc"
    raw = project / "data" / "01_raw"
    shutil.copytree(slices / "scans", raw / "ebsd_scans")
    shutil.copytree(slices / "labels", raw / "slice_annotations")
    (project / "data" / "08_reporting").mkdir()
    for name in ("README.md", ".gitignore", "data/08_reporting/preview.png", "notes.txt"):
        (project / name).write_text("a user's")
    before = contents(project)
    done = init(command, project, slices, "--copy")
    assert done.exit_code == 0, done.output
    after = contents(project)
    assert {file: after[file] for file in before} == before
    assert (project / "pyproject.toml").exists()

    shutil.rmtree(project / "conf")
    (project / "pyproject.toml").unlink()
    words = ("--annotations", raw / "slice_annotations", "--slice-spacing-nm", 50)
    again = command("init", project, *words)  # labels and scans that lie there
    assert again.exit_code == 0, again.output
    assert {file: contents(project)[file] for file in before} == before


def test_a_grain_map_is_copied_over_no_other(command, tmp_path):
    labels = np.ones((4, 5, 6), np.uint16)
    np.save(tmp_path / "grains.npy", labels)
    own = tmp_path / "nmc" / "data" / "01_raw" / "grains.npy"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"a user's")
    words = ("init", tmp_path / "nmc", "--labels", tmp_path / "grains.npy", "--copy")
    done = command(*words, "--spacing", "50,50,50")
    assert done.exit_code == 2
    assert own.read_bytes() == b"a user's"
    own.unlink()
    assert command(*words, "--spacing", "50,50,50").exit_code == 0
    assert (np.load(own) == labels).all()
