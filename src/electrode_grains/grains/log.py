"""What a run of the segmentation leaves behind, beside its volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from electrode_grains.grains.agreement import OrientationAgreement
from electrode_grains.grains.choice import SegmentationChoice
from electrode_grains.grains.edits import EditEntry
from electrode_grains.grains.segmentation import SegmentationReport
from electrode_grains.grains.voids import VoidSummary


class SegmentationLog(SegmentationReport):
    """Report of the segmentation with all that came before and after it.

    Attributes
    ----------
    choice : SegmentationChoice
        Where the depth of minima and the boundary score come from.
    edits : tuple of EditEntry
        Outcome of each manual edit.
    voids : VoidSummary
        None until voids are separated.
    orientation_agreement : OrientationAgreement
        None without orientations, and until voids are separated.
    """

    choice: SegmentationChoice
    edits: tuple[EditEntry, ...]
    voids: VoidSummary | None = None
    orientation_agreement: OrientationAgreement | None = None

    @classmethod
    def of(
        cls, report: SegmentationReport, choice: SegmentationChoice, edits: Sequence[EditEntry]
    ) -> Self:
        """Log of a segmentation after manual edits, with warnings of the choice and of edits."""
        outdated = tuple(
            f"edit {entry.number} ({entry.action} at {list(entry.at)}) does not fit the "
            f"segmentation any more and was not applied: {entry.reason}"
            for entry in edits
            if not entry.applied
        )
        log = cls(**dict(report), choice=choice, edits=tuple(edits))
        return log.warning_of((*choice.warnings(), *outdated))

    def warning_of(self, warnings: Sequence[str], **changes: object) -> Self:
        """The same log with more warnings, each once, and other changes."""
        together = tuple(dict.fromkeys([*self.warnings, *warnings]))
        return self.model_copy(update={"warnings": together, **changes})
