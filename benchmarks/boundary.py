"""Measure what the choices of a training do, on virtual particles whose truth is known.

`python -m benchmarks.boundary choices` trains once for each choice on one particle,
`unseen` the first three seeds on three other particles, `start` with and without the weights
of another particle at few labelled slices, `symmetries` averages over symmetries. Each takes
minutes. Particles are scanned without drift, so that alignment has no part in the result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from electrode_grains.boundary import (
    TrainingSettings,
    UNet3D,
    boundary_scores,
    normalize_contrast,
    predict_class_probabilities,
    train_boundary_network,
)
from electrode_grains.ebsd.orientations import neighbour_misorientation, quaternions_from_euler
from electrode_grains.grains import score_labels, segment_grains
from electrode_grains.phantom import AcquisitionSettings, acquire, virtual_particle
from electrode_grains.tessellation import GrainLaw

SHAPE, SPACING = (48, 96, 96), (50.0, 50.0, 50.0)
LABELLED = (10, 19, 29, 38)
JUDGES = (14, 24, 33)  # nobody labelled them: their classes only judge
LAUE = "-3m"
TUNING, UNSEEN, TEACHER = 50, (60, 61, 62), 70
FIRST = TrainingSettings(
    window_shape=(24, 80, 80),
    base_width=12,
    depth=3,
    epochs=8,
    steps_per_epoch=25,
    optimizer="adam",
    gain_jitter=0.2,
    offset_jitter=0.2,
    precision="auto",
    seed=1,
)
CHOICES: Mapping[str, Mapping[str, Any]] = {
    "as configured": {},
    "another seed": {"seed": 2},
    "a third seed": {"seed": 3},
    "windows 80 x 80 x 80 (cut to 48 slices)": {"window_shape": (80, 80, 80)},
    "any rotation instead of quarter turns": {"rotation": "arbitrary"},
    "no rotation": {"rotation": "none"},
    "no jitter": {"gain_jitter": 0.0, "offset_jitter": 0.0, "noise_jitter": 0.0},
    "boundary weighs 3 in the loss": {"class_weights": (3.0, 1.0, 1.0)},
}


@dataclass(frozen=True)
class Specimen:
    """A scanned particle, its labels and its truth."""

    contrast: NDArray[np.float32]  # (channel, z, y, x): image quality, confidence, misorientation
    classes: NDArray[np.uint8]  # of all labelled and judging slices
    grains: NDArray[np.int32]


def specimen(seed: int) -> Specimen:
    rng = np.random.default_rng(seed)
    particle = virtual_particle(SHAPE, SPACING, rng, GrainLaw(513.8, 4600.0))
    still = AcquisitionSettings(
        annotated_slices=(*LABELLED, *JUDGES), drift_px=0.0, rotation_degrees=0.0
    )
    scan = acquire(particle, rng, still)
    classes = np.zeros(SHAPE, np.uint8)
    for z, drawn in scan.annotations.items():
        classes[z] = drawn
    turns = quaternions_from_euler(scan.euler_angles)
    misorientation = neighbour_misorientation(turns, LAUE)
    channels = (scan.image_quality, scan.confidence_index, np.nan_to_num(misorientation))
    contrast = np.stack([normalize_contrast(channels[0]), *(scaled(each) for each in channels[1:])])
    grains = np.where(scan.label_stack <= particle.main_grain_count, scan.label_stack, 0)
    return Specimen(contrast, classes, grains)


def scaled(channel: NDArray[np.floating]) -> NDArray[np.float32]:
    return ((channel - channel.mean()) / channel.std()).astype(np.float32)


def labels_of(of: Specimen, slices: tuple[int, ...] = LABELLED) -> NDArray[np.uint8]:
    labels = np.zeros_like(of.classes)
    labels[list(slices)] = of.classes[list(slices)]
    return labels


def thickened(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Boundaries wider by the pixels beside them."""
    wide = [binary_dilation(drawn == 1) & (drawn > 0) for drawn in labels]
    return np.where(wide, 1, labels).astype(np.uint8)


def judge(network: UNet3D, of: Specimen, contrast: Any, **options: Any) -> dict[str, float]:
    """Scores on slices nobody labelled, and of the grains that follow from the whole volume."""
    probability = predict_class_probabilities(network, contrast, precision="auto", **options)
    judges = list(JUDGES)
    scores = boundary_scores(probability[:, judges], of.classes[judges])
    found = score_labels(
        segment_grains(probability, 0.002, 0.5, boundary_threshold=0.6, minimum_voxels=34),
        of.grains,
        SPACING,
    )
    return {
        "boundary_f1": scores["boundary_f1"],
        "brier_score": scores["brier_score"],
        "grain_f1": found["matched"]["f1"],
        "adapted_rand_error": found["adapted_rand_error"],
        "surface_nm": found["boundary_distance_mean"],
    }


def trained(of: Specimen, settings: TrainingSettings, **options: Any) -> UNet3D:
    contrast = options.pop("contrast", of.contrast[:1])
    labels = options.pop("labels", labels_of(of))
    return train_boundary_network(contrast, labels, settings=settings, **options).network


def choices() -> Iterator[tuple[str, dict[str, float]]]:
    of = specimen(TUNING)
    for name, change in CHOICES.items():
        yield name, judge(trained(of, replace(FIRST, **change)), of, of.contrast[:1])
    yield (
        "boundaries a pixel wider",
        judge(trained(of, FIRST, labels=thickened(labels_of(of))), of, of.contrast[:1]),
    )
    for count, name in ((2, "confidence index"), (3, "confidence index and misorientation")):
        network = trained(of, FIRST, contrast=of.contrast[:count])
        yield f"with {name} as channels", judge(network, of, of.contrast[:count])


def unseen() -> Iterator[tuple[str, dict[str, float]]]:
    for particle in UNSEEN:
        of = specimen(particle)
        for seed in (1, 2, 3):
            network = trained(of, replace(FIRST, seed=seed))
            yield f"particle {particle}, seed {seed}", judge(network, of, of.contrast[:1])


def start() -> Iterator[tuple[str, dict[str, float]]]:
    other, of = specimen(TEACHER), specimen(TUNING)
    teacher = trained(other, FIRST)
    yield "0 labelled slices, weights of another particle", judge(teacher, of, of.contrast[:1])
    short = replace(FIRST, epochs=4)
    for slices in (LABELLED[1:2], LABELLED[1:3], LABELLED):
        for name, network in (("from nothing", None), ("from another particle", teacher)):
            result = trained(of, short, labels=labels_of(of, slices), initial_network=network)
            yield f"{len(slices)} labelled, {name}", judge(result, of, of.contrast[:1])


def symmetries() -> Iterator[tuple[str, dict[str, float]]]:
    of = specimen(TUNING)
    network = trained(of, FIRST)
    for augmentation in (False, "in_plane", "cube"):
        begin = time.perf_counter()
        scores = judge(network, of, of.contrast[:1], test_time_augmentation=augmentation)
        yield f"{augmentation}, {time.perf_counter() - begin:.1f} s", scores


def main() -> None:
    parts = {part.__name__: part for part in (choices, unseen, start, symmetries)}
    for name in sys.argv[1:] or parts:
        print(f"\n## {name}\n")
        begin = time.perf_counter()
        for run, (label, scores) in enumerate(parts[name]()):
            if run == 0:
                print("| | " + " | ".join(scores) + " | s |")
                print("| :--- |" + " ---: |" * (len(scores) + 1))
            shown = " | ".join(f"{value:.3f}" for value in scores.values())
            print(f"| {label} | {shown} | {time.perf_counter() - begin:.0f} |", flush=True)
            begin = time.perf_counter()


if __name__ == "__main__":
    main()
