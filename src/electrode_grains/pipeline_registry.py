"""Pipelines of the project by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

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
    """Register each step alone, all steps as the default, and what stands beside them."""
    pipelines = {name: step.create_pipeline() for name, step in STEPS.items()}
    analysis = sum(pipelines.values(), Pipeline([]))
    acquired = acquisition.create_pipeline()
    return {
        "__default__": analysis,
        "demo": acquired + analysis,
        "acquisition": acquired,
        "comparison": modelling.create_comparison_pipeline(),
        "export": export.create_pipeline(),
        "orientation_annotation": orientation_annotation.create_pipeline(),
        **pipelines,
    }
