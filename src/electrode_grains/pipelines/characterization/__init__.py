"""Size, shape and orientation of every grain."""

from electrode_grains.pipelines.characterization.pipeline import create_pipeline

__all__ = ["create_pipeline"]
