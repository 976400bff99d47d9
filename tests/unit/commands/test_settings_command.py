"""The table of all settings."""

import importlib.util
import json

import pytest

from electrode_grains.commands.settings_table import MARK, leaf_names, settings_models, tabulate


def rows(done):
    assert done.exit_code == 0, done.output
    return {row["name"]: row for row in json.loads(done.output)}


@pytest.fixture(scope="module")
def models():
    return settings_models()


def fields_of(group, model):
    """Names of the fields of a model, and of the models in it."""
    for name, field in model.model_fields.items():
        within = getattr(field.annotation, "model_fields", None)
        yield from fields_of(f"{group}.{name}", field.annotation) if within else [f"{group}.{name}"]


def test_every_setting_of_every_model_stands_in_the_table_once(models):
    names = [row.name for row in tabulate(models)]
    fields = [name for group, model in models.items() for name in fields_of(group, model)]
    assert names == fields
    assert len(set(names)) == len(names) > 100


def test_origins_are_the_code_the_folders_and_the_command_line(command, own_project):
    base = own_project / "conf" / "base" / "parameters_segmentation.yml"
    lines = base.read_text("utf-8").splitlines(True)
    base.write_text("".join(line for line in lines if "slack_bits" not in line), "utf-8")
    words = ("settings", "--project", own_project, "--json")
    params = ("--params", "segmentation.grains.minima_depth=0.03,modelling.sample.minimum_voxels=9")
    table = rows(command(*words, *params))
    for name, origin, value in (
        ("segmentation.depths.slack_bits", "default", 0.03),
        ("segmentation.grains.minimum_voxels", "conf/base", 34),
        ("preprocessing.stack.slice_spacing_nm", "conf/local", 50),
        ("segmentation.grains.minima_depth", "command line", 0.03),
        ("modelling.sample.minimum_voxels", "command line", 9),
        ("data_root", "conf/local", "data"),
        ("laue_group", "conf/local", "-3m"),
        ("mlflow.candidates", "conf/base", "all"),
    ):
        assert (table[name]["origin"], table[name]["value"]) == (origin, value), name
    (own_project / "conf" / "other").mkdir()
    (own_project / "conf" / "other" / "parameters.yml").write_text(
        "segmentation: {grains: {minimum_voxels: 5}}\npreprocessing: {stack: {slice_spacing_nm: 1}}"
    )
    changed = rows(command(*words, "--changed", "--env", "other"))
    assert {row["origin"] for row in changed.values()} == {"conf/other"}
    assert set(changed) == {
        "segmentation.grains.minimum_voxels", "preprocessing.stack.slice_spacing_nm",
    }  # fmt: skip


def test_a_group_or_a_name_alone_chooses(command, own_project):
    words = ("settings", "--project", own_project, "--json")
    group = rows(command(*words, "segmentation.grains"))
    assert all(name.startswith("segmentation.grains.") for name in group)
    assert set(rows(command(*words, "minima_depth"))) == {"segmentation.grains.minima_depth"}
    refused = command(*words, "segmentation.grain")
    assert refused.exit_code == 2
    assert "segmentation.grains" in refused.output


def test_outside_of_a_project_the_defaults_are_printed(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = rows(command("settings", "--json", "orientation_annotation"))
    assert {row["origin"] for row in table.values()} == {"default"}
    assert table["orientation_annotation.misorientation_degrees"]["unit"] == "degrees"
    assert command("settings", "--project", tmp_path).exit_code == 2


def test_settings_of_this_room_carry_the_values_of_conf_base(command, project, models):
    table = rows(command("settings", "--project", project, "--json", "orientation_annotation"))
    defaults = models["orientation_annotation"]().model_dump(mode="json")
    assert {name.rpartition(".")[2]: row["value"] for name, row in table.items()} == defaults
    assert all(row["meaning"] for row in table.values())


def test_the_page_of_settings_names_all_of_them_as_it_is_built(project, models):
    file = project / "docs" / "extensions" / "settings_page.py"
    spec = importlib.util.spec_from_file_location("settings_page", file)
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    source = (project / "docs" / "settings.md").read_text("utf-8")
    assert source.count(MARK) == 1
    page = hook.on_page_markdown(source)
    assert MARK not in page
    lines = page.splitlines()
    for row in tabulate(models):
        group, _, name = row.name.rpartition(".")
        section = lines[lines.index(f"## {group}") :]
        line = next(line for line in section if line.startswith(f"| `{name}` |"))
        assert row.meaning.replace("|", "\\|") in line
        assert line.count("|") - line.count("\\|") == 6


def test_names_of_nested_values():
    content = {"a": {"b": 1, "c": [1, 2]}, "d": None, "e": {}}
    assert list(leaf_names(content)) == ["a.b", "a.c", "d", "e"]
