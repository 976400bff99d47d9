"""Whether an annotation shows the slice it is said to be of, or another one of the stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from electrode_grains.classes import BACKGROUND, BOUNDARY, INTERIOR
from electrode_grains.crystal import check_laue_group
from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.pseudo_cube import variants_as_one
from electrode_grains.ebsd.pseudo_group import Operator

# A slice fits better if its contrast is higher by this, and by this many standard errors of the
# difference: small images of weak contrast do not tell the slices of a stack apart.
FIT_MARGIN = 0.1
FIT_DEVIATIONS = 4.0
# A label of something else has less than this in every slice, and stands out in none.
UNFIT_CONTRAST = 0.4
FEWEST_SLICES = 8
# Boundaries are bright, as stained membranes are, where they stand out by this and never as dark.
BRIGHT_CONTRAST = -0.8
# Boundaries of larger misorientation are alike.
LARGEST_MISORIENTATION = float(np.radians(15.0))
POINTS = {"boundary": BOUNDARY, "interior": INTERIOR, "background": BACKGROUND}


class Images(Protocol):
    """Images of slices, shape (z, y, x): an array, or what reads them one by one."""

    def __len__(self) -> int: ...

    def __getitem__(self, z: Any, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __neg__(self) -> Any: ...


class _Fit(NamedTuple):
    """Contrast in the own image and in the best of all; whether that or none is the right one."""

    own: float = np.nan
    best: float = np.nan
    best_slice: int = -1
    is_other: bool = False
    fits_none: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, None where there is no contrast."""
        if np.isnan(self.own):
            return {"own": None, "best": None, "best_slice": None}
        return {"own": self.own, "best": self.best, "best_slice": self.best_slice}


def annotation_fits(
    placed: NDArray[np.uint8],
    raw: NDArray[np.floating[Any]],
    aligned: NDArray[np.floating[Any]],
    frame: str,
    slice_names: Sequence[str] | None = None,
    misorientation: NDArray[np.floating[Any]] | None = None,
) -> list[dict[str, Any]]:
    """Check that each annotation shows the slice it is said to be of.

    Parameters
    ----------
    placed : ndarray of uint8, shape (z, y, x)
        Annotations as drawn, see `place_annotations`.
    raw, aligned : ndarray of float, shape (z, y, x)
        Image quality as scanned and as aligned.
    frame : {"raw", "aligned"}
        What the annotations are said to be drawn on.
    slice_names : sequence of str, optional
        Of the scans, for the doubts.
    misorientation : ndarray of float, shape (z, y, x), optional
        In `frame`, see `misorientation_in_slices`; where image quality is weak it tells the
        slices apart.

    Returns
    -------
    list of dict
        For each annotated slice its index `slice`, the number of `points` of each class, the
        contrast of its `own` slice, of the `best` of all (`best_slice`) and of its own slice in
        the `other_frame`, the same by `misorientation`, and the `doubt` that follows, or None.

    Notes
    -----
    Boundaries diffract worse than interiors. The contrast is the mean image quality of annotated
    interior less that of annotated boundary, over the standard deviation of both together; of
    misorientations with the other sign. Drawn lines fit their own slice: on virtual particles by
    1.5, its neighbours by 1.1, slices farther off by 0.4 at most. Where the labels show bright
    boundaries the image counts with the other sign too.
    """
    indices = np.flatnonzero((placed > 0).any(axis=(1, 2))).tolist()
    return fits_of_labels(
        placed[indices], indices, raw, aligned, frame, slice_names, misorientation
    )


def fits_of_labels(
    labels: NDArray[np.uint8],
    indices: Sequence[int],
    raw: Images,
    aligned: Images,
    frame: str,
    slice_names: Sequence[str] | None = None,
    misorientation: Images | None = None,
) -> list[dict[str, Any]]:
    """`annotation_fits` of labelled slices alone, shape (n, y, x), with their indices.

    Images and misorientations may be read slice by slice.
    """
    own_frame, other_frame = (raw, aligned) if frame == "raw" else (aligned, raw)
    if boundaries_are_bright(labels, own_frame):
        own_frame, other_frame = -own_frame, -other_frame
    by_quality = _fits(labels, indices, own_frame)
    by_angle = [_Fit()] * len(indices)
    if misorientation is not None:
        by_angle = _fits(labels, indices, -misorientation)
    names = slice_names or [f"slice {z}" for z in range(len(raw))]
    found = []
    for label, z, quality, angle in zip(labels, indices, by_quality, by_angle, strict=True):
        pair = np.stack([own_frame[z], other_frame[z]])
        (in_frames,) = _fits(label[None], [0], pair)
        (contrasts,) = _contrasts(label[None], pair)
        found.append(
            {
                "slice": z,
                "points": {name: int((label == value).sum()) for name, value in POINTS.items()},
                **quality.to_dict(),
                "other_frame": None if np.isnan(contrasts[1]) else float(contrasts[1]),
                "misorientation": angle.to_dict(),
                "doubt": _doubt(z, names, quality, angle, in_frames, frame),
            }
        )
    return found


def boundaries_are_bright(labels: NDArray[np.uint8], images: Images) -> bool:
    """Whether drawn boundaries stand out as bright lines, whichever slice each label shows.

    Fewer than eight slices cannot tell.

    Parameters
    ----------
    labels : ndarray of uint8, shape (n, y, x)
        Classes of labelled slices.
    images : ndarray of float, shape (z, y, x)
    """
    contrasts = _contrasts(labels, images)
    known = contrasts[np.isfinite(contrasts)]
    if len(images) < FEWEST_SLICES:
        return False
    return bool(known.size and known.min() < min(BRIGHT_CONTRAST, -known.max()))


def misorientation_in_slices(
    quaternions: NDArray[np.floating[Any]], laue: str, operators: tuple[Operator, ...] = ()
) -> NDArray[np.float32] | None:
    """Largest misorientation of each point to its neighbours of the same slice.

    Parameters
    ----------
    quaternions : ndarray of float, shape (4, z, y, x)
        NaN where unknown.
    laue : str
    operators : tuple of Operator
        Pseudo-symmetry that is given.

    Returns
    -------
    ndarray of float32, shape (z, y, x), or None
        Radians, up to 15 degrees, NaN where the orientation is unknown; None where all are.
        With operators, and of -3m under the symmetry of the pseudo-cube, variants are one
        orientation, so that flips of the c axis are no boundaries.
    """
    if not np.isfinite(quaternions[0]).any():
        return None
    fields = (OrientationField(q, laue_group=check_laue_group(laue), operators=operators)
              for q in np.moveaxis(quaternions, 0, -1))  # fmt: skip
    if operators or laue == "-3m":
        fields = (variants_as_one(field) for field in fields)
    angles = np.stack([field.misorientation_to_neighbours() for field in fields])
    return np.minimum(angles, LARGEST_MISORIENTATION)


def _doubt(
    z: int, names: Sequence[str], quality: _Fit, angle: _Fit, in_frames: _Fit, frame: str
) -> str | None:
    known = [fit for fit in (quality, angle) if not np.isnan(fit.best)]
    if known and all(fit.fits_none for fit in known):
        best = max(known, key=lambda each: each.best)
        return (
            f"the label of {names[z]} fits no slice: boundaries stand out most in "
            f"{names[best.best_slice]}, by {best.best:.2f}, where a label of its own slice has "
            "about 1: is it of this particle, and not turned or mirrored?"
        )
    others = [fit for fit in (quality, angle) if fit.is_other]
    if others:
        fit = max(others, key=lambda each: each.best - each.own)  # the one that is surest
        return (
            f"the label of {names[z]} fits {names[fit.best_slice]} ({fit.best:.2f}), not "
            f"{names[z]} ({fit.own:.2f}): check the name of its image, and slice_numbers"
        )
    if in_frames.is_other:
        return (
            f"the label of {names[z]} fits the other frame better (contrast {in_frames.best:.2f}) "
            f"than the {frame} one ({in_frames.own:.2f}): check frame"
        )
    return None


def _fits(labels: NDArray[np.uint8], indices: Sequence[int], images: Images) -> list[_Fit]:
    """Compare labels, shape (n, y, x), with their own images and with all, shape (z, y, x)."""
    fits = []
    for classes, z, contrasts in zip(labels, indices, _contrasts(labels, images), strict=True):
        if np.isnan(contrasts[z]):
            fits.append(_Fit())
            continue
        best = int(np.nanargmax(contrasts))
        is_other = _is_clearly_better(classes, contrasts, images, z, best)
        fits_none = contrasts[best] < UNFIT_CONTRAST and not _stands_out(classes, contrasts, images)
        fits.append(
            _Fit(float(contrasts[z]), float(contrasts[best]), best, is_other, bool(fits_none))
        )
    return fits


def _stands_out(
    classes: NDArray[np.uint8],
    contrasts: NDArray[np.float64],
    images: Images,
) -> bool:
    """Whether one slice fits better than most; few slices are not enough to tell."""
    known = np.flatnonzero(np.isfinite(contrasts))
    if known.size < FEWEST_SLICES:
        return True
    best, typical = known[np.argsort(contrasts[known])[[-1, known.size // 2]]]
    return _is_clearly_better(classes, contrasts, images, typical, best)


def _is_clearly_better(
    classes: NDArray[np.uint8],
    contrasts: NDArray[np.float64],
    images: Images,
    one: int,
    other: int,
) -> bool:
    """Whether a label fits the other image better than one, beyond the error of the difference."""
    gain = float(contrasts[other] - contrasts[one])
    if gain <= FIT_MARGIN:
        return False
    return gain > FIT_DEVIATIONS * _standard_error(classes, images[one], images[other])


def _contrasts(labels: NDArray[np.uint8], images: Images) -> NDArray[np.float64]:
    """Contrast of each label in each image, shape (n, z); NaN where there is none."""
    count = len(labels)
    points = np.concatenate([labels == BOUNDARY, labels == INTERIOR]).reshape(2 * count, -1)
    classes = csr_array(points, dtype=np.float64)
    contrasts = np.full((count, len(images)), np.nan)
    for z, image in enumerate(images):
        values = image.ravel().astype(np.float64)
        known = np.isfinite(values)
        if not known.any():
            continue
        # Less the mean, so that squares keep their digits.
        centred = np.where(known, values - values[known].mean(), 0.0)
        moments = classes @ np.column_stack([known, centred, centred**2])
        boundary, interior = moments[:count], moments[count:]
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = interior[:, 1] / interior[:, 0] - boundary[:, 1] / boundary[:, 0]
            number, total, squares = (boundary + interior).T
            variance = squares / number - (total / number) ** 2
            varied = variance > (1e-9 * np.abs(values[known]).max()) ** 2
            contrasts[:, z] = np.where(varied, gap / np.sqrt(variance), np.nan)
    return contrasts


def _standard_error(
    classes: NDArray[np.uint8],
    first: NDArray[np.floating[Any]],
    second: NDArray[np.floating[Any]],
) -> float:
    """Of the difference of the contrasts of one label in two images, point by point."""
    known = np.isfinite(first) & np.isfinite(second)
    parts = [known & (classes == value) for value in (BOUNDARY, INTERIOR)]
    spreads = [float(image[parts[0] | parts[1]].std()) for image in (first, second)]
    if min(part.sum() for part in parts) < 2 or min(spreads) == 0:
        return float("inf")
    changes = [second[part] / spreads[1] - first[part] / spreads[0] for part in parts]
    return float(np.sqrt(sum(change.var() / change.size for change in changes)))
