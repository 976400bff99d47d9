"""Settings of the fits, with the values of conf/base."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from electrode_grains.base import Settings, setting
from electrode_grains.descriptors import MODELLED


def _modelled(name: str) -> str:
    """Refuse a name that no modelled descriptor has."""
    if name not in MODELLED:
        raise ValueError(f"unknown characteristic; known are {', '.join(MODELLED)}")
    return name


Characteristic = Annotated[str, AfterValidator(_modelled)]
Pair = tuple[Characteristic, Characteristic]


class SampleSettings(Settings):
    """Which grains enter the fits."""

    minimum_voxels: int = setting(
        34, "smaller grains have no measurable shape: d = 200 nm at 50 nm", unit="voxels", ge=1
    )
    include_window_grains: bool = setting(False, "grains cut by the window are in the sample")
    correct_edge_bias: bool = setting(
        False, "thin the sample by edge_weight: leaving out cut grains favours small ones"
    )
    seed: int = setting(0, "of that thinning", ge=0)


class GoodnessSettings(Settings):
    """How often the best family is drawn and refitted for its p-value."""

    replicates: int = setting(
        99, "bootstrap samples: p-values are multiples of 1 / (replicates + 1)", ge=19
    )
    selection_replicates: int = setting(
        19, "samples of the best family on which all families compete again; 0 for none", ge=0
    )
    seed: int = setting(5, "of the bootstrap", ge=0)


class MarginalSettings(Settings):
    """Which families compete for a characteristic."""

    families: dict[Characteristic, tuple[str, ...]] = setting(
        {}, "families by characteristic, where others than those of its descriptor compete"
    )
    smooth_at_p: float = setting(
        0.05, "p-value of the best family at and below which joint models take a spline", ge=0, le=1
    )


class ComparisonSettings(Settings):
    """How often samples are permuted and drawn where particles are compared."""

    replicates: int = setting(499, "permutations of tests and resamples of intervals", ge=19)
    seed: int = setting(5, "of both", ge=0)


class PairSettings(Settings):
    """Which pairs are modelled, and by which copulas."""

    characteristics: tuple[Characteristic, ...] = setting(
        ("equivalent_diameter_nm", "sphericity", "convexity", "elongation"),
        "pairs of these are modelled where they are correlated",
    )
    minimum_correlation: float = setting(
        0.1, "pairs correlated more weakly are not modelled", ge=0, le=1
    )
    always: tuple[Pair, ...] = setting(
        (("polar_angle", "azimuthal_angle"),), "pairs modelled whatever their correlation"
    )
    ties: Literal["mean", "random"] = setting(
        "mean", "equal values share their mean rank, or are ranked at random by the seed"
    )
    families: tuple[str, ...] = setting(
        (
            *("independence", "ali_mikhail_haq", "clayton", "frank", "gumbel", "joe"),
            *("bb1", "bb8", "bb3", "bb5"),
        ),
        "copula families that compete; also gaussian and student",
    )
    rotations: tuple[Literal[0, 90, 180, 270], ...] = setting(
        (0, 90, 180, 270), "in which families compete that are not symmetric", unit="degrees"
    )


class ModellingSettings(Settings):
    """All settings of the fits."""

    sample: SampleSettings = setting(SampleSettings(), "which grains enter")
    marginals: MarginalSettings = setting(MarginalSettings(), "families of the characteristics")
    goodness: GoodnessSettings = setting(GoodnessSettings(), "tests of the best families")
    comparison: ComparisonSettings = setting(ComparisonSettings(), "comparison of particles")
    pairs: PairSettings = setting(PairSettings(), "pairs of characteristics")
