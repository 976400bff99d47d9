"""Whether the motion that registration found is that of the stage, or noise and shape of grains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Steps against the median of so many are the rough part, which grains do not have.
WINDOW = 7
FEW_STEPS = 4  # which show no trend: all of them counts
# Rms of steps in their own errors: 43 aligned volumes had at most 1.6, see benchmarks.alignment.
LEAST_ROUGHNESS = 1.75
# With orientations as a witness a smaller roughness will do, if they gain so many errors.
LEAST_HEARD, WITNESS_ERRORS = 1.2, 3.0
CLIPPED_AT = 4.0  # lest one torn slice make a stage of it
# A single step that is so significant, and so large, is a jump of the stage.
JUMP_ERRORS, LEAST_JUMP_PX, LEAST_JUMP_DEGREES = 6.0, 1.0, 1.0
LEAST_JUMP_GAIN = 0.1  # in correlation; chance matches far away gain less
# A steady motion larger than this is no lean of grains: 56 degrees from the milling direction.
LARGEST_LEAN_PX, CREEP_SPREADS = 1.5, 3.0
NOTED_LEAN_PX = 0.1


@dataclass(frozen=True)
class Evidence:
    """How significant the motions of a stack are.

    Attributes
    ----------
    shift_roughness, rotation_roughness : float
        Rms of the steps less their running median, in units of their errors: 1 or less where
        noise and the shape of grains explain them.
    moves, turns : bool
        Whether the stage shifts, or turns, the slices.
    jumps : tuple of int
        Slices before which it jumped, though it does not move otherwise.
    lean_px : float
        Length of the median step, in pixels per slice.
    agreement_before, agreement_after : float, optional
        Share of neighbouring points of two slices whose orientations agree, as scanned and after
        the motion is corrected for, where there are orientations.
    """

    shift_roughness: float
    rotation_roughness: float
    moves: bool
    turns: bool
    jumps: tuple[int, ...]
    lean_px: float
    agreement_before: float | None = None
    agreement_after: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "jumps": list(self.jumps)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Evidence:
        """Rebuild from `to_dict`."""
        return cls(**{**values, "jumps": tuple(values["jumps"])})

    def significant(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Steps of the stage, shape (n - 1, 3): all where it moves or turns, else its jumps."""
        if self.moves:  # what rotations add up to is regularised in any case
            return steps
        kept = np.zeros_like(steps)
        for z in self.jumps:
            around = steps[max(0, z - 1 - WINDOW // 2) : z + WINDOW // 2]
            kept[z - 1] = steps[z - 1] - np.nanmedian(around, axis=0)
        if self.turns:
            kept[:, 2] = steps[:, 2]
        return kept

    @property
    def verdict(self) -> str:
        """What is corrected, and why, in one sentence."""
        amount = f"{self.shift_roughness:.1f} times what errors and the shape of grains explain"
        parts = [
            ("the stage moves" if self.moves else "the slices stay where they are")
            + f": shifts vary by {amount}"
        ]
        if self.turns and not self.moves:
            parts.append("rotations are corrected")
        if self.jumps and not self.moves:
            parts.append(f"jumps before slices {', '.join(map(str, self.jumps))} are corrected")
        if self.lean_px > NOTED_LEAN_PX and not self.moves:
            parts.append(
                f"a lean of {self.lean_px:.2f} pixels per slice is left to the object; if the "
                "stage crept, set require_evidence to false"
            )
        if self.agreement_after is not None:
            parts.append(
                f"orientations of neighbouring slices agree in {self.agreement_before:.1%} of the "
                f"points as scanned, in {self.agreement_after:.1%} as registered"
            )
        return "; ".join(parts)

    def heard(self, before: float, after: float, error: float) -> Evidence:
        """The verdict after the witness, the orientations, has been heard.

        Shifts that make orientations agree less are none of the stage; those that are not
        significant by themselves are, where they make orientations agree more.
        """
        if not np.isfinite(error):
            return self
        gain = after - before
        moves = self.moves and gain > -WITNESS_ERRORS * error
        if self.shift_roughness > LEAST_HEARD:
            moves = moves or gain > WITNESS_ERRORS * error
        return replace(self, moves=moves, agreement_before=before, agreement_after=after)


def weigh_steps(
    steps: NDArray[np.float64],
    errors: NDArray[np.float64],
    gains: NDArray[np.float64] | None = None,
) -> Evidence:
    """Judge the steps of a stack by their errors.

    Parameters
    ----------
    steps, errors : ndarray of float64, shape (n - 1, 3)
        Shift along x and y (pixels) and rotation (radians) from each slice to the next, and
        their standard errors; NaN where there is no registration.
    gains : ndarray of float64, shape (n - 1,), optional
        What each step adds to the correlation; a jump adds much.

    Notes
    -----
    Grains lean, taper and bend over many slices, and errors of registration are known for each
    step. A stage moves differently before each scan. So what a step has beyond the median of
    the steps around it is compared with its error: only a stage makes more of it. What all
    steps share is left to the object unless the stage moves anyway: nothing in the images
    tells a steady creep from grains that all lean one way.
    """
    known = np.isfinite(steps).all(axis=1) & np.isfinite(errors).all(axis=1)
    if not known.any():
        return Evidence(0.0, 0.0, False, False, (), 0.0)
    if known.sum() < FEW_STEPS:
        smooth = np.zeros_like(steps[known])
    else:
        smooth = ndimage.median_filter(steps[known], (WINDOW, 1), mode="nearest")
    rough = (steps[known] - smooth) / np.maximum(errors[known], 1e-6)
    clipped = np.clip(rough, -CLIPPED_AT, CLIPPED_AT)
    shift_roughness = float(np.sqrt(np.mean(clipped[:, :2] ** 2)))
    rotation_roughness = float(np.sqrt(np.mean(clipped[:, 2] ** 2)))
    median = np.median(steps[known, :2], axis=0)
    lean = float(np.hypot(*median))
    spread = float(np.median(np.hypot(*(steps[known, :2] - median).T)))
    creeps = lean > max(LARGEST_LEAN_PX, CREEP_SPREADS * spread)
    excess = np.abs(steps[known] - smooth)
    limits = (LEAST_JUMP_PX, LEAST_JUMP_PX, np.radians(LEAST_JUMP_DEGREES))
    jumped = ((np.abs(rough) > JUMP_ERRORS) & (excess > limits)).any(axis=1)
    if gains is not None:
        jumped &= gains[known] > LEAST_JUMP_GAIN
    return Evidence(
        shift_roughness,
        rotation_roughness,
        shift_roughness > LEAST_ROUGHNESS or creeps,
        rotation_roughness > LEAST_ROUGHNESS,
        tuple(int(z) + 1 for z in np.flatnonzero(known)[jumped]),
        lean,
    )


WITH, AGAINST, UNKNOWN = "with the images", "against the images", "cannot be told"
# Log-likelihood by which one sense must be better, and what a step may add to it: wrong
# registrations are no vote.
CLEAR, LARGEST_VOTE = 8.0, 8.0
MOSTLY = 0.5


@dataclass(frozen=True, eq=False)
class LatticeTurns:
    """Turns of all slices but the first, each against the slice that it was registered to.

    Attributes
    ----------
    turns, errors : ndarray of float64, shape (n - 1, 3)
        Rotation vectors (x, y, z) in radians by the lattice, in the frame of the map, and their
        standard errors; NaN where the lattice cannot tell.
    image_rotations, image_errors : ndarray of float64, shape (n - 1,)
        Rotations in the plane by registration of the images, and their standard errors.
    """

    turns: NDArray[np.float64]
    errors: NDArray[np.float64]
    image_rotations: NDArray[np.float64]
    image_errors: NDArray[np.float64]

    @property
    def votes(self) -> float:
        """Log-likelihood that lattices turn with the images, less that they turn against them."""
        known = np.isfinite(self.turns[:, 2]) & np.isfinite(self.image_errors)
        image, lattice = self.image_rotations[known], self.turns[known, 2]
        variance = self.image_errors[known] ** 2 + self.errors[known, 2] ** 2
        apart = ((image + lattice) ** 2 - (image - lattice) ** 2) / (2 * variance)
        return float(np.clip(apart, -LARGEST_VOTE, LARGEST_VOTE).sum())

    @property
    def sense(self) -> str:
        """Whether lattices turn with the images, as they do in the frame of the map."""
        return WITH if self.votes > CLEAR else AGAINST if self.votes < -CLEAR else UNKNOWN

    @property
    def clear_difference(self) -> float:
        """Difference of log-likelihoods that decides."""
        return CLEAR

    @property
    def speak_against(self) -> bool:
        """Whether lattices clearly turn against the images."""
        return self.sense == AGAINST

    @property
    def largest_turn(self) -> float:
        """Largest rotation in the plane by the lattice in degrees; NaN where none is known."""
        known = self.turns[np.isfinite(self.turns[:, 2]), 2]
        return float(np.degrees(np.abs(known).max())) if len(known) else float("nan")

    @property
    def leads(self) -> bool:
        """Whether most rotations are taken from the lattice."""
        return self.sense != AGAINST and bool(np.isfinite(self.turns).mean() > MOSTLY)

    @property
    def tilts(self) -> NDArray[np.float64]:
        """Tilts about x and y of each slice but the first, shape (n - 1, 2), in radians."""
        return self.turns[:, :2]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; not a number becomes None."""

        def listed(values: NDArray[np.float64]) -> list[Any]:
            nothing = values.astype(object)
            nothing[~np.isfinite(values)] = None
            return list(nothing.tolist())

        return {**{name: listed(v) for name, v in vars(self).items()}, "sense": self.sense}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LatticeTurns:
        """Rebuild from `to_dict`."""
        names = ("turns", "errors", "image_rotations", "image_errors")
        return cls(*(np.array(values[name], float) for name in names))
