"""A field of crystal orientations as one value: one layout, its trust, symmetry and frame."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.crystal import LaueGroup, check_laue_group
from electrode_grains.ebsd import orientations as crystals
from electrode_grains.ebsd.pseudo_group import Operator
from electrode_grains.ebsd.region_means import RegionOrientations, mean_per_region
from electrode_grains.errors import InputError

# Names of the channels of a stored orientation volume.
ORIENTATION_CHANNELS = (
    "quaternion_w",
    "quaternion_x",
    "quaternion_y",
    "quaternion_z",
    "confidence_index",
)
MAP_FRAME = "map"  # x right along columns, y down along rows, z along milling
KEPT_MEANS = 4  # labellings whose means are remembered


@dataclass(frozen=True, eq=False)
class OrientationField:
    """Orientations of points, with what is needed to compare them.

    Parameters
    ----------
    quaternions : array_like of float, shape (..., 4)
        Unit quaternions (w, x, y, z) of the passive rotation from sample to crystal
        coordinates (Bunge); NaN where nothing is known. float32 and float64 are kept.
    confidence : array_like of float, shape (...), optional
        Trust in each point, such as the confidence index; what is not above 0 has no weight.
        Without it all points are trusted alike.
    laue_group : LaueGroup
        Symmetry of the phase.
    frame : str
        Frame of the sample directions; results are in the "map" frame.
    operators : tuple of Operator
        Rotations of crystal axes that the indexer confuses, where they are given, see
        `pseudo_group`.

    Raises
    ------
    InputError
        If the shapes do not fit each other.
    SettingsError
        If the Laue group is not known.

    Examples
    --------
    >>> field = OrientationField([[1, 0, 0, 0], [np.cos(0.1), 0, 0, np.sin(0.1)]])
    >>> field.misorientation_to_neighbours().round(3).tolist()
    [0.20000000298023224, 0.20000000298023224]
    """

    quaternions: NDArray[np.floating[Any]]
    confidence: NDArray[np.floating[Any]] | None = None
    laue_group: LaueGroup = "-3m"
    frame: str = MAP_FRAME
    operators: tuple[Operator, ...] = ()
    _means: dict[bytes, RegionOrientations] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        quaternions = _floats(self.quaternions)
        confidence = None if self.confidence is None else _floats(self.confidence)
        if quaternions.ndim < 1 or quaternions.shape[-1] != 4:
            raise InputError(
                "orientations are no quaternions",
                found=f"shape {quaternions.shape}",
                expected="(..., 4), scalar first",
            )
        if confidence is not None and confidence.shape != quaternions.shape[:-1]:
            raise InputError(
                "orientations and their confidence have different shapes",
                found=f"{quaternions.shape[:-1]} and {confidence.shape}",
                expected="one number per orientation",
            )
        check_laue_group(self.laue_group)
        object.__setattr__(self, "quaternions", _read_only(quaternions))
        if confidence is not None:
            object.__setattr__(self, "confidence", _read_only(confidence))

    @classmethod
    def from_euler(
        cls, euler_angles: ArrayLike, confidence: ArrayLike | None = None, **of_field: Any
    ) -> Self:
        """Field of Bunge angles in radians, shape (..., 3); in the fundamental zone.

        `of_field` are the Laue group and the frame.
        """
        euler = np.asarray(euler_angles, float)
        known = np.isfinite(euler).all(axis=-1)
        quaternions = np.full((*euler.shape[:-1], 4), np.nan)
        quaternions[known] = crystals.quaternions_from_euler(euler[known])
        trust = None if confidence is None else np.asarray(confidence)
        return cls(quaternions, trust, **of_field).reduced()

    @classmethod
    def from_channels(cls, channels: ArrayLike, **of_field: Any) -> Self:
        """Field of a stored volume, shape (5, z, y, x): quaternion and confidence index.

        Four channels hold no confidence. `of_field` are the Laue group and the frame.

        Raises
        ------
        InputError
            If there are neither four nor five channels.
        """
        stored = np.asarray(channels)
        if stored.ndim < 2 or len(stored) not in (4, 5):
            raise InputError(
                "a volume holds no orientations",
                found=f"shape {stored.shape}",
                expected="(5, z, y, x): " + ", ".join(ORIENTATION_CHANNELS),
            )
        quaternions = np.ascontiguousarray(np.moveaxis(stored[:4], 0, -1))
        return cls(quaternions, stored[4] if len(stored) == 5 else None, **of_field)

    def to_channels(self) -> NDArray[np.float32]:
        """What a volume stores, shape (5, ...); a confidence of 1 where none is known."""
        trust = np.ones(self.shape) if self.confidence is None else self.confidence
        stored = np.moveaxis(self.quaternions, -1, 0)
        return np.concatenate([stored, trust[None]]).astype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the field, without the axis of the quaternions."""
        return self.quaternions.shape[:-1]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Points that have an orientation, shape (...)."""
        known: NDArray[np.bool_] = np.isfinite(self.quaternions).all(axis=-1)
        return known

    @property
    def symmetry(self) -> NDArray[np.float64]:
        """Proper rotations of the Laue group, shape (n, 4)."""
        return crystals.laue_group(self.laue_group)

    @property
    def euler_angles(self) -> NDArray[np.float64]:
        """Bunge angles in radians, shape (..., 3)."""
        return crystals.euler_from_quaternions(self.quaternions)

    def at(self, index: Any) -> Self:
        """Orientations at an index of the leading axes, such as a mask or a slice."""
        trust = None if self.confidence is None else self.confidence[index]
        return replace(self, quaternions=self.quaternions[index], confidence=trust)

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """The same field, unknown where a mask of shape (...) is False."""
        return replace(self, quaternions=np.where(mask[..., None], self.quaternions, np.nan))

    def reduced(self) -> Self:
        """The same crystals in the fundamental zone."""
        reduced = crystals.reduce_to_fundamental_zone(self.quaternions, self.symmetry)
        return replace(self, quaternions=reduced.astype(self.quaternions.dtype))

    def turned(self, rotation: ArrayLike) -> Self:
        """Field of a sample that was turned.

        Parameters
        ----------
        rotation : array_like of float, shape (4,) or (..., 4)
            Active rotation of the sample, as a quaternion in sample coordinates: what
            pointed along v points along R v afterwards.

        Notes
        -----
        Crystal coordinates of a direction of the turned sample are those of the direction
        turned back: g' = g R^-1.
        """
        turned = crystals.multiply(self.quaternions, crystals.conjugate(rotation))
        return replace(self, quaternions=turned.astype(self.quaternions.dtype))

    def directions(self, crystal_direction: ArrayLike) -> NDArray[np.float64]:
        """Direction of a crystal axis (x, y, z) in the sample, shape (..., 3)."""
        return crystals.turn(crystal_direction, crystals.conjugate(self.quaternions))

    def misorientation(self, other: Self) -> NDArray[np.float64]:
        """Misorientation angle to another field, broadcast, in radians; NaN where unknown.

        Raises
        ------
        InputError
            If the fields differ in symmetry or frame.
        """
        if (self.laue_group, self.frame) != (other.laue_group, other.frame):
            raise InputError(
                "fields of different symmetry or frame cannot be compared",
                found=f"{other.laue_group}, {other.frame}",
                expected=f"{self.laue_group}, {self.frame}",
            )
        return crystals.misorientation_angle(self.quaternions, other.quaternions, self.symmetry)

    def misorientation_to_neighbours(self) -> NDArray[np.float32]:
        """Largest misorientation of each point to its direct neighbours, in radians.

        0 where no neighbour is known, NaN where the point itself is not.
        """
        return crystals.neighbour_misorientation(self.quaternions, self.symmetry)

    def kernel_average_misorientation(
        self, threshold: float = np.radians(5.0)
    ) -> NDArray[np.float32]:
        """Mean misorientation to the direct neighbours of the same grain, in radians."""
        return crystals.kernel_average_misorientation(self.quaternions, self.symmetry, threshold)

    def ipf_colors(self, direction: Sequence[float] = (0.0, 0.0, 1.0)) -> NDArray[np.float64]:
        """Colours of an inverse pole figure, shape (..., 3); black where unknown."""
        return crystals.ipf_colors(self.quaternions, self.symmetry, direction)

    def points(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Quaternions (n, 4), NaN where the weight is 0, and weights (n,), in memory order."""
        points = np.array(self.quaternions, np.float32).reshape(-1, 4)
        trust = np.ones(len(points)) if self.confidence is None else self.confidence.ravel()
        known = np.isfinite(points).all(axis=1) & (trust > 0) & np.isfinite(trust)
        points[~known] = np.nan
        return points, np.where(known, trust, 0).astype(np.float32)

    def means(self, labels: NDArray[np.integer[Any]]) -> RegionOrientations:
        """Mean orientation of each region, computed once for a labelling.

        Parameters
        ----------
        labels : ndarray of integer, shape (...)
            Compact labels; 0 is no region.

        Returns
        -------
        RegionOrientations
            See `mean_per_region`.

        Raises
        ------
        InputError
            If the labels have another shape than the field.
        """
        if labels.shape != self.shape:
            raise InputError(
                "orientations and labels do not fit each other",
                found=f"shapes {self.shape} and {labels.shape}",
                expected="one orientation per label",
            )
        plain = np.ascontiguousarray(labels, np.int32)
        # By content: labels are arrays that passes change in place.
        key = hashlib.blake2b(plain.data).digest()
        if key not in self._means:
            while len(self._means) >= KEPT_MEANS:
                del self._means[next(iter(self._means))]
            self._means[key] = mean_per_region(plain, *self.points(), self.symmetry)
        return self._means[key]


def as_orientation_field(
    orientations: OrientationField | ArrayLike,
    laue_group: LaueGroup | str,
    shape: tuple[int, ...],
    weights: ArrayLike | None = None,
) -> OrientationField:
    """Field of what a caller passes for the orientations of a labelled volume.

    Parameters
    ----------
    orientations : OrientationField or array_like
        A field is returned as it is; arrays are stored channels, shape (4 or 5, z, y, x),
        or quaternions, shape (z, y, x, 4).
    laue_group : LaueGroup
        Of arrays, which carry none.
    shape : tuple of int
        Of the labels.
    weights : array_like of float, shape (z, y, x), optional
        Trust that replaces the confidence of arrays.

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    if isinstance(orientations, OrientationField):
        known = orientations
    else:
        array, group = np.asarray(orientations), check_laue_group(laue_group)
        if array.ndim == len(shape) + 1 and array.shape[1:] == shape and len(array) in (4, 5):
            known = OrientationField.from_channels(array, laue_group=group)
        elif array.shape == (*shape, 4):
            known = OrientationField(array, laue_group=group)
        else:
            raise InputError(
                "orientations and labels do not fit each other",
                found=f"shapes {array.shape} and {shape}",
                expected="(4, z, y, x), (5, z, y, x) or (z, y, x, 4)",
            )
        if weights is not None:
            if np.shape(weights) != shape:
                raise InputError(
                    "weights and labels have different shapes",
                    found=f"{np.shape(weights)} and {shape}",
                )
            known = replace(known, confidence=np.asarray(weights))
    if known.shape != shape:
        raise InputError(
            "orientations and labels do not fit each other",
            found=f"shapes {known.shape} and {shape}",
            expected="one orientation per label",
        )
    return known


def _floats(values: ArrayLike) -> NDArray[np.floating[Any]]:
    array = np.asarray(values)
    return array if array.dtype.kind == "f" else array.astype(float)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    locked = array.view()
    locked.flags.writeable = False
    return locked
