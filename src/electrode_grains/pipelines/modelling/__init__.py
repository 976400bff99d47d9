"""Distributions of grain characteristics and of their pairs."""

from electrode_grains.pipelines.modelling.pipeline import create_pipeline

__all__ = ["create_pipeline"]
