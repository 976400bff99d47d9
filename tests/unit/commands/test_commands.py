"""What the console script does before anything is computed."""

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from electrode_grains.commands import COMMANDS
from electrode_grains.datasets.folders import AnnotationFolderDataset
from electrode_grains.datasets.label_images import PALETTE
from electrode_grains.ebsd import read_scan
from electrode_grains.shipped import packaged_configuration
from electrode_grains.text import literal


def local(project, name):
    return yaml.safe_load((project / "conf" / "local" / f"{name}.yml").read_text())


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "run"])
def test_every_command_explains_itself(command, name):
    done = command(name, "--help")
    assert done.exit_code == 0
    assert "--verbose" in done.output


def test_help_imports_neither_kedro_nor_numbers():
    seen = (
        "import sys; from electrode_grains.commands import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('kedro', 'numpy', 'pandas', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_command_is_refused(command):
    assert command("anotate").exit_code == 2


def test_a_fault_is_one_line_with_code_1_and_a_traceback_on_demand(command, monkeypatch, tmp_path):
    def fail(*_):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("electrode_grains.commands.check.open_project", fail)
    done = command("check", tmp_path)
    assert done.exit_code == 1
    assert "Failed: RuntimeError: the disk is on fire" in done.output
    assert isinstance(command("check", tmp_path, "--verbose").exception, RuntimeError)


def test_init_takes_from_the_files_what_they_tell(command, own_project, acquired):
    assert local(own_project, "globals")["laue_group"] == "-3m"
    assert local(own_project, "globals")["ebsd_scans"] == str(acquired / "scans")
    assert local(own_project, "parameters")["particle"] == {"name": "nmc", "material": "NMC532"}
    base = own_project / "conf" / "base"
    shipped = packaged_configuration() / "base"
    assert {file.name for file in base.iterdir()} == {file.name for file in shipped.iterdir()}
    labels = own_project / "data" / "01_raw" / "slice_annotations"
    assert sorted(file.name for file in labels.iterdir()) == ["slice_002.png", "slice_005.png"]


def test_printed_commands_can_be_pasted(command, acquired, tmp_path, monkeypatch):
    project = tmp_path / "my particle's (Ü) $HOME"
    words = ("--scans", acquired / "scans", "--slice-spacing-nm", 50)
    done = command("init", project, *words, "--annotations", acquired / "labels")
    assert "frames of the orientations: edax_2 (the maker's default)" in done.output
    entered = next(line for line in done.output.splitlines() if line.strip().startswith("cd "))
    assert shlex.split(entered) == ["cd", str(project)]
    checked = command("check", project, "--env", "local").output
    pasted = shlex.split(checked.partition("Next: ")[2])
    assert pasted == ["cd", str(project), "&&", "kedro", "run", "--env", "local"]
    monkeypatch.chdir(project)
    assert command("check").output.endswith("Next: kedro run\n")
    done = command("annotate", "--count", 1)
    line = next(line for line in done.output.splitlines() if "--import" in line)
    assert Path(shlex.split(line)[-1]) == project / "data/01_raw/to_annotate"
    refused = command("annotate", "--project", tmp_path / "none")
    assert refused.exit_code == 2


def test_init_asks_for_the_slice_spacing_which_ang_files_do_not_tell(command, slices, tmp_path):
    scans = slices.rename(tmp_path / "Überlauf 3") / "scans"
    done = command("init", tmp_path / "new", "--scans", scans)
    assert done.exit_code == 2
    whole = shlex.join(["init", str(tmp_path / "new"), "--scans", str(scans)])
    assert f"{whole} --slice-spacing-nm 50" in done.output
    assert not (tmp_path / "new").exists()


def test_a_folder_of_stacks_is_answered_with_the_stacks_in_it(command, slices, tmp_path):
    (tmp_path / "samples").mkdir()
    stack = (slices / "scans").rename(tmp_path / "samples" / "Überlauf 3")
    for words in (("preview",), ("init", tmp_path / "new", "--scans")):
        done = command(*words, tmp_path / "samples")
        assert done.exit_code == 2
        assert "'Überlauf 3' with 8 scans" in done.output
        assert shlex.quote(str(stack)) in done.output


@pytest.mark.parametrize("spacing", [0.05, 50000, 0.9, 2])
def test_a_slice_spacing_in_another_unit_is_refused_by_init_and_by_check(
    command, own_project, slices, tmp_path, spacing
):
    words = ("init", tmp_path / "new", "--scans", slices / "scans")
    refused = command(*words, "--slice-spacing-nm", spacing)
    if spacing == 2:  # membranes are as thin as that
        assert refused.exit_code == 0, refused.output
        assert "25 times as long as wide" in refused.output
        assert "25 times as long as wide" in command("check", tmp_path / "new").output
        return
    assert refused.exit_code == 2
    assert "are these micrometres" in refused.output
    assert not (tmp_path / "new").exists()
    parameters = own_project / "conf" / "local" / "parameters.yml"
    parameters.write_text(parameters.read_text().replace("50.0", str(spacing)))
    checked = command("check", own_project)
    assert checked.exit_code == 2, checked.output
    assert "are these um?" in checked.output or "are these micrometres" in checked.output


def test_a_step_of_images_in_micrometres_is_refused(command, slices, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for z in range(3):
        Image.fromarray(np.full((24, 28), 100 + z, np.uint8)).save(images / f"slice_{z}.png")
    words = ("--scans", images, "--slice-spacing-nm", 50, "--step-nm")
    for wrong in (0.05, 50000):
        refused = command("init", tmp_path / "new", *words, wrong)
        assert refused.exit_code == 2, refused.output
        assert "um" in refused.output or "micrometres" in refused.output
    assert command("preview", images, "--step-nm", 0.05).exit_code == 2


def test_init_asks_for_the_step_of_images(command, slices, tmp_path):
    for file in (slices / "scans").glob("*.ang"):
        tifffile.imwrite(file.with_suffix(".tif"), read_scan(file)["image_quality"].to_numpy())
        file.unlink()
    words = ("init", tmp_path / "new", "--scans", slices / "scans", "--slice-spacing-nm", 50)
    assert "--step-nm" in command(*words).output
    done = command(*words, "--step-nm", 40, "--copy")
    assert done.exit_code == 0, done.output
    assert local(tmp_path / "new", "parameters")["preprocessing"]["stack"]["step_nm"] == 40
    assert local(tmp_path / "new", "globals")["ebsd_scans"] == "data/01_raw/ebsd_scans"
    assert len(list((tmp_path / "new" / "data/01_raw/ebsd_scans").glob("*.tif"))) == 8


def test_init_refuses_damaged_slices_and_leaves_no_project(command, slices, tmp_path):
    (slices / "scans" / "slice_003.ang").unlink()
    done = command("init", tmp_path / "new", "--scans", slices / "scans", "--slice-spacing-nm", 50)
    assert done.exit_code == 2
    assert "no 3" in done.output
    assert not (tmp_path / "new").exists()


def test_init_overwrites_nothing(command, own_project, acquired):
    before = (own_project / "conf" / "local" / "globals.yml").read_bytes()
    done = command("init", own_project, "--scans", acquired / "scans", "--slice-spacing-nm", 9)
    assert done.exit_code == 2
    assert (own_project / "conf" / "local" / "globals.yml").read_bytes() == before


def test_names_with_quotes_and_colons_stay_what_they_are(command, acquired, tmp_path):
    name = 'run "2": NMC # 7'
    done = command("init", tmp_path / "new", "--scans", acquired / "scans", "--name", name,
                   "--slice-spacing-nm", 50)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert local(tmp_path / "new", "parameters")["particle"]["name"] == name
    assert command("check", tmp_path / "new").exit_code == 2  # no labels yet, no other problem


def test_check_passes_what_is_right(command, own_project):
    done = command("check", own_project)
    assert done.exit_code == 0, done.output
    assert "No problem found" in done.output
    assert "8 slices, slice_000 to slice_007" in done.output
    assert "[2, 5]" in done.output
    assert "frames edax_2: cannot be told" in done.output


def test_what_all_slices_share_is_said_once_and_after_what_is_doubtful(
    command, slices, own_project
):
    for file in sorted((slices / "scans").glob("*.ang")):
        text = file.read_text().replace("# XSTEP: 0.05", "# XSTEP: 0.0125")
        file.write_text(text)
    globals_ = own_project / "conf/local/globals.yml"
    configured = yaml.safe_load(globals_.read_text())
    configured["ebsd_scans"] = str(slices / "scans")
    globals_.write_text(yaml.safe_dump(configured))
    labels = own_project / "data/01_raw/slice_annotations"
    (labels / "slice_005.png").rename(labels / "slice_007.png")
    done = command("check", own_project)
    assert done.exit_code == 0, done.output
    first, second = done.output.split("with which a run goes on:\n")[1].splitlines()[:2]
    assert "the label of slice_007" in first
    assert second.strip().startswith("slice_000 and 7 more slices: the header says")


def test_check_tells_all_problems_at_once(command, slices, tmp_path):
    project = tmp_path / "new"
    words = ("--slice-spacing-nm", 50, "--annotations", slices / "labels")
    assert command("init", project, "--scans", slices / "scans", *words).exit_code == 0
    scans, labels = slices / "scans", project / "data" / "01_raw" / "slice_annotations"
    (scans / "slice_004.ang").unlink()
    cut = scans / "slice_006.ang"
    cut.write_text(cut.read_text()[:-900])
    Image.fromarray(np.full((24, 28), 7, np.uint8)).save(labels / "slice_002.png")
    Image.fromarray(np.ones((9, 9), np.uint8)).save(labels / "slice_099.png")
    edits = "- {action: remove, at: [1, 2, 3]}\n- {action: join, at: [1, 2, 3]}\n"
    (project / "data" / "01_raw" / "edits.yml").write_text(edits)
    parameters = project / "conf" / "local" / "parameters.yml"
    wrong = "segmentation:\n  grains:\n    minima_depth: 7\n    colour: red\n"
    parameters.write_text(parameters.read_text() + wrong)

    done = command("check", project)

    assert done.exit_code == 2
    for said in (
        "segmentation.grains.minima_depth", "segmentation.grains.colour", "no 4",
        "slice_006.ang", "7 (672 points)", "number 99", "unknown action",
    ):  # fmt: skip
        assert said in done.output, said
    assert "7 problems" in done.output


def test_check_outside_of_a_project_says_how_to_make_one(command, tmp_path):
    done = command("check", tmp_path)
    assert done.exit_code == 2
    assert "electrode-grains init" in done.output


@pytest.mark.parametrize("name", ["run", "report", "proofread", "export", "annotate"])
def test_no_command_works_without_a_project(command, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    done = command(name)
    assert done.exit_code == 2
    assert "there is no project here" in done.output


def test_annotate_exports_what_import_takes_back(command, acquired, tmp_path):
    project = tmp_path / "new"
    words = ("init", project, "--scans", acquired / "scans", "--slice-spacing-nm", 50)
    assert command(*words).exit_code == 0
    done = command("annotate", "--project", project, "--count", 2, "--draft")
    assert done.exit_code == 0, done.output
    work = project / "data" / "01_raw" / "to_annotate"
    names = sorted(file.name for file in (work / "labels").iterdir())
    assert len(names) == 2
    for kind in ("image", "ipf", "labels"):
        for name in names:
            with Image.open(work / kind / name) as image:
                assert image.size == (28, 24)
    done = command("annotate", "--project", project, "--import", work)
    assert done.exit_code == 0, done.output
    taken = AnnotationFolderDataset(path=str(project / "data/01_raw/slice_annotations")).load()
    assert sorted(f"{name}.png" for name in taken) == names
    assert all({1, 2} <= set(np.unique(classes)) for classes in taken.values())
    again = command("annotate", "--project", project, "--count", 2)
    assert not any(f" {name[:-4]} " in again.output for name in names)


def test_colours_count_where_a_program_sorted_the_palette_anew(command, own_project, tmp_path):
    classes = np.zeros((24, 28), np.uint8)
    classes[5], classes[8:], classes[20] = 1, 2, 3
    painted = tmp_path / "painted"
    painted.mkdir()
    image = Image.fromarray(classes, mode="P")
    image.putpalette(PALETTE)
    image.convert("RGB").save(painted / "slice_001.png")
    shuffled = Image.fromarray(3 - classes, mode="P")
    shuffled.putpalette(np.array(PALETTE).reshape(4, 3)[::-1].ravel().tolist())
    shuffled.save(painted / "slice_003.png")
    done = command("annotate", "--project", own_project, "--import", painted)
    assert done.exit_code == 0, done.output
    taken = AnnotationFolderDataset(path=str(own_project / "data/01_raw/slice_annotations")).load()
    assert sorted(taken) == ["slice_001", "slice_002", "slice_003", "slice_005"]
    assert (taken["slice_001"] == classes).all()
    assert (taken["slice_003"] == classes).all()


def test_jpegs_and_soft_edges_are_named_and_taken_on_demand(command, own_project, tmp_path):
    painted, here = tmp_path / "painted", ("--project", own_project, "--replace")
    painted.mkdir()
    with Image.open(own_project / "data/01_raw/slice_annotations/slice_002.png") as image:
        classes, colours = np.asarray(image), np.asarray(image.convert("RGB"))
    soft = Image.fromarray(colours).resize((56, 48)).resize((28, 24))
    soft.save(painted / "slice_002.png")
    (painted / "slice_002.xcf").touch()
    refused = command("annotate", "--import", painted, *here)
    assert refused.exit_code == 2
    assert "--blurred" in refused.output
    Image.fromarray(colours).save(painted / "slice_005.jpg", quality=95)
    refused = command("annotate", "--import", painted, *here)
    assert refused.exit_code == 2
    assert "JPEG" in refused.output
    assert "slice_005.jpg" in refused.output
    done = command("annotate", "--import", painted, *here, "--blurred")
    assert done.exit_code == 0, done.output
    assert "Not read, since no PNG or TIFF: slice_002.xcf" in done.output
    for name in ("slice_002", "slice_005"):
        with Image.open(own_project / f"data/01_raw/slice_annotations/{name}.png") as image:
            taken = np.asarray(image)
        clear = taken > 0
        assert 0.3 < clear.mean() < 1
        assert (taken[clear] == classes[clear]).mean() > 0.99


def test_slices_to_label_are_named_or_counted(command, own_project):
    here = ("--project", own_project, "--no-viewer")
    by_name = command("annotate", "--slices", "slice_003, slice_006", *here)
    assert by_name.exit_code == 0, by_name.output
    assert "(86, 180, 233)" in by_name.output  # what to paint with
    assert by_name.output == command("annotate", "--slices", "3,6", *here).output


def test_import_takes_in_all_images_or_none(command, own_project, tmp_path):
    painted = tmp_path / "painted"
    painted.mkdir()
    Image.fromarray(np.ones((24, 28), np.uint8)).save(painted / "slice_001.png")
    Image.fromarray(np.ones((24, 28, 3), np.uint8)).save(painted / "slice_003.png")
    Image.fromarray(np.ones((24, 99), np.uint8)).save(painted / "slice_004.png")
    done = command("annotate", "--project", own_project, "--import", painted)
    assert done.exit_code == 2
    assert "2 problems in 3 painted images" in done.output
    assert "1 such colours: (1, 1, 1)" in done.output
    assert "(24, 99)" in done.output
    assert not (own_project / "data/01_raw/slice_annotations/slice_001.png").exists()


def test_labels_of_another_slice_are_named_by_import_and_check(command, own_project, tmp_path):
    painted, labels = tmp_path / "painted", own_project / "data/01_raw/slice_annotations"
    painted.mkdir()
    assert "not slice" not in command("check", own_project).output
    (labels / "slice_002.png").rename(painted / "slice_007.png")
    done = command("annotate", "--project", own_project, "--import", painted)
    assert done.exit_code == 0, done.output
    said = "the label of slice_007 fits slice_002 ("
    assert said in done.output
    checked = command("check", own_project)
    assert said in checked.output
    assert checked.output.count("not slice") == 1


def test_a_viewer_that_is_not_there_is_said_to_be_missing(command, own_project, monkeypatch):
    monkeypatch.setattr("electrode_grains.commands.viewer.available", lambda: False)
    done = command("annotate", "--project", own_project, "--viewer")
    assert done.exit_code == 2
    assert "electrode-grains[viewer]" in done.output


def test_slices_outside_of_the_stack_cannot_be_asked_for(command, own_project):
    done = command("annotate", "--project", own_project, "--slices", "3,8")
    assert done.exit_code == 2
    assert "0 to 7" in done.output


def test_results_that_are_not_there_yet_name_the_run_that_makes_them(command, own_project):
    for name in ("proofread", "export"):
        done = command(name, "--project", own_project)
        assert done.exit_code == 2, name
        assert "kedro run --pipelines" in done.output


def test_a_report_of_a_project_that_never_ran_asks_for_the_whole_run(command, own_project):
    done = command("report", "--project", own_project)
    assert done.exit_code == 2
    assert f"cd {own_project} && kedro run\n" in done.output


def test_a_draft_is_what_the_pipeline_would_label(command, acquired, tmp_path):
    from electrode_grains.datasets.folders import ScanFolderDataset
    from electrode_grains.ebsd import StackSettings
    from electrode_grains.pipelines.orientation_annotation.nodes import annotate_slices
    from electrode_grains.pipelines.orientation_annotation.settings import (
        OrientationAnnotationSettings,
    )

    project = tmp_path / "new"
    words = ("init", project, "--scans", acquired / "scans", "--slice-spacing-nm", 50)
    assert command(*words).exit_code == 0
    done = command("annotate", "--project", project, "--slices", "4", "--draft")
    assert done.exit_code == 0, done.output
    with Image.open(project / "data/01_raw/to_annotate/labels/slice_004.png") as image:
        drawn = np.asarray(image)
    settings = OrientationAnnotationSettings(
        slice_count=1, laue_group="-3m", misorientation_degrees=5.0, minimum_confidence=0.05
    )
    labelled = annotate_slices(
        ScanFolderDataset(path=str(acquired / "scans")).load(), StackSettings(), settings
    )
    assert (drawn == labelled["slice_004"]).mean() > 0.99


def test_export_offers_every_format_that_there_is():
    from electrode_grains.commands import export
    from electrode_grains.exports import FORMATS

    assert list(export.NAMES) == list(FORMATS)


def test_a_project_older_than_the_package_is_told_what_it_lacks(command, own_project):
    (own_project / "conf" / "base" / "catalog_preprocessing.yml").unlink()
    done = command("proofread", "--project", own_project)
    assert done.exit_code == 2
    assert "no image_quality_volume" in done.output


@pytest.mark.parametrize(
    "phase",
    ["${env:TOKEN}", "${", "a\x1b[2Jb", "a\u2028b", "a\u0085b", "=1+1 # {x} %", "\u202eabc"],
)
def test_a_name_in_a_file_is_neither_configuration_nor_a_command_to_the_terminal(
    command, slices, tmp_path, monkeypatch, phase
):
    monkeypatch.setenv("TOKEN", "a secret of the reader")
    for file in (slices / "scans").glob("*.ang"):
        text = file.read_text("latin-1")
        changed = text.replace("NMC532", phase.encode("utf-8").decode("latin-1"))
        assert changed != text
        file.write_text(changed, "latin-1")
    project = tmp_path / "own"
    words = ("--annotations", slices / "labels", "--slice-spacing-nm", 50)
    done = command("init", project, "--scans", slices / "scans", *words)
    assert done.exit_code == 0, done.output
    checked = command("check", project)
    assert checked.exit_code == 0, checked.output
    from electrode_grains.commands.project import open_project

    material = open_project(project, None).config["parameters"]["particle"]["material"]
    assert "secret" not in material
    written = "".join(
        file.read_text("utf-8")
        for file in project.rglob("*")
        if file.suffix in (".yml", ".md", ".toml")
    )
    for shown in (done.output, checked.output, material, written):
        assert not any(code in shown for code in "\x1b\u2028\x85\u202e")


@pytest.mark.parametrize("name", ['two\nlines"]', "\x1b]0;x\x07", "${env:TOKEN}", "🔋 {0}"])
def test_any_name_makes_a_project_that_can_be_used(command, acquired, tmp_path, name):
    words = ("init", tmp_path / "new", "--scans", acquired / "scans", "--name", name)
    done = command(*words, "--annotations", acquired / "labels", "--slice-spacing-nm", 50)
    assert done.exit_code == 0, done.output
    declared = tomllib.loads((tmp_path / "new" / "pyproject.toml").read_text("utf-8"))
    assert declared["tool"]["kedro"]["project_name"] == literal(name)
    assert command("check", tmp_path / "new").exit_code == 0


def test_the_environment_variable_means_the_same_as_the_option(command, own_project, monkeypatch):
    (own_project / "conf" / "other").mkdir()
    (own_project / "conf" / "other" / "globals.yml").write_text("data_root: elsewhere\n")
    by_option = command("report", "--project", own_project, "--env", "other")
    monkeypatch.setenv("KEDRO_ENV", "other")
    by_variable = command("report", "--project", own_project)
    assert by_option.output == by_variable.output
    assert "elsewhere" in by_option.output
    monkeypatch.setenv("KEDRO_ENV", "nowhere")
    for name in ("check", "annotate", "proofread", "report", "export"):
        words = (own_project,) if name == "check" else ("--project", own_project)
        done = command(name, *words)
        assert done.exit_code == 2
        assert "there is no such environment" in done.output


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("[[0,0,1,60]]", "-3m as 6/mmm; pairs of neighbours that are variants of each other"),
        ("[]", "the four c axes of the pseudo-cube count as one; operators (of the pseudo-cube): "
               "90 degrees about (0, 0.817, -0.577)"),
    ],
)  # fmt: skip
def test_check_shows_what_the_indexer_may_confuse(command, own_project, given, told):
    local = own_project / "conf/local/parameters_preprocessing.yml"
    local.write_text(f"preprocessing: {{stack: {{pseudo_symmetry_operators: {given}}}}}\n")
    done = command("check", own_project)
    assert done.exit_code == 0, done.output
    assert "pseudo-symmetry: " in done.output
    assert told in " ".join(done.output.split())


def test_operators_that_make_no_group_are_problems_of_the_settings(command, own_project):
    local = own_project / "conf/local/parameters_preprocessing.yml"
    given = "[[1, -1, 0, 70.53]]"
    local.write_text(f"preprocessing: {{stack: {{pseudo_symmetry_operators: {given}}}}}\n")
    done = command("check", own_project)
    assert done.exit_code == 2
    flat = " ".join(done.output.split())
    assert "preprocessing.stack.pseudo_symmetry_operators" in flat
    assert "make no Laue group" in flat
