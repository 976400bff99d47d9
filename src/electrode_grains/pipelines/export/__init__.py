"""Results in the formats of other programs."""

from electrode_grains.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
