from .architecture import ArchitectureModel, fill_domain
from .calibration import Calibration, calibrate
from .comparison import compare_generation
from .moments import PUBLISHED, ShapeMoments
from .particles import (
    CalibratedModel,
    calibrate_model,
    draw_orientations,
    fitted_moments,
    generate,
    simulated_moments,
)
from .settings import GenerationSettings

__all__ = [
    "ArchitectureModel",
    "CalibratedModel",
    "Calibration",
    "GenerationSettings",
    "PUBLISHED",
    "ShapeMoments",
    "calibrate",
    "calibrate_model",
    "compare_generation",
    "draw_orientations",
    "fill_domain",
    "fitted_moments",
    "generate",
    "simulated_moments",
]
