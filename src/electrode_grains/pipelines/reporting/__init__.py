"""Tables, figures and the report."""

from electrode_grains.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
