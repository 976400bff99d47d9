"""From a grain map of another program to labels and orientations."""

from electrode_grains.pipelines.grain_map.pipeline import create_pipeline

__all__ = ["create_pipeline"]
