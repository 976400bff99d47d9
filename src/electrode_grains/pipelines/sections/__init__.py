"""From plane sections to grains in space."""

from electrode_grains.pipelines.sections.pipeline import create_pipeline

__all__ = ["create_pipeline"]
