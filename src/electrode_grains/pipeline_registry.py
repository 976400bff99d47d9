"""Pipelines of the project by name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline
from kedro.utils import find_kedro_project

from electrode_grains.composition import compose
from electrode_grains.pipelines import (
    acquisition,
    boundary_model,
    characterization,
    export,
    generation,
    grain_map,
    modelling,
    orientation_annotation,
    preprocessing,
    reporting,
    sections,
    segmentation,
)

# Folder of the project that a command works on, where it is not the one around.
PROJECT: Path | None = None
STEPS = {
    "preprocessing": preprocessing,
    "boundary_model": boundary_model,
    "segmentation": segmentation,
    "characterization": characterization,
    "modelling": modelling,
    "reporting": reporting,
}


TRUTH = {"true_grain_label_volume", "acquired_label_stack"}
COMPARING = {"compare_with_truth"}
"""Steps that make nothing without a truth, though they take it as optional."""

FROM_GRAIN_MAP = {
    "grain_map": grain_map,
    **{name: STEPS[name] for name in ("characterization", "modelling", "reporting")},
}


def register_pipelines() -> dict[str, Pipeline]:
    """Register each step alone, all steps as the default, and what stands beside them.

    What makes a virtual particle is registered only in a project that is meant for one. A
    project that starts from a grain map has the steps after segmentation, each with what there
    is. Its pyproject.toml says so::

        [tool.electrode_grains]
        virtual_particle = true
        starts_from = "grain_map"

    A project that starts from plane sections ("sections") has the pipeline of that name alone.
    A project that `electrode-grains init` made from a user's scans declares neither, so that no
    pipeline there writes scans.
    """
    declared = declared_in(PROJECT or Path.cwd())
    if declared.get("starts_from") == "sections":
        from_sections = sections.create_pipeline()
        return {"__default__": from_sections, "sections": from_sections}
    if declared.get("starts_from") == "grain_map":
        steps = {name: step.create_pipeline() for name, step in FROM_GRAIN_MAP.items()}
        beside = {
            "export": export.create_pipeline(),
            "generation": generation.create_pipeline(),
            "scenarios": generation.create_scenario_pipeline(),
        }
        pipelines = compose({**steps, **beside}, ["grain_map"])
        others = {name: pipelines.pop(name) for name in beside}
    else:
        pipelines = {name: step.create_pipeline() for name, step in STEPS.items()}
        if declared.get("virtual_particle") is not True:
            pipelines = without_truth(pipelines)
        others = {
            "export": export.create_pipeline(),
            "generation": generation.create_pipeline(),
            "scenarios": generation.create_scenario_pipeline(),
            "orientation_annotation": orientation_annotation.create_pipeline(),
        }
    analysis = sum(pipelines.values(), Pipeline([]))
    virtual = virtual_pipelines(analysis) if declared.get("virtual_particle") is True else {}
    return {
        "__default__": analysis,
        **virtual,
        "comparison": modelling.create_comparison_pipeline(),
        **others,
        **pipelines,
    }


def without_truth(steps: Mapping[str, Pipeline]) -> dict[str, Pipeline]:
    """Steps as they are where nobody knows the true grains: without what compares with them."""
    sources = sum(steps.values(), Pipeline([])).inputs() - TRUTH
    kept = {
        name: Pipeline([node for node in step.nodes if node.name not in COMPARING])
        for name, step in steps.items()
    }
    return compose(kept, sources)


def virtual_pipelines(analysis: Pipeline) -> dict[str, Pipeline]:
    """Pipelines that write scans and annotations: of a virtual particle."""
    acquired = acquisition.create_pipeline()
    return {"demo": acquired + analysis, "acquisition": acquired}


def declared_in(start: Path) -> dict[str, Any]:
    """What the project around a folder declares in `[tool.electrode_grains]`."""
    project = find_kedro_project(start.resolve())
    try:
        content = tomllib.loads((Path(project) / "pyproject.toml").read_text("utf-8"))
    except (OSError, TypeError, ValueError):
        return {}
    declared = content.get("tool", {}).get("electrode_grains", {})
    return declared if isinstance(declared, dict) else {}
