from .calibration import Calibration, calibrate
from .comparison import compare_generation
from .fitting import fit_model, fitted_moments
from .moments import PUBLISHED, ShapeMoments
from .orientations import OrientationStatistics, assign_orientations
from .particles import (
    Body,
    CalibratedModel,
    VirtualParticle,
    fill_window,
    generate,
    simulated_moments,
)
from .placement import PlaceStatistics, fit_placement, fit_protrusion, shells_of, whole_body
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
from .twins import twin_laws, with_twins

__all__ = [
    "Body",
    "CalibratedModel",
    "Calibration",
    "GenerationSettings",
    "OrientationStatistics",
    "PUBLISHED",
    "PlaceStatistics",
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
    "compare_generation",
    "fill_enclosed",
    "fill_window",
    "fit_model",
    "fit_placement",
    "fit_protrusion",
    "fit_sections",
    "fitted_moments",
    "generate",
    "make_scenario",
    "open_cracks",
    "open_voids",
    "separate_pieces",
    "shells_of",
    "summarize_scenarios",
    "simulate_sections",
    "simulated_moments",
    "square_pixel",
    "tabulate_sections",
    "twin_laws",
    "whole_body",
    "with_twins",
]
