"""What enters the recipe of a step: code, settings, options, files that settings name, inputs."""

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from electrode_grains.base import Settings
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.runs.content import combine_digests, file_digests
from electrode_grains.runs.manifest import Recipe
from electrode_grains.runs.recipes import RecipeBuilder
from electrode_grains.runs.store import DatasetStore


def begin(raw, settings):
    return raw, raw


def go_on(hidden, everything, how):
    return hidden


begin.__module__ = "rooms.begin.nodes"
go_on.__module__ = "rooms.goes_on.nodes"
STEPS = Pipeline(
    [
        Node(begin, ["raw", "params:begin"], ["hidden", "kept"], name="begin"),
        Node(go_on, ["hidden", "parameters", "params:compute"], "end", name="go_on"),
    ]
)


class Code:
    """Stands for the code of a project: its digest names the modules that were asked for."""

    def digest(self, modules):
        return " ".join(sorted(modules))

    def library_versions(self):
        return {"numpy": "1"}


class Own(Settings):
    factor: float = 2.0


@pytest.fixture
def builder(tmp_path):
    (tmp_path / "raw.json").write_text("{}")
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "weights").write_text("w")
    parameters = {
        "begin": Own(),
        "other": {"place": str(tmp_path / "network"), "long": "x/" * 3000, "word": "network"},
        "compute": {"workers": 3},
    }
    catalog = DataCatalog(
        {
            "raw": ResultDataset(filepath=str(tmp_path / "raw.json")),
            "kept": ResultDataset(filepath=str(tmp_path / "kept.json"), model="rooms.schemas.Kept"),
            "end": JSONDataset(filepath=str(tmp_path / "end.json"), save_args={"indent": 2}),
            "hidden": MemoryDataset(),
        }
    )
    return RecipeBuilder(DatasetStore(catalog), parameters, STEPS, Code())


def step(name):
    return next(node for node in STEPS.nodes if node.name == name)


def test_a_recipe_knows_the_step_and_its_inputs(builder, tmp_path):
    recipe = builder.build(step("begin"))
    assert recipe.step == "rooms.begin.nodes.begin"
    assert recipe.libraries == {"numpy": "1"}
    assert recipe.inputs == {"raw": combine_digests(file_digests([tmp_path / "raw.json"]))}
    assert {key: value for key, value in recipe.parameters.items() if "catalog" not in key} == {
        "begin.factor": 2.0
    }


def test_the_code_is_that_of_the_step_its_settings_its_flow_and_what_its_options_name(builder):
    modules = builder.build(step("begin")).code.split()
    assert set(modules) == {
        "rooms.begin.nodes", "rooms.begin.pipeline", "rooms.begin.settings",
        "rooms.schemas", "electrode_grains.datasets.results",
    }  # fmt: skip


def test_a_step_after_one_that_no_file_keeps_has_the_recipe_of_both(builder):
    recipe = builder.build(step("go_on"))
    assert set(recipe.inputs) == {"raw"}
    assert {"rooms.begin.nodes", "rooms.goes_on.nodes"} < set(recipe.code.split())
    assert recipe.step == "rooms.goes_on.nodes.go_on"
    assert [node.name for node in builder.makers_in_memory(step("go_on"))] == ["begin"]
    assert builder.makers_in_memory(step("begin")) == []


def test_all_parameters_count_for_who_takes_all_and_computing_for_nobody(builder, tmp_path):
    settings = builder.settings(step("go_on"))
    assert settings["other.word"] == "network"
    assert settings["begin.factor"] == 2.0
    content = combine_digests(file_digests([tmp_path / "network"]))
    assert {key: value for key, value in settings.items() if key.startswith("content of")} == {
        "content of other.place": content
    }
    (tmp_path / "network" / "weights").write_text("other")
    assert builder.settings(step("go_on"))["content of other.place"] != content
    assert not any("compute" in key for key in builder.settings(step("begin")))


def test_options_of_what_a_step_reads_and_writes_count_but_not_where_it_lies(builder):
    settings = builder.settings(step("go_on"))
    options = {key: value for key, value in settings.items() if key.startswith("catalog.")}
    assert options["catalog.end.save_args.indent"] == 2
    assert not any("filepath" in key or "metadata" in key for key in options)
    assert not any(key.startswith(("catalog.parameters", "catalog.params")) for key in options)
    assert builder.settings(step("begin"))["catalog.kept.model"] == "rooms.schemas.Kept"


def test_what_was_loaded_and_what_is_recorded_of_lost_inputs_count_before_the_disk(
    builder, tmp_path
):
    recorded = Recipe("", "", {}, {}, {"raw": "recorded"})
    assert builder.build(step("begin"), loaded={"raw": "loaded"}).inputs == {"raw": "loaded"}
    there = builder.build(step("begin"), recorded=recorded).inputs["raw"]
    assert there == combine_digests(file_digests([tmp_path / "raw.json"]))
    (tmp_path / "raw.json").unlink()
    assert builder.build(step("begin"), recorded=recorded).inputs == {"raw": "recorded"}
    assert builder.build(step("begin")).inputs == {"raw": "absent"}
    unknown = Recipe("", "", {}, {}, {})
    assert builder.build(step("begin"), recorded=unknown).inputs == {"raw": "absent"}
