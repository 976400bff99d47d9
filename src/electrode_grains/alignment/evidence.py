"""Whether the motion that registration found is that of the stage, or noise and shape of grains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Steps against the median of so many are the rough part, which grains do not have.
WINDOW = 7
FEW_STEPS = 4  # which show no trend: all of them counts
# Rms of steps in their own errors: 43 aligned volumes had at most 1.6, see benchmarks.alignment.
LEAST_ROUGHNESS = 1.75
CLIPPED_AT = 4.0  # lest one torn slice make a stage of it
# A single step that is so significant, and so large, is a jump of the stage.
JUMP_ERRORS, LEAST_JUMP_PX, LEAST_JUMP_DEGREES = 6.0, 1.0, 1.0
# A steady motion larger than this is no lean of grains: 56 degrees from the milling direction.
LARGEST_LEAN_PX = 1.5
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
    """

    shift_roughness: float
    rotation_roughness: float
    moves: bool
    turns: bool
    jumps: tuple[int, ...]
    lean_px: float

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
        if self.moves:
            return f"the stage moves: shifts vary by {amount}"
        parts = [f"the slices stay where they are: shifts vary by {amount}"]
        if self.turns:
            parts.append("rotations are corrected")
        if self.jumps:
            parts.append(f"jumps before slices {', '.join(map(str, self.jumps))} are corrected")
        if self.lean_px > NOTED_LEAN_PX:
            parts.append(
                f"a lean of {self.lean_px:.2f} pixels per slice is left to the object; if the "
                "stage crept, set require_evidence to false"
            )
        return "; ".join(parts)


def weigh_steps(steps: NDArray[np.float64], errors: NDArray[np.float64]) -> Evidence:
    """Judge the steps of a stack by their errors.

    Parameters
    ----------
    steps, errors : ndarray of float64, shape (n - 1, 3)
        Shift along x and y (pixels) and rotation (radians) from each slice to the next, and
        their standard errors; NaN where there is no registration.

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
    lean = float(np.hypot(*np.median(steps[known, :2], axis=0)))
    excess = np.abs(steps[known] - smooth)
    limits = (LEAST_JUMP_PX, LEAST_JUMP_PX, np.radians(LEAST_JUMP_DEGREES))
    jumped = ((np.abs(rough) > JUMP_ERRORS) & (excess > limits)).any(axis=1)
    return Evidence(
        shift_roughness,
        rotation_roughness,
        shift_roughness > LEAST_ROUGHNESS or lean > LARGEST_LEAN_PX,
        rotation_roughness > LEAST_ROUGHNESS,
        tuple(int(z) + 1 for z in np.flatnonzero(known)[jumped]),
        lean,
    )
