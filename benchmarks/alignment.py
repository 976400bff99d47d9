"""Measure the alignment on virtual particles whose drift is known.

Run with `python -m benchmarks.alignment`; takes some minutes. Three particles, each with a stage
that returns to its place up to a jitter, and with one that wanders; each as scanned, with one
slice torn in two, and with one slice lost in noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment import alignment_error, estimate_transforms
from electrode_grains.phantom import AcquisitionSettings, acquire, virtual_particle
from electrode_grains.tessellation import ArchitectureSettings

SHAPE, SPACING = (64, 128, 128), (50.0, 50.0, 50.0)
SEEDS = (30, 31, 32)
BAD_SLICE, TORN_BY_PX = 30, 12
SCORES = ("raw_rms_px", "step_rms_px", "cumulated_rms_px", "window_rms_px", "rotation_rms_rad")
PREVIOUS = {"reference": "previous"}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "translation": {**PREVIOUS, "mode": "translation"},
    "rigid body": PREVIOUS,
    "rigid body, rotations kept": {**PREVIOUS, "rotation_correlation_length": None},
    "rigid body, shifts forgotten after 10": {**PREVIOUS, "shift_correlation_length": 10.0},
    "rigid body, surroundings kept": {**PREVIOUS, "mask_background": False},
    "rigid body, smoothed by 1 px": {**PREVIOUS, "smoothing": 1.0},
    "robust (neighbours)": {},
}


def as_scanned(stack: NDArray[np.float64]) -> NDArray[np.float64]:
    return stack


def torn(stack: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift the lower half of a slice, as where the sample charges during a scan."""
    half = stack.shape[1] // 2
    stack[BAD_SLICE, half:] = np.roll(stack[BAD_SLICE, half:], TORN_BY_PX, axis=1)
    return stack


def lost(stack: NDArray[np.float64]) -> NDArray[np.float64]:
    stack[BAD_SLICE] = np.random.default_rng(0).normal(100, 30, stack.shape[1:])
    return stack


DAMAGES: tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], ...] = (as_scanned, torn, lost)


def main() -> None:
    print("| stage | slice 30 | alignment | " + " | ".join(SCORES) + " | flagged | s |")
    print("| :--- | :--- | :--- |" + " ---: |" * (len(SCORES) + 2))
    for stage, wander in (("jitters", 0.0), ("wanders", 0.35)):
        scans = []
        for seed in SEEDS:
            particle = virtual_particle(
                SHAPE, SPACING, np.random.default_rng(seed), ArchitectureSettings()
            )
            settings = AcquisitionSettings(annotated_slices=(), wander_px=wander)
            scans.append(acquire(particle, np.random.default_rng(seed + 100), settings))
        for damage in DAMAGES:
            for name, variant in VARIANTS.items():
                start, errors, flagged = time.perf_counter(), [], 0
                for scan in scans:
                    stack = damage(scan.image_quality.astype(float))
                    found = estimate_transforms(stack, **variant)
                    error = alignment_error(found, scan.true_matrices)
                    errors.append([error[score] for score in SCORES])
                    flagged += sum(map(bool, found.flags))
                # A bad slice has no place: it counts in the sums as any other.
                means = " | ".join(f"{value:.3f}" for value in np.mean(errors, axis=0))
                seconds = (time.perf_counter() - start) / len(scans)
                print(
                    f"| {stage} | {damage.__name__.replace('_', ' ')} | {name} | {means} "
                    f"| {flagged} | {seconds:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
