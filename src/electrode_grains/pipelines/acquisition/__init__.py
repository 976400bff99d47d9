"""A virtual particle and its FIB-EBSD acquisition."""

from electrode_grains.pipelines.acquisition.pipeline import create_pipeline

__all__ = ["create_pipeline"]
