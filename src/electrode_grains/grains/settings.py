"""Settings of the segmentation, with the values of conf/base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field

from electrode_grains.base import Settings, setting
from electrode_grains.crystal import LaueGroup
from electrode_grains.errors import SettingsError

MergeMode = Literal["none", "iq", "orientation", "combined"]
ParticleRule = Literal["largest", "most_central", "all"]
PASSES = (
    "flood", "drop_background", "cut", "merge", "place", "refine", "merge", "clean_up", "join",
)  # fmt: skip


def _in_unit_interval(value: float | Literal["auto"]) -> float | Literal["auto"]:
    """Checked after the union, so that a number out of range is one error and not two."""
    if value != "auto" and not 0 < value < 1:
        raise ValueError(f'{value} is not "auto" and not between 0 and 1')
    return value


Chosen = Annotated[float | Literal["auto"], AfterValidator(_in_unit_interval)]


class SegmentationSettings(Settings):
    """Watershed, merging, interfaces and clean-up; "auto" is chosen by annotated slices."""

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {"stiffness": "interface_cost"}

    passes: tuple[str, ...] = setting(
        PASSES, "steps in their order: names of `grains.passes`, or module.function of your own"
    )
    boundary_evidence: Literal["auto", "network", "grey"] = setting(
        "auto",
        "what is flooded: the network's boundary probability, or grey values; auto: the network, "
        "unless a watershed of grey values is better on annotated slices",
    )
    minima_depth: Chosen = setting(
        "auto", "h of the h-minima of the boundary probability; auto: by annotated slices"
    )
    background_threshold: float = setting(
        0.5, "voxels of a greater background probability are background", gt=0, lt=1
    )
    background_share: float = setting(
        0.5, "regions with at least this share of background voxels are no grain", gt=0, le=1
    )
    rim_voxels: int = setting(
        2, "width up to which what is left of such a region joins a grain", unit="voxels", ge=0
    )
    particle: ParticleRule = setting("largest", "which connected body of grains is the particle")
    merge_mode: MergeMode = setting("combined", "what decides which regions are one grain")
    merge_misorientation_degrees: float = setting(
        5.0, "neighbours of a smaller misorientation are one grain", unit="degrees", ge=0, le=180
    )
    merge_boundary: Chosen = setting(
        "auto", "boundary score below which neighbours are one grain; auto: by annotated slices"
    )
    merge_evidence: Literal["contacts", "score"] = setting(
        "contacts",
        "boundary score of a contact: contacts, the probability of a boundary by a model fitted to "
        "virtual particles; score, the formula of the settings below",
    )
    merge_quantile: float | None = setting(
        0.25, "score: quantile of the boundary probability along a contact; null: mean", gt=0, le=1
    )
    merge_size_weight: float = setting(
        0.4,
        "score: by how much a contact scores less where its smaller region is a tenth of",
        ge=0,
        le=1,
    )
    merge_reference_voxels: float = setting(
        300.0,
        "this size, at which size does not count; the unit of sizes for contacts too",
        unit="voxels",
        gt=0,
    )
    merge_slice_weight: float = setting(
        0.4, "score: weight of (share of faces between slices - 1/3)", ge=0, le=1
    )
    place_sweeps: int = setting(
        4, "rounds in which interfaces move to their most probable place; 0: none", ge=0, le=20
    )
    interface_cost: float = setting(
        0.5, "cost of a voxel face between two grains while interfaces are placed", unit="nats",
        ge=0,
    )  # fmt: skip
    slice_interface_cost: float = setting(
        0.15, "of a face between two slices, rough by shifts and depths, without orientations",
        unit="nats", ge=0,
    )  # fmt: skip
    refine_steps: int = setting(
        2, "voxels by which orientations may move an interface", unit="voxels", ge=0, le=5
    )
    join_reach: int = setting(
        2, "distance over which grains of one orientation are joined; 0: only over faces",
        unit="voxels", ge=0, le=5,
    )  # fmt: skip
    laue_group: LaueGroup = setting("-3m", "symmetry of the crystal")
    pseudo_symmetry: Literal["auto", "on", "off"] = setting(
        "auto", "count the four axes of the pseudo-cube of R-3m as one; auto: where data show flips"
    )
    minimum_voxels: int = setting(34, "smaller grains join a neighbour", unit="voxels", ge=0)

    @property
    def misorientation(self) -> float:
        """`merge_misorientation_degrees` in radians."""
        return float(np.radians(self.merge_misorientation_degrees))

    def number(self, name: Literal["minima_depth", "merge_boundary"]) -> float:
        """Value of a setting that may be "auto".

        Raises
        ------
        SettingsError
            Where it is still to be chosen.
        """
        value: float | Literal["auto"] = getattr(self, name)
        if isinstance(value, str):
            raise SettingsError(
                f"{name} is to be chosen first",
                found="auto",
                expected="a number",
                remedy="choose it by annotated slices, see `choose_settings`, or set it",
            )
        return value

    def with_choice(self, minima_depth: float, merge_boundary: float) -> Self:
        """These settings with a value for each "auto"."""
        return self.replace(
            minima_depth=minima_depth if self.minima_depth == "auto" else self.minima_depth,
            merge_boundary=(
                merge_boundary if self.merge_boundary == "auto" else self.merge_boundary
            ),
        )


class CandidateSettings(Settings):
    """Values of a setting to compare, and what difference of information counts as none."""

    candidates: tuple[float, ...] = Field(min_length=1)
    slack_bits: float = setting(
        0.01, "candidates that are worse by less count as equal", unit="bits", ge=0
    )


class DepthCandidates(CandidateSettings):
    """Depths of minima to compare; of equals the smallest is taken."""

    candidates: tuple[float, ...] = setting(
        (0.001, 0.005, 0.02, 0.05, 0.1), "depths of minima to compare", min_length=1
    )
    slack_bits: float = setting(
        0.03, "candidates that are worse by less count as equal", unit="bits", ge=0
    )


class BoundaryCandidates(CandidateSettings):
    """Boundary scores to compare; of equals around the best the middle is taken."""

    candidates: tuple[float, ...] = setting(
        (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), "boundary scores to compare", min_length=1
    )


class VoidSettings(Settings):
    """What counts as a void or crack inside the particle."""

    enclosed_only: bool = setting(
        True, "only cavities that touch neither the outside nor the border of the window"
    )
    confidence_limit: float = setting(0.1, "points of a lower confidence index are not indexed")
    crack_voxels: int = setting(
        2, "half the width up to which a gap that opens to the outside is a crack", unit="voxels",
        ge=0,
    )  # fmt: skip
    minimum_voxels: int = setting(34, "smaller cavities are left out", unit="voxels", ge=0)


class EditSettings(Settings):
    """Recorded manual edits, replayed after every segmentation."""

    edits: tuple[dict[str, Any], ...] = setting((), "edits that come before those of the file")
    outdated: Literal["refuse", "report"] = setting(
        "report", "an outdated edit stops the run, or is reported"
    )
