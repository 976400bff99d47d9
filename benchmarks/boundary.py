"""Measure what the choices of a training do, on virtual particles whose truth is known.

`python -m benchmarks.boundary SET ... [--folder F] [--device cuda] [--jobs 8] [--out rows.jsonl]`
trains once for each particle and seed of every choice in a set: `choices` on the particles for
tuning, `unseen` on particles that no choice was made by, `defaults` there beside the defaults until
2026-11-29, `start` with few or no labelled slices, from nothing or from the network that comes with
the package, `symmetries` averaging predictions.
One training takes a minute on two cores and a few seconds on a graphics card.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch.nn.functional import smooth_l1_loss

from benchmarks.specimens import JUDGES, LABELLED, SPACING, Specimen, specimen
from electrode_grains.boundary import (
    ContrastSettings,
    IntensityJitter,
    PredictionSettings,
    TrainingSettings,
    UNet3D,
    WindowSampler,
    boundary_scores,
    embedded_network,
    masked_cross_entropy,
    network_from_state,
    predict_class_probabilities,
    train_boundary_network,
)
from electrode_grains.boundary.settings import learning_rate_at
from electrode_grains.grains import SegmentationSettings, score_labels, segment_grains

TUNING, UNSEEN, SEEDS = (50, 51, 52), (60, 61, 62), (1, 2, 3)
MERGING_THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8)
# The mean along a contact, so that a change of the network alone is seen.
MERGING = SegmentationSettings(
    minima_depth=0.002, merge_evidence="score", merge_quantile=None, merge_size_weight=0,
    merge_slice_weight=0, place_sweeps=0,
)  # fmt: skip
BASE = TrainingSettings(
    base_width=12,
    depth=3,
    epochs=24,
    steps_per_epoch=25,
    gain_jitter=0.2,
    offset_jitter=0.2,
    noise_jitter=0.1,
)
CONFIGURED = TrainingSettings()
"""As in conf/base, where the network also sees confidence index and misorientation."""
FORMER = CONFIGURED.model_copy(
    update={"window_shape": (24, 80, 80), "batch_size": 1, "base_width": 12, "epochs": 24}
)
"""The defaults until 2026-11-29, from nothing."""

CHOICES: Mapping[str, Mapping[str, Any]] = {
    "base: 24 x 80 x 80, depth 3, 600 steps": {},
    "windows 64 x 80 x 80": {"window_shape": (64, 80, 80)},
    "windows 16 x 64 x 64": {"window_shape": (16, 64, 64)},
    "windows 24 x 128 x 128": {"window_shape": (24, 128, 128)},
    "any rotation": {"rotation": "arbitrary"},
    "no rotation": {"rotation": "none"},
    "no jitter": {"gain_jitter": 0.0, "offset_jitter": 0.0, "noise_jitter": 0.0},
    "noise jitter 0.3": {"noise_jitter": 0.3},
    "boundary weighs 3": {"class_weights": (3.0, 1.0, 1.0)},
    "batches of 4": {"batch_size": 4},
    "learning rate 0.001": {"learning_rate": 1e-3},
    "learning rate 0.01": {"learning_rate": 1e-2},
    "AdamW, decay 0.01": {"optimizer": "adamw"},
    "no frozen statistics": {"frozen_statistics": 0.0},
    "width 8": {"base_width": 8},
    "width 24": {"base_width": 24},
    "depth 2": {"depth": 2},
    "200 steps": {"epochs": 8},
    "1500 steps": {"epochs": 60},
    "3000 steps": {"epochs": 120},
    "paper: 64 x 80 x 80, any rotation, constant rate": {
        "window_shape": (64, 80, 80), "rotation": "arbitrary", "schedule": "constant",
        "learning_rate": 1e-3, "gain_jitter": 0.0, "offset_jitter": 0.0, "noise_jitter": 0.0,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One training and what is judged of it."""

    name: str
    particle: int
    settings: TrainingSettings
    channels: int = 1
    slices: tuple[int, ...] = LABELLED
    variant: str = ""  # wide: boundaries a pixel wider; distance: a fourth output that learns it
    start: str | None = None  # folder of a network
    augmentation: bool | str = False


def choices() -> Iterator[Trial]:
    for seed, particle in product(SEEDS[:2], TUNING):
        own = BASE.model_copy(update={"seed": seed})
        for name, change in CHOICES.items():
            yield Trial(name, particle, own.model_copy(update=dict(change)))
        yield Trial("boundaries a pixel wider", particle, own, variant="wide")
        yield Trial("distance to boundary learnt too", particle, own, variant="distance")
        yield Trial("confidence index too", particle, own, channels=2)
        yield Trial("confidence index, misorientation too", particle, own, channels=3)


def unseen() -> Iterator[Trial]:
    for seed in SEEDS:
        for particle in UNSEEN:
            own = CONFIGURED.model_copy(update={"seed": seed})
            yield Trial(f"particle {particle}", particle, own, channels=3)


def defaults() -> Iterator[Trial]:
    for seed, particle in product(SEEDS, UNSEEN):
        for name, settings, network in (
            (f"particle {particle}, now", CONFIGURED, "embedded"),
            (f"particle {particle}, before", FORMER, None),
        ):
            own = settings.model_copy(update={"seed": seed})
            yield Trial(name, particle, own, channels=3, start=network)


def symmetries() -> Iterator[Trial]:
    for particle in TUNING:
        for augmentation in (False, "in_plane", "cube"):
            own = BASE.model_copy(update={"seed": 1})
            yield Trial(f"averaged: {augmentation}", particle, own, augmentation=augmentation)


def start(network: str = "embedded") -> Iterator[Trial]:
    for particle in UNSEEN:
        own = BASE.model_copy(update={"seed": 1})
        yield Trial("0 slices, from the network", particle, own, slices=(), start=network)
        for slices in (LABELLED[1:2], LABELLED[1:3], LABELLED):
            count = f"{len(slices)} slices, from "
            yield Trial(f"{count}nothing", particle, own, slices=slices)
            for rate in (3e-3, 1e-3, 3e-4):
                gentle = own.model_copy(update={"learning_rate": rate})
                name = f"{count}the network, rate {rate:g}"
                yield Trial(name, particle, gentle, slices=slices, start=network)


SETS = {
    "choices": choices,
    "unseen": unseen,
    "defaults": defaults,
    "symmetries": symmetries,
    "start": start,
}


def run(trial: Trial, folder: Path | None, device: str, keep: Path | None) -> dict[str, Any]:
    """Train, predict the volume, judge by slices nobody trained on and by the grains."""
    of = specimen(trial.particle, folder)
    begin = time.perf_counter()
    contrast = of.channels(trial.channels)
    network = trained(trial, contrast, of, device)
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    prediction = PredictionSettings(
        window_shape=None,
        precision="auto",
        device=device,
        test_time_augmentation=trial.augmentation,
    )
    probability = predict_class_probabilities(network, contrast, settings=prediction)
    predicting = time.perf_counter() - begin
    if keep is not None:
        np.savez_compressed(
            keep / f"probability_{trial.particle}_{trial.settings.seed}.npz",
            probability=np.round(probability[[0, 2]] * 255).astype(np.uint8),
        )
    return {
        "name": trial.name,
        "particle": trial.particle,
        "seed": trial.settings.seed,
        "training_s": seconds,
        "predicting_s": predicting,
        **judged(probability, of),
    }


def trained(trial: Trial, contrast: NDArray[np.float32], of: Specimen, device: str) -> UNet3D:
    initial = None
    if trial.start == "embedded":
        initial = embedded_network(ContrastSettings().channels[: trial.channels])
    elif trial.start is not None:
        initial = read_network(Path(trial.start))
    if not trial.slices:
        assert initial is not None
        return initial
    labels = of.labels(trial.slices)
    settings = trial.settings.model_copy(update={"device": device})
    if trial.variant == "wide":
        labels = thickened(labels)
    if trial.variant == "distance":
        return trained_with_distance(contrast, labels, settings)
    return train_boundary_network(
        contrast, labels, settings=settings, initial_network=initial
    ).network


def read_network(folder: Path) -> UNet3D:
    """Weights and settings of a network, for machines without Kedro."""
    settings = json.loads((folder / "settings.json").read_text())
    settings.pop("channels", None)
    weights = load_file(folder / "weights.safetensors")
    return network_from_state(
        {n: t.float() if t.is_floating_point() else t for n, t in weights.items()}, settings
    )


def judged(probability: NDArray[np.float32], of: Specimen) -> dict[str, float]:
    judges = list(JUDGES)
    scores = boundary_scores(probability[:, judges], of.classes[judges])

    def scored(threshold: float, mode: str, **more: Any) -> dict[str, Any]:
        settings = MERGING.replace(merge_mode=mode, merge_boundary=threshold)
        found = segment_grains(probability, settings=settings, **more)
        return score_labels(found, of.grains, SPACING)

    grains = [scored(threshold, "iq") for threshold in MERGING_THRESHOLDS]
    f1 = [found["matched"]["f1"] for found in grains]
    best = grains[int(np.argmax(f1))]
    together = {}
    if of.orientations.any():
        combined = scored(0.6, "combined", orientations=of.orientations)
        together = {
            "combined_f1": combined["matched"]["f1"],
            "combined_adapted_rand_error": combined["adapted_rand_error"],
        }
    return {
        "boundary_f1": scores.boundary_f1,
        "dice_background": scores.dice_background,
        "brier_score": scores.brier_score,
        "grain_f1_at_0.6": f1[MERGING_THRESHOLDS.index(0.6)],
        "grain_f1_best": max(f1),
        "best_threshold": MERGING_THRESHOLDS[int(np.argmax(f1))],
        "adapted_rand_error": best["adapted_rand_error"],
        "surface_distance_nm": best["boundary_distance_mean"] or math.nan,
        **together,
    }


def thickened(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Boundaries wider by the pixels beside them."""
    wide = [binary_dilation(drawn == 1) & (drawn > 0) for drawn in labels]
    return np.where(wide, 1, labels).astype(np.uint8)


def trained_with_distance(
    contrast: NDArray[np.float32], labels: NDArray[np.uint8], settings: TrainingSettings
) -> UNet3D:
    """Train with a fourth output, the distance to the drawn boundary, then cut it off."""
    torch.manual_seed(settings.seed)
    network = UNet3D(len(contrast), settings.base_width, settings.depth)
    network.head = torch.nn.Conv3d(settings.base_width, 4, 1)
    network.to(settings.device)
    optimizer = torch.optim.Adam(network.parameters())
    sampler = WindowSampler(
        contrast,
        labels,
        window_shape=settings.window_shape,
        jitter=IntensityJitter(settings.gain_jitter, settings.offset_jitter, settings.noise_jitter),
    )
    total = settings.epochs * settings.steps_per_epoch
    for step in range(total):
        if step == round((1 - settings.frozen_statistics) * total):
            network.freeze_statistics()
        window = sampler.draw(np.random.default_rng((settings.seed, step)))
        distance = np.stack([
            distance_transform_edt(~(mask & (target == 0)))
            for target, mask in zip(window.target, window.mask, strict=True)
        ])  # fmt: skip
        image, target, mask, near = (
            torch.from_numpy(np.ascontiguousarray(array))[None].to(settings.device)
            for array in (
                window.image, window.target, window.mask, (distance.clip(0, 8) / 8).astype("f4")
            )
        )  # fmt: skip
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, total, settings)
        with torch.autocast(image.device.type, dtype=torch.bfloat16):
            scores = network(image)
        loss = masked_cross_entropy(scores[:, :3].float(), target, mask)
        loss = loss + smooth_l1_loss(scores[:, 3].float()[mask], near[mask])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    state = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    for name in ("head.weight", "head.bias"):
        state[name] = state[name][:3]
    return network_from_state(state, network.settings)


def table(rows: pd.DataFrame) -> str:
    """Mean over particles and seeds, and its standard error, of each choice."""
    numbers = rows.drop(columns=["particle", "seed"]).groupby("name", sort=False)
    mean, spread, count = numbers.mean(), numbers.std(), numbers.size()
    lines = [
        "| | runs | " + " | ".join(mean.columns) + " |",
        "| :--- |" + " ---: |" * (len(mean.columns) + 1),
    ]
    for name in mean.index:
        cells = []
        for column in mean.columns:
            error = spread.loc[name, column] / math.sqrt(count[name])
            cells.append(f"{mean.loc[name, column]:.3f} ± {error:.3f}")
        lines.append(f"| {name} | {count[name]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", choices=SETS)
    parser.add_argument("--folder", type=Path, help="of specimens made before")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file to which each result is added")
    parser.add_argument("--keep", type=Path, help="folder for the probabilities of `unseen`")
    parser.add_argument("--start", default="embedded", help="folder of the network to start from")
    asked = parser.parse_args()
    for name in asked.sets:
        trials = list(start(asked.start) if name == "start" else SETS[name]())
        keep = asked.keep if name == "unseen" else None
        work = partial(run, folder=asked.folder, device=asked.device, keep=keep)
        rows = []
        with ProcessPoolExecutor(asked.jobs, multiprocessing.get_context("spawn")) as pool:
            for done in as_completed([pool.submit(work, trial) for trial in trials]):
                rows.append(done.result())
                if asked.out is not None:
                    with asked.out.open("a") as file:
                        file.write(json.dumps({"set": name, **rows[-1]}) + "\n")
        order = {trial.name: place for place, trial in enumerate(trials)}
        print(f"\n## {name}\n\n" + table(pd.DataFrame(rows).sort_values(
            "name", key=lambda names: names.map(order), kind="stable"
        )), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
