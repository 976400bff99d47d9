"""How well grains agree with the orientations of their points; no truth is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from electrode_grains.ebsd.orientation_field import OrientationField, as_orientation_field
from electrode_grains.ebsd.orientations import misorientation_angle
from electrode_grains.grains.labelling import compact_labels, facing
from electrode_grains.grains.linking import link_points
from electrode_grains.grains.settings import SegmentationSettings
from electrode_grains.grains.suspects import SECOND_SHARE, second_orientation_share

HIGH_ANGLE = float(np.radians(15.0))  # the usual limit between low- and high-angle boundaries
LEAST_RECALL = 0.97
MOST_MIXED = 0.05  # share of grains


class OrientationAgreement(TypedDict):
    """Grains beside orientations, see `orientation_agreement`."""

    high_angle_faces: int
    high_angle_recall: float | None
    second_orientation_share: float


def orientation_agreement(
    labels: NDArray[Any],
    orientations: OrientationField | NDArray[np.floating],
    *,
    settings: SegmentationSettings,
) -> OrientationAgreement:
    """Compare grains with the orientations of their points.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Grains, any ids, 0 is no grain.
    orientations : OrientationField or ndarray
        Arrays as `as_orientation_field` takes them, of the Laue group of the settings.
    settings : SegmentationSettings
        See `link_points`, which tells the points with a reliable orientation.

    Returns
    -------
    OrientationAgreement
        `high_angle_faces`: faces between two reliable points of grains more than 15 degrees
        apart; `high_angle_recall`: share of them that lie between two grains, None without
        any; `second_orientation_share`: share of grains with a tenth of their points or more
        in a second orientation.

    Raises
    ------
    InputError
        If shapes do not fit.

    Examples
    --------
    >>> field = np.tile([1.0, 0, 0, 0], (2, 3, 8, 1))
    >>> field[:, :, 5:] = [0.8, 0.6, 0, 0]
    >>> united, rule = np.ones((2, 3, 8), int), SegmentationSettings()
    >>> orientation_agreement(united, field, settings=rule)["high_angle_recall"]
    0.0
    """
    grains, _ = compact_labels(labels)
    field = as_orientation_field(orientations, settings.laue_group, grains.shape)
    linked, (points, _) = link_points(field, settings=settings), field.points()
    index, group = np.arange(grains.size).reshape(grains.shape), field.symmetry
    reliable = (linked > 0) & (grains > 0)
    faces = separated = 0
    for low, high in facing(3):
        both = reliable[low] & reliable[high]
        angle = misorientation_angle(points[index[low][both]], points[index[high][both]], group)
        apart = (grains[low] != grains[high])[both]
        faces += int((angle > HIGH_ANGLE).sum())
        separated += int((apart & (angle > HIGH_ANGLE)).sum())
    second = second_orientation_share(grains, field, settings=settings)
    return {
        "high_angle_faces": faces,
        "high_angle_recall": separated / faces if faces else None,
        "second_orientation_share": float((second >= SECOND_SHARE).mean()) if len(second) else 0.0,
    }


def check_agreement(agreement: OrientationAgreement) -> tuple[str, ...]:
    """Warn where grains contradict the orientations of their points."""
    warnings = []
    recall, mixed = agreement["high_angle_recall"], agreement["second_orientation_share"]
    if recall is not None and recall < LEAST_RECALL:
        warnings.append(
            f"{1 - recall:.1%} of the {agreement['high_angle_faces']} faces between points more "
            "than 15 degrees apart lie inside a grain: boundaries are missing"
        )
    if mixed > MOST_MIXED:
        warnings.append(
            f"{mixed:.1%} of the grains hold a second orientation in a tenth of their points: "
            "grains are united, or points are wrongly indexed in patches"
        )
    return tuple(warnings)
