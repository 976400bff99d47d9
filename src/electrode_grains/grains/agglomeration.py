"""Join regions of an over-segmentation that belong to one grain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientation_field import OrientationField, as_orientation_field
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.labelling import Labels, checked_labels, compact_labels
from electrode_grains.grains.linkage import Linkage, RegionGraph
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.settings import SegmentationSettings


class MergeReport(JsonResult):
    """How regions were joined.

    Attributes
    ----------
    mode : str
    regions, grains : int
        Before and after.
    contacts : int
        Pairs of neighbouring regions before.
    merged_by_boundary, merged_by_orientation : int
        Joins that each criterion decided.
    kept_by_orientation : int
        Contacts of the regions given with a weak boundary, kept apart by orientation.
    regions_without_orientation : int
        Regions whose points do not agree on an orientation; None in mode "iq".
    """

    mode: str
    regions: int
    grains: int
    contacts: int
    merged_by_boundary: int
    merged_by_orientation: int
    kept_by_orientation: int
    regions_without_orientation: int | None

    def followed_by(self, later: MergeReport) -> MergeReport:
        """Of both together, where the later one began with the grains of this one."""
        return self.model_copy(
            update={
                "grains": later.grains,
                "merged_by_boundary": self.merged_by_boundary + later.merged_by_boundary,
                "merged_by_orientation": self.merged_by_orientation + later.merged_by_orientation,
            }
        )


def merge_regions(
    labels: NDArray[Any],
    boundary: NDArray[np.floating],
    orientations: OrientationField | NDArray[np.floating] | None = None,
    *,
    settings: SegmentationSettings,
) -> tuple[Labels, MergeReport]:
    r"""Join neighbouring regions without a boundary between them.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Regions, any ids; 0 takes no part.
    boundary : ndarray of float, shape (z, y, x)
        Probability of a grain boundary.
    orientations : OrientationField or ndarray, optional
        Arrays as `as_orientation_field` takes them, of the Laue group of the settings.
    settings : SegmentationSettings
        `merge_mode`: "iq" joins while the boundary score of a contact is below
        `merge_boundary`, "orientation" while the misorientation of mean orientations is
        below `merge_misorientation_degrees`; "combined" decides by orientation where both
        regions have a reliable one, by boundary elsewhere; "none" joins nothing.

    Returns
    -------
    merged : ndarray of int32, shape (z, y, x)
        Labels from 1 in the order of the first voxel.
    report : MergeReport

    Raises
    ------
    InputError
        If shapes do not fit or a boundary probability is not finite.
    SettingsError
        If the mode needs orientations and there are none, or `merge_boundary` is needed and
        still "auto".

    Notes
    -----
    Average linkage: of all contacts that may be joined the weakest is joined first
    (smallest ratio to its threshold), and the contacts of the united region are judged
    again, over all their faces and by the weighted mean of orientations. So a chain of small
    misorientations ends where its mean departs. A face counts the greater boundary
    probability of its two voxels. Ties are broken by the order of labels in memory.

    The boundary score of a contact is the probability of a boundary by `ContactModel`, from
    quantiles and mean of the boundary probability over its faces, their number and the share
    between slices, both sizes, and the boundary probability inside the regions. With
    `merge_evidence` "score" it is, with the quantile :math:`q` (`merge_quantile`) of its
    faces, a smaller region of :math:`v` voxels and a share :math:`z` of faces between
    slices,

    .. math:: q + w_v \log_{10}(v / v_0) + w_z (z - 1/3).

    A quantile finds the gap in a boundary that a mean hides. Most basins of a tenth of
    `merge_reference_voxels` are pieces of a grain. Interfaces parallel to the slices are
    never drawn, so that a network taught by slices hardly sees them.

    Examples
    --------
    >>> regions = np.array([[[5, 5, 8, 8, 9, 9]]])
    >>> boundary = np.array([[[0, 0.1, 0.1, 0.9, 0.9, 0]]])
    >>> plain = SegmentationSettings(
    ...     merge_mode="iq", merge_evidence="score", merge_boundary=0.3, merge_size_weight=0,
    ...     merge_slice_weight=0)
    >>> merged, report = merge_regions(regions, boundary, settings=plain)
    >>> merged.tolist(), report.merged_by_boundary
    ([[[1, 1, 1, 1, 2, 2]]], 1)
    """
    array, mode = checked_labels(labels), settings.merge_mode
    by_orientation = mode in ("orientation", "combined")
    if by_orientation and orientations is None:
        raise SettingsError(
            f"merging in mode {mode!r} needs orientations, and there are none",
            remedy='give orientations, or choose mode "iq" or "none"',
        )
    if np.shape(boundary) != array.shape:
        raise InputError(
            "labels and boundary probability have different shapes",
            found=f"{array.shape} and {np.shape(boundary)}",
        )
    if not np.isfinite(boundary).all():
        raise InputError(
            "the boundary probability is not finite everywhere",
            found=f"{int((~np.isfinite(boundary)).sum())} voxels that are not",
        )
    compact, ids = compact_labels(array)
    field = None
    if by_orientation and orientations is not None:
        field = as_orientation_field(orientations, settings.laue_group, compact.shape)
    linkage = Linkage(RegionGraph.of_labels(compact, boundary, field, settings), settings)
    kept = linkage.kept_by_orientation()
    if mode != "none":
        linkage.run()
    merged, remaining = compact_labels(linkage.groups()[compact])
    return merged, MergeReport(
        mode=mode,
        regions=len(ids) - 1,
        grains=len(remaining) - 1,
        contacts=linkage.contact_count,
        merged_by_boundary=linkage.decided["boundary"],
        merged_by_orientation=linkage.decided["orientation"],
        kept_by_orientation=kept,
        regions_without_orientation=None if field is None else linkage.unreliable,
    )
