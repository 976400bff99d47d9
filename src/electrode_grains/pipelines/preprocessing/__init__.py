"""From a folder of slices to aligned volumes."""

from electrode_grains.pipelines.preprocessing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
