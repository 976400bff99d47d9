"""One particle larger than memory, block by block, with the numbers of a run."""

from electrode_grains.by_block.alignment import AlignedByBlock, align_by_block
from electrode_grains.by_block.annotations import AnnotatedByBlock, annotate_by_block
from electrode_grains.by_block.contrast import ContrastByBlock, build_contrast_by_block
from electrode_grains.by_block.grains import GrainsByBlock, find_grains_by_block
from electrode_grains.by_block.particle import (
    ParticleByBlock,
    ParticleSettings,
    segment_particle_by_block,
)
from electrode_grains.by_block.probability import ProbabilityByBlock, predict_by_block
from electrode_grains.by_block.reading import ReadByBlock, read_by_block
from electrode_grains.by_block.registration import RegisteredByBlock, register_by_block

__all__ = [
    "AlignedByBlock",
    "AnnotatedByBlock",
    "ContrastByBlock",
    "GrainsByBlock",
    "ParticleByBlock",
    "ParticleSettings",
    "ProbabilityByBlock",
    "ReadByBlock",
    "RegisteredByBlock",
    "align_by_block",
    "annotate_by_block",
    "build_contrast_by_block",
    "find_grains_by_block",
    "predict_by_block",
    "read_by_block",
    "register_by_block",
    "segment_particle_by_block",
]
