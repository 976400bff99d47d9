"""Measure what alignment leaves alone, what it corrects, and which seams it names.

`python -m benchmarks.alignment_evidence [FILE ...]`: virtual cells of eight kinds and particles,
aligned and drifting, sound, turned, mirrored and with slices missing; then each file of an aligned
volume that is given: `.npy` of shape (z, y, x), or `.h5` with a dataset `raw`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells import KINDS, cells, shifted
from electrode_grains.alignment import SliceTransforms, alignment_error, estimate_transforms
from electrode_grains.alignment.symmetries import SYMMETRIES, set_upright
from electrode_grains.alignment.transforms import rigid_matrix
from electrode_grains.phantom import AcquisitionSettings, VirtualParticle, acquire, virtual_particle
from electrode_grains.tessellation import ArchitectureSettings

SHAPE, PARTICLE = (20, 64, 64), (32, 80, 80)
SEAM = 15
UNSEEN = range(20, 40)  # the limits of seams were set by particles 0 to 19
INVERSE = {"turn_90": "turn_270", "turn_270": "turn_90"}


def aligned(files: list[str]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Volumes that need no correction."""
    for kind, settings in KINDS.items():
        for seed in (1, 2):
            yield f"cells, {kind}", cells(SHAPE, seed, **settings)  # type: ignore[arg-type]
    for seed in range(4):
        yield "particle", scan(seed, drift_px=0, rotation_degrees=0, jump_px=0)[0]
    for file in files:
        if file.endswith(".npy"):
            yield Path(file).name, np.load(file).astype(float)
        else:
            import h5py

            with h5py.File(file) as root:
                yield Path(file).name, root["raw"][:].astype(float)


def drifting() -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Stacks with their true motions."""
    center = ((SHAPE[2] - 1) / 2, (SHAPE[1] - 1) / 2)
    for kind, settings in KINDS.items():
        rng = np.random.default_rng(7)
        steps = rng.normal(0, 0.5, (SHAPE[0], 2))
        shifts = np.cumsum(steps, axis=0) if kind != "noisy" else 2 * steps
        volume = cells(SHAPE, 3, **settings)  # type: ignore[arg-type]
        true = np.array([rigid_matrix(x, y, 0, center) for y, x in shifts])
        yield f"cells, {kind}", shifted(volume, shifts), true
    for seed in range(12):
        yield "particle", *scan(seed, wander_px=0.35 * (seed % 2))


@cache
def particle(seed: int) -> VirtualParticle:
    return virtual_particle(
        PARTICLE, (50.0, 50.0, 50.0), np.random.default_rng(seed), ArchitectureSettings()
    )


def scan(seed: int, **imperfections: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    settings = AcquisitionSettings(annotated_slices=(), **imperfections)  # type: ignore[arg-type]
    acquired = acquire(particle(seed), np.random.default_rng(seed + 100), settings)
    return acquired.image_quality.astype(float), acquired.true_matrices


def seams_of(transforms: SliceTransforms) -> dict[int, str]:
    words = ("undo", "missing", "repeats", "upright")
    return {
        z: flag
        for z, flags in enumerate(transforms.flags)
        for flag in flags
        if any(word in flag for word in words)
    }


def main(files: list[str]) -> None:
    print("aligned volumes: largest motion of the window's centre in px, roughness, seams")
    for name, stack in aligned(files):
        found = estimate_transforms(stack)
        largest = np.hypot(found.shift_x, found.shift_y).max()
        assert found.evidence is not None
        rough = found.evidence.shift_roughness
        print(f"{name:30s} {largest:.3f} {rough:.2f} {seams_of(found)}", flush=True)
    print("drifting stacks: centre rms in px, corrected, all corrected (as before), raw")
    for name, stack, true in drifting():
        errors = [
            alignment_error(estimate_transforms(stack, require_evidence=need), true)
            for need in (True, False)
        ]
        values = [error["cumulated_rms_px"] for error in errors]
        print(
            f"{name:30s} {values[0]:.2f} {values[1]:.2f} {errors[0]['raw_rms_px']:.2f}", flush=True
        )
    print("particles with a seam: what was done to the slices, what was found")
    named = counted = false = single = copied = 0
    for seed in UNSEEN:
        stack = scan(seed)[0]
        false += bool(seams_of(estimate_transforms(stack)))
        symmetry = SYMMETRIES[seed % len(SYMMETRIES)]
        turned = stack.copy()
        for z in range(SEAM, len(stack)):
            turned[z] = set_upright(stack[z], INVERSE.get(symmetry, symmetry))  # type: ignore[arg-type]
        found = seams_of(estimate_transforms(turned))
        right = list(found) == [SEAM] and f"symmetry: {symmetry}}}" in found[SEAM]
        named += right
        lost = 1 + seed % 5
        gap = seams_of(estimate_transforms(np.delete(stack, range(SEAM, SEAM + lost), axis=0)))
        about = int(gap[SEAM].split()[1]) if "missing" in gap.get(SEAM, "") else 0
        counted += abs(about - lost) <= 1 and about > 0
        one = seams_of(estimate_transforms(np.delete(stack, SEAM, axis=0)))
        single += "missing" in one.get(SEAM, "")
        again = seams_of(estimate_transforms(np.insert(stack, SEAM, stack[SEAM - 1], axis=0)))
        copied += "repeats" in again.get(SEAM, "")
        print(f"{seed:2d} {symmetry} {right} | {lost} lost, {gap} | one lost {one}", flush=True)
    print(
        f"named {named}, counted within one {counted}, one lost slice {single}, copies {copied}, "
        f"false alarms {false} of {len(UNSEEN)}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
