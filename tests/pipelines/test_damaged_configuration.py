"""Broken and misspelt configuration files: refused with their place, or read as they stand."""

import random
import shutil

import pytest
import yaml
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.validation import ParameterValidationError
from kedro.validation.parameter_validator import ParameterValidator

from damaged_files import mutants, places_of_refusals
from electrode_grains.configuration import (
    RefusingConfigLoader,
    data_folder,
    impossible_settings,
    refuse_impossible_settings,
    refuse_unread_parameters,
    unread_parameters,
)
from electrode_grains.errors import SettingsError, UserError
from electrode_grains.settings import CONFIG_LOADER_ARGS


@pytest.fixture(scope="module", autouse=True)
def _project(project):
    bootstrap_project(project)


@pytest.fixture
def conf(project, tmp_path):
    for environment in ("base", "test"):
        shutil.copytree(project / "conf" / environment, tmp_path / environment)
    return tmp_path


def loader(conf):
    return RefusingConfigLoader(str(conf), env="test", **CONFIG_LOADER_ARGS)


def read(conf):
    return loader(conf)["parameters"]


@pytest.mark.parametrize(
    ("content", "place", "nature"),
    [
        (b"segmentation:\n  depth: [1,\n", "line 3", "expected the node content"),
        (b"preprocessing:\n\tstack: 3\n", "line 2", "cannot start any token"),
        (b"a: 1\nb: 2\na: 3\n", "line 3", "duplicate key a"),
        (b"\xff\xfe: 1\n", "parameters.yml", "invalid start byte"),
        (b"- 1\n- 2\n", "parameters.yml", "a list"),
        (b"!!python/object/apply:os.system [exit]\n", "line 1", "constructor"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(conf, content, place, nature):
    file = conf / "test" / "parameters.yml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="configuration file cannot be read") as caught:
        read(conf)
    assert str(file) in caught.value.where
    assert caught.value.where.endswith(place)
    assert nature in caught.value.found


def test_a_value_that_leads_nowhere_is_refused_with_its_name(conf):
    (conf / "test" / "parameters.yml").write_text("particle:\n  name: ${nothing.here}\n")
    with pytest.raises(SettingsError, match=r"particle\.name"):
        read(conf)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"segmentaton": {"grains": {}}}, {"segmentaton": "did you mean segmentation? "}),
        (
            {"segmentation": {"grain": {}}},
            {
                "segmentation.grain": "did you mean segmentation.grains? There are: "
                "segmentation.boundaries, segmentation.depths, segmentation.grains"
            },
        ),
        ({"segmentation": 3}, {"segmentation": "settings below segmentation"}),
        ({"segmentation": {"grains": {"anything": 1}}, "particle": {"name": "p"}}, {}),
    ],
)
def test_parameters_that_no_step_reads_are_named_beside_the_nearest(parameters, told):
    found = unread_parameters(parameters, pipelines.values())
    assert found.keys() == told.keys()
    assert all(found[name].startswith(text) for name, text in told.items())


@pytest.mark.parametrize(
    ("kind", "within", "place", "says"),
    [
        (
            "parameters",
            "segmentation.grains",
            "minima_dept",
            "did you mean minima_depth? There are",
        ),
        ("parameters", "boundary_model.training", "epoch", "did you mean epochs? There are"),
        ("parameters", "preprocessing.annotation", "xyz", "one of frame, slice_numbers"),
        ("globals", "", "laue_groupe", "did you mean laue_group? There are"),
        ("mlflow", "", "enable", "did you mean enabled? There are"),
    ],
)
def test_a_misspelt_setting_is_answered_with_the_names_that_there_are(
    conf, kind, within, place, says
):
    right = loader(conf)
    assert impossible_settings(right, pipelines) == ([], [])
    values = {name: right[name] for name in ("parameters", "globals", "mlflow")}
    group = values[kind]
    for part in within.split(".") if within else ():
        group = group[part]
    group[place] = "1"
    ((refusal,), missing) = impossible_settings(values, pipelines)
    assert refusal.message == "there is no such setting"
    name = within or kind
    assert refusal.where == f"{name}.{place}"
    assert refusal.expected.startswith(says)
    assert missing == []


def test_a_misspelt_name_within_a_list_is_answered_too(conf):
    values = {name: loader(conf)[name] for name in ("parameters", "globals", "mlflow")}
    turned = [{"frst": 3, "symmetry": "mirror_x"}]
    values["parameters"]["preprocessing"]["alignment"]["undo"] = turned
    refusals, _ = impossible_settings(values, pipelines)
    found = {refusal.where: refusal.expected for refusal in refusals}
    assert "did you mean first?" in found["preprocessing.alignment.undo.0.frst"]


def test_several_wrong_settings_are_counted(conf):
    values = {name: loader(conf)[name] for name in ("parameters", "globals", "mlflow")}
    values["parameters"]["segmentation"]["grains"] |= {"minima_depth": 7, "colour": "red"}
    with pytest.raises(SettingsError, match="check lists 1 more") as refused:
        refuse_impossible_settings(values, pipelines)
    assert refused.value.expected == '7.0 is not "auto" and not between 0 and 1'


def test_a_misspelt_parameter_is_refused_by_the_command(kedro, tmp_path):
    done = kedro(
        *("run", "--env", "test", "--pipelines", "acquisition"),
        *("--params", "segmentaton.grains.depth=3"),
        data=tmp_path,
    )
    assert done.returncode == 2
    assert "no step reads this parameter" in done.stderr
    assert "segmentaton" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def mutate(content, chance):
    """Change a text as disks and hands do."""
    kind = chance.randrange(7)
    at = chance.randrange(len(content))
    lines = content.split(b"\n")
    row = chance.randrange(len(lines))
    if kind == 0:
        return content[:at]
    if kind == 1:
        return (
            content[:at]
            + chance.choice(list(map(str.encode, "\t:-[]{}#&*!|>'\"%@`,0 $")))[:1]
            + (content[at + 1 :])
        )
    if kind == 2:
        return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]
    if kind == 3:
        del lines[row]
    elif kind == 4:
        lines.insert(chance.randrange(len(lines)), lines[row])
    elif kind == 5:
        lines[row] = lines[row].lstrip() if chance.random() < 0.5 else b"  " + lines[row]
    else:
        lines[row] = lines[row].partition(b":")[0] + chance.choice(
            [b": nan", b": -1", b":", b": 1e999"]
        )
    return b"\n".join(lines)


def overlaid(below, above):
    """Mappings merged leaf by leaf, as an environment lies on `base`."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    merged = {key: overlaid(below[key], above[key]) for key in below.keys() & above.keys()}
    return {**below, **above, **merged}


def by_another_reader(conf):
    """The parameters as PyYAML reads them."""
    total = {}
    for environment in ("base", "test"):
        for file in sorted((conf / environment).glob("parameters*.yml")):
            content = file.read_bytes().replace(b"${globals:laue_group}", b"-3m")
            content = content.replace(b"${globals:pseudo_symmetry, auto}", b"auto")
            total = overlaid(total, yaml.safe_load(content) or {})
    return total


def leaves(value, name=""):
    """Values by name; numbers that one YAML takes for texts, such as 1e-3, are made alike."""
    if isinstance(value, dict | list) and value:
        each = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, within in each for k, v in leaves(within, f"{name}.{key}").items()}
    try:
        return {name: repr(float(value))}
    except (TypeError, ValueError):
        return {name: str(value)}


@pytest.mark.parametrize("count", [80, pytest.param(5_000, marks=pytest.mark.slow)])
def test_a_mutant_of_the_parameters_is_refused_or_read_as_it_stands(conf, count):
    files = sorted(conf.glob("*/parameters*.yml"))
    validator = ParameterValidator(dict(pipelines))

    def check(file):
        found = read(conf)
        refuse_unread_parameters(found, pipelines.values())
        validator.validate_raw_params(found)
        other = set(leaves(found).items()) ^ set(leaves(by_another_reader(conf)).items())
        assert not other, file.name

    changes = mutants(files, mutate, random.Random(3), count)
    refused = places_of_refusals(changes, check, (UserError, ParameterValidationError))
    assert len(refused) > count / 3


@pytest.mark.parametrize("name", ["{run}", "a}b", "${env:HOME}"])
def test_a_path_with_braces_is_refused_with_the_reason(tmp_path, name):
    with pytest.raises(SettingsError, match="braces") as refusal:
        data_folder(tmp_path / name, {"globals": {"data_root": "data"}})
    assert name in refusal.value.where
