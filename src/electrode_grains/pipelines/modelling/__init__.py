"""Distributions of grain characteristics and of their pairs."""

from electrode_grains.pipelines.modelling.pipeline import (
    create_comparison_pipeline,
    create_pipeline,
)

__all__ = ["create_comparison_pipeline", "create_pipeline"]
