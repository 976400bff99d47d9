"""Virtual particles from the fits, verified against them."""

from electrode_grains.pipelines.generation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
