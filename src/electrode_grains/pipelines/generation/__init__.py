"""Virtual particles from the fits, verified against them, and varied."""

from electrode_grains.pipelines.generation.pipeline import (
    create_pipeline,
    create_scenario_pipeline,
)

__all__ = ["create_pipeline", "create_scenario_pipeline"]
