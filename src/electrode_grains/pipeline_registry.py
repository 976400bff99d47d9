"""Pipelines of the project by name."""

from __future__ import annotations

import tomllib
from pathlib import Path

from kedro.pipeline import Pipeline
from kedro.utils import find_kedro_project

from electrode_grains.pipelines import (
    acquisition,
    boundary_model,
    characterization,
    export,
    modelling,
    orientation_annotation,
    preprocessing,
    reporting,
    segmentation,
)

STEPS = {
    "preprocessing": preprocessing,
    "boundary_model": boundary_model,
    "segmentation": segmentation,
    "characterization": characterization,
    "modelling": modelling,
    "reporting": reporting,
}


def register_pipelines() -> dict[str, Pipeline]:
    """Register each step alone, all steps as the default, and what stands beside them.

    What makes a virtual particle is registered only in a project that is meant for one, see
    `has_virtual_particle`.
    """
    pipelines = {name: step.create_pipeline() for name, step in STEPS.items()}
    analysis = sum(pipelines.values(), Pipeline([]))
    virtual = virtual_pipelines(analysis) if has_virtual_particle(Path.cwd()) else {}
    return {
        "__default__": analysis,
        **virtual,
        "comparison": modelling.create_comparison_pipeline(),
        "export": export.create_pipeline(),
        "orientation_annotation": orientation_annotation.create_pipeline(),
        **pipelines,
    }


def virtual_pipelines(analysis: Pipeline) -> dict[str, Pipeline]:
    """Pipelines that write scans and annotations: of a virtual particle."""
    acquired = acquisition.create_pipeline()
    return {"demo": acquired + analysis, "acquisition": acquired}


def has_virtual_particle(start: Path) -> bool:
    """Whether the project around a folder is meant for a virtual particle.

    Its pyproject.toml says so::

        [tool.electrode_grains]
        virtual_particle = true

    A project that `electrode-grains init` made from a user's scans does not, so that no pipeline
    there writes scans.
    """
    project = find_kedro_project(start.resolve())
    try:
        declared = tomllib.loads((Path(project) / "pyproject.toml").read_text("utf-8"))
    except (OSError, TypeError, ValueError):
        return False
    return declared.get("tool", {}).get("electrode_grains", {}).get("virtual_particle") is True
