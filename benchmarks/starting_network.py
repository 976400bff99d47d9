"""Train the network that comes with the package, on virtual particles of many kinds.

`python -m benchmarks.starting_network FOLDER --teachers T` writes weights, in half precision, and
settings, with the channels that the network reads. Twelve particles, scanned with different grain
sizes, noise, curtaining and drift, are labelled in every slice: what no hand could do. A third of
the windows loses the orientations, so that one network serves stacks with and without them.
A training that was interrupted goes on from FOLDER.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.specimens import SHAPE, Specimen, make_specimen
from electrode_grains.boundary import (
    ContrastSettings,
    TrainingSettings,
    network_state,
    train_boundary_network,
    training_fingerprint,
)
from electrode_grains.datasets.checkpoints import FolderStates
from electrode_grains.generation.particles import scaled
from electrode_grains.phantom import ParticleSettings
from electrode_grains.tessellation import ArchitectureModel

SEEDS = range(70, 82)
MARGIN = 8  # slices at both ends of a particle that teach nothing: the next particle is near
CHANNELS = ContrastSettings().channels


def of_grains(diameter: float) -> ParticleSettings:
    """Grains of another mean size, as rough and unlike as those of the paper."""
    usual = ArchitectureModel()
    return ParticleSettings(grains=scaled(usual, diameter / usual.mean_diameter_nm))


def of_cells(diameter: float) -> ParticleSettings:
    """Joined Laguerre cells of another mean size."""
    cells = {"mean_diameter_nm": diameter, "diameter_shape_nm": 9 * diameter}
    return ParticleSettings(joined_cells=cells)


def teacher(seed: int, folder: Path) -> Specimen:
    path = folder / f"teacher_{seed}.npz"
    if path.exists():
        with np.load(path) as kept:
            return Specimen(**kept)
    rng = np.random.default_rng(seed)
    diameter = float(rng.uniform(380, 800))
    made = make_specimen(
        seed,
        range(SHAPE[0]),
        of_grains(diameter) if seed % 2 else of_cells(diameter),
        noise=float(rng.uniform(0.5, 2)),
        curtaining=float(rng.uniform(0, 0.12)),
        brightness_drift=float(rng.uniform(0, 0.12)),
        drift_px=float(rng.uniform(0, 1.5)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **vars(made))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of their files")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=24, help="of 100 steps")
    asked = parser.parse_args()
    contrasts, labels = [], []
    for seed in SEEDS:
        of = teacher(seed, asked.teachers)
        contrasts.append(of.channels(len(CHANNELS)))
        classes = of.classes.copy()
        classes[:MARGIN] = classes[-MARGIN:] = 0
        labels.append(classes)
    settings = TrainingSettings(
        window_shape=(16, 64, 64),
        batch_size=2,
        base_width=asked.width,
        epochs=asked.epochs,
        steps_per_epoch=100,
        gain_jitter=0.2,
        offset_jitter=0.2,
        channel_dropout=1 / 3,
        initial_network=None,
        device=asked.device,
        seed=1,
    )
    contrast, annotation = np.concatenate(contrasts, axis=1), np.concatenate(labels)
    states = FolderStates(asked.out, training_fingerprint(contrast, annotation, settings))
    network = train_boundary_network(
        contrast,
        annotation,
        settings=settings,
        resume=states.latest(),
        on_state=states.save,
        on_epoch=lambda scores, epoch: print(epoch, f"{scores['loss']:.4f}", flush=True),
    ).network
    weights, architecture = network_state(network)
    half = {n: t.half() if t.dtype == torch.float32 else t for n, t in weights.items()}
    asked.out.mkdir(parents=True, exist_ok=True)
    save_file(half, asked.out / "weights.safetensors")
    text = json.dumps({**architecture, "channels": list(CHANNELS)}, indent=2)
    (asked.out / "settings.json").write_text(text + "\n")
    states.clear()


if __name__ == "__main__":
    main()
