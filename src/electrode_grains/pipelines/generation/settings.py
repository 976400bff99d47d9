"""Settings of the generation pipeline."""

from electrode_grains.generation.scenarios import ScenarioSettings
from electrode_grains.generation.settings import GenerationSettings

__all__ = ["GenerationSettings", "ScenarioSettings"]
