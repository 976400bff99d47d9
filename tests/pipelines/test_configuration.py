"""A bad key must surface here, not after hours of training."""

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from electrode_grains.configuration import RUNS
from electrode_grains.runs.recipes import RecipeBuilder
from electrode_grains.runs.store import DatasetStore
from electrode_grains.tracking import TrackingSettings

ENVIRONMENTS = ("base", "demo", "paper", "real", "test")


def is_parameter(name):
    return name == "parameters" or name.startswith("params:")


@pytest.fixture(scope="module", autouse=True)
def _project(project):
    bootstrap_project(project)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_settings_object_of_every_environment_builds(project, environment):
    with KedroSession.create(project_path=project, env=environment) as session:
        context = session.load_context()
        catalog = context.catalog  # made anew at each look
        TrackingSettings(**context.config_loader["mlflow"])
        for pipeline in pipelines.values():
            for name in filter(lambda name: name.startswith("params:"), pipeline.inputs()):
                assert isinstance(catalog.load(name), BaseModel), name


def test_the_base_configuration_holds_the_defaults_of_the_domain(project):
    with KedroSession.create(project_path=project, env="base") as session:
        catalog = session.load_context().catalog
        names = set().union(*(pipeline.inputs() for pipeline in pipelines.values()))
        configured = {
            name: catalog.load(name) for name in sorted(names) if name.startswith("params:")
        }
    assert {name: type(settings)() for name, settings in configured.items()} == configured


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_dataset_that_outlives_a_run_is_in_the_catalog(project, environment):
    with KedroSession.create(project_path=project, env=environment) as session:
        catalog = session.load_context().catalog
        for pipeline in pipelines.values():
            for name in pipeline.datasets():
                if not is_parameter(name) and name not in IN_MEMORY:
                    assert type(catalog.get(name)).__name__ != "MemoryDataset", name


IN_MEMORY = {"virtual_particle"}


def test_every_table_and_result_names_its_class_or_a_validator(project):
    with KedroSession.create(project_path=project, env="demo") as session:
        entries = session.load_context().config_loader["catalog"]
    checked = ("ParquetDataset", "ResultDataset")
    bare = [
        name
        for name, entry in entries.items()
        if entry["type"].endswith(checked) and not {"model", "validator"} & entry.keys()
    ]
    assert bare == []


def test_the_layers_of_the_catalog_never_run_backwards(project):
    order = [
        "raw",
        "intermediate",
        "primary",
        "feature",
        "model_input",
        "models",
        "model_output",
        "reporting",
    ]
    with KedroSession.create(project_path=project, env="demo") as session:
        catalog = session.load_context().catalog

        def layer(name):
            metadata = getattr(catalog.get(name), "metadata", None) or {}
            named = metadata.get("kedro-viz", {}).get("layer")
            return order.index(named) if named else None

        for node in pipelines["demo"].nodes:
            inputs = [layer(name) for name in node.inputs if not is_parameter(name)]
            outputs = [layer(name) for name in node.outputs]
            for before in filter(lambda rank: rank is not None, inputs):
                for after in filter(lambda rank: rank is not None, outputs):
                    assert before <= after, node.name


def test_the_default_is_the_analysis_and_the_demo_adds_the_acquisition():
    assert pipelines["demo"].nodes != pipelines["__default__"].nodes
    assert pipelines["__default__"].inputs() >= {"ebsd_scans", "slice_annotations"}
    free = {name for name in pipelines["demo"].inputs() if not is_parameter(name)}
    # Written by a person, where no file is no edit; and by a pipeline that is run on demand.
    assert free == {"segmentation_edits", "orientation_annotations"}


def changed(value):
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value == "pandas.ParquetDataset":  # a class, which has to exist
        return "pandas.CSVDataset"
    return value[:-1] if isinstance(value, list) else f"{value}_changed"


def test_every_option_of_the_catalog_outdates_what_it_shapes(project):
    """All keys of every entry but its path, its place in Kedro-Viz and its class."""
    with KedroSession.create(project_path=project, env="demo") as session:
        context = session.load_context()
    entries = context.config_loader["catalog"]
    steps = sum(pipelines.values(), Pipeline([]))
    tried, as_it_is = 0, builder(entries, context, steps)
    for name, entry in entries.items():
        users = [node for node in steps.nodes if name in {*node.inputs, *node.outputs}][:1]
        for key in entry.keys() - {"type", "path", "filepath", "metadata"}:
            other = {**entries, name: {**entry, key: changed(entry[key])}}
            altered = builder(other, context, steps)
            for node in users:
                assert as_it_is.settings(node) != altered.settings(node), (name, key)
            tried += 1
    assert tried > 20


def builder(entries, context, steps):
    store = DatasetStore(DataCatalog.from_config(entries))
    return RecipeBuilder(store, context.params, steps, RUNS.code)
