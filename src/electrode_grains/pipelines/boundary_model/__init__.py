"""The network that enhances grain boundaries."""

from electrode_grains.pipelines.boundary_model.pipeline import create_pipeline

__all__ = ["create_pipeline"]
