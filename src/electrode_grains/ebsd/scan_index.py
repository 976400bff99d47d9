"""What a run keeps of its scans beside their volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import xarray as xr

from electrode_grains.crystal import LaueGroup, check_laue_group
from electrode_grains.ebsd.fields import check_symmetry
from electrode_grains.ebsd.frames import FrameChoice
from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.pseudo_cube import PseudoSymmetry, counts_as_one
from electrode_grains.ebsd.pseudo_group import Operator
from electrode_grains.ebsd.scan import stack_fingerprint


@dataclass(frozen=True)
class ScanIndex:
    """Names, symmetry, frames and digest of a stack.

    Attributes
    ----------
    slices : tuple of str
        Names in the order of the stack.
    notes : tuple of str
        What is doubtful about the scans.
    stack_notes : tuple of str
        Those of them that say how slices became a stack: lost, repeated, cut, left out.
    laue_group : LaueGroup
        Symmetry with which orientations are compared.
    indexed_share : float
        Share of the points that have an orientation.
    fingerprint : str
        See `stack_fingerprint`.
    from_volume : bool
        The slices are layers of a volume, which are aligned already.
    frames : FrameChoice or None
        How orientations came into the frame of the map; None for images.
    slice_order : str
        Whether slice numbers were taken to be rising or falling along milling, which is z.
    pseudo_symmetry : PseudoSymmetry or None
        Whether the indexer confused c axes; None where they are no question.
    """

    slices: tuple[str, ...]
    notes: tuple[str, ...]
    laue_group: LaueGroup
    indexed_share: float
    fingerprint: str
    from_volume: bool
    frames: FrameChoice | None
    stack_notes: tuple[str, ...] = ()
    pseudo_symmetry: PseudoSymmetry | None = None
    slice_order: str = "rising"

    @classmethod
    def of_stack(
        cls,
        stack: xr.Dataset,
        orientations: OrientationField,
        pseudo_symmetry: PseudoSymmetry | None = None,
    ) -> Self:
        """Index of what `stack_scans` and `orientations_of_stack` returned."""
        group = orientations.laue_group
        return cls.of_attributes(
            {**stack.attrs, "notes": (*stack.attrs["notes"], *check_symmetry(stack, group))},
            laue_group=group,
            indexed_share=float(orientations.known.mean()),
            fingerprint=stack_fingerprint(stack),
            pseudo_symmetry=pseudo_symmetry,
        )

    @classmethod
    def of_attributes(
        cls,
        attributes: Mapping[str, Any],
        *,
        laue_group: LaueGroup,
        indexed_share: float,
        fingerprint: str,
        pseudo_symmetry: PseudoSymmetry | None,
    ) -> Self:
        """Index from the attributes of a stack, with all notes, and what its points tell."""
        return cls(
            slices=tuple(attributes["slices"]),
            notes=tuple(attributes["notes"]),
            laue_group=laue_group,
            indexed_share=indexed_share,
            fingerprint=fingerprint,
            from_volume=bool(attributes.get("from_volume", False)),
            frames=attributes.get("frames"),
            stack_notes=tuple(attributes.get("stack_notes", ())),
            pseudo_symmetry=pseudo_symmetry,
            slice_order=str(attributes.get("slice_order", "rising")),
        )

    def describe_frames(self) -> str:
        """How scans came into the frame of the map; empty without orientations.

        Examples
        --------
        >>> index = ScanIndex((), (), "-3m", 1.0, "", False, FrameChoice.of("edax", None, None))
        >>> index.describe_frames()
        "edax_2 (the maker's default); slice numbers rising along milling"
        """
        if self.frames is None:
            return ""
        return f"{self.frames.describe()}; slice numbers {self.slice_order} along milling"

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Pseudo-symmetry operators that were given; what a field of orientations takes."""
        return () if self.pseudo_symmetry is None else self.pseudo_symmetry.given

    def uses_pseudo_symmetry(self, choice: Literal["auto", "on", "off"]) -> bool:
        """Whether variants count as one orientation; auto: where found."""
        return counts_as_one(self.pseudo_symmetry, choice)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        frames = None if self.frames is None else self.frames.to_dict()
        return {**asdict(self), "frames": frames}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Index from what `to_dict` returned."""
        frames, pseudo = content["frames"], content.get("pseudo_symmetry")
        return cls(
            slices=tuple(content["slices"]),
            notes=tuple(content["notes"]),
            laue_group=check_laue_group(content["laue_group"]),
            indexed_share=float(content["indexed_share"]),
            fingerprint=str(content["fingerprint"]),
            from_volume=bool(content["from_volume"]),
            frames=None if frames is None else FrameChoice.from_dict(frames),
            stack_notes=tuple(content.get("stack_notes", ())),
            pseudo_symmetry=None if pseudo is None else PseudoSymmetry.from_dict(pseudo),
            slice_order=str(content.get("slice_order", "rising")),
        )
