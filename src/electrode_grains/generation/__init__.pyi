from .calibration import Calibration, calibrate
from .comparison import compare_generation
from .moments import PUBLISHED, ShapeMoments
from .particles import (
    CalibratedModel,
    calibrate_model,
    fill_window,
    fitted_moments,
    generate,
    simulated_moments,
)
from .settings import GenerationSettings

__all__ = [
    "CalibratedModel",
    "Calibration",
    "GenerationSettings",
    "PUBLISHED",
    "ShapeMoments",
    "calibrate",
    "calibrate_model",
    "compare_generation",
    "fill_window",
    "fitted_moments",
    "generate",
    "simulated_moments",
]
