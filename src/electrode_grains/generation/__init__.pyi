from .calibration import Calibration, calibrate
from .comparison import compare_generation
from .moments import PUBLISHED, ShapeMoments
from .orientations import OrientationStatistics, assign_orientations
from .particles import (
    CalibratedModel,
    VirtualParticle,
    calibrate_model,
    fill_window,
    fitted_moments,
    generate,
    simulated_moments,
)
from .scenarios import (
    Scenario,
    ScenarioSettings,
    make_scenario,
    open_cracks,
    open_voids,
    separate_pieces,
    summarize_scenarios,
)
from .section_moments import Profiles, SectionMoments
from .section_source import Sections, fill_enclosed, square_pixel
from .sections import (
    SectionModel,
    SimulatedSections,
    fit_sections,
    simulate_sections,
    tabulate_sections,
)
from .settings import GenerationSettings, SectionSettings

__all__ = [
    "CalibratedModel",
    "Calibration",
    "GenerationSettings",
    "OrientationStatistics",
    "PUBLISHED",
    "Profiles",
    "Scenario",
    "ScenarioSettings",
    "SectionModel",
    "SectionMoments",
    "SectionSettings",
    "Sections",
    "ShapeMoments",
    "SimulatedSections",
    "VirtualParticle",
    "assign_orientations",
    "calibrate",
    "calibrate_model",
    "compare_generation",
    "fill_enclosed",
    "fill_window",
    "fit_sections",
    "fitted_moments",
    "generate",
    "make_scenario",
    "open_cracks",
    "open_voids",
    "separate_pieces",
    "summarize_scenarios",
    "simulate_sections",
    "simulated_moments",
    "square_pixel",
    "tabulate_sections",
]
