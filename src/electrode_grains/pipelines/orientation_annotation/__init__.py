"""Annotations from orientations, for stacks that nobody labelled."""

from electrode_grains.pipelines.orientation_annotation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
