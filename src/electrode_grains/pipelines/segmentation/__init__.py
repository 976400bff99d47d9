"""From boundary probabilities to grains."""

from electrode_grains.pipelines.segmentation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
