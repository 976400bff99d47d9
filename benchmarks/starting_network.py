"""Train the network that comes with the package, on virtual particles of many kinds.

`python -m benchmarks.starting_network FOLDER --teachers T` writes weights, in half precision, and
settings, with the channels that the network reads. 24 particles of two kinds of grains, each of
its own mean size and scanned by a microscope of its own, are labelled in every slice: what no hand
could do. A third of the windows loses the orientations, so that one network serves stacks with and
without them. The network of the package began with the one that came before it (`--start`, a
folder). A training that was interrupted goes on from FOLDER.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.boundary import read_network
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

SEEDS = range(200, 224)
MARGIN = 8  # slices at both ends of a particle that teach nothing: the next particle is near
CHANNELS = ContrastSettings().channels


def grown(rng: np.random.Generator, joined: bool) -> ParticleSettings:
    """Grains of another mean size: as rough and unlike as those of the paper, or joined cells."""
    diameter = float(rng.uniform(350, 800))
    if not joined:
        usual = ArchitectureModel()
        return ParticleSettings(grains=scaled(usual, diameter / usual.mean_diameter_nm))
    cells = {
        "mean_diameter_nm": diameter,
        "diameter_shape_nm": diameter * rng.uniform(5, 15),
        "size_contrast": rng.uniform(0.3, 1),
        "relaxation": int(rng.integers(2, 11)),
        "union_share": rng.uniform(0.05, 0.3),
        "hardness": rng.uniform(0, 0.5),
        "warp_amplitude_nm": rng.uniform(15, 60),
    }
    return ParticleSettings(joined_cells=cells)


def scanned(rng: np.random.Generator) -> dict[str, float]:
    """Imperfections of a microscope of its own, from half to about twice those of the demo."""
    return {
        "noise": rng.uniform(0.5, 2),
        "curtaining": rng.uniform(0, 0.12),
        "brightness_drift": rng.uniform(0, 0.12),
        "drift_px": rng.uniform(0, 1.5),
        "wander_px": rng.uniform(0, 0.3),
        "jump_px": rng.uniform(0, 6),
        "rotation_degrees": rng.uniform(0, 0.5),
        "thickness_jitter": rng.uniform(0.02, 0.25),
        "information_depth_nm": rng.uniform(10, 60),
        "shadow": rng.uniform(0, 0.4),
        "weak_boundary_degrees": rng.uniform(0, 15),
        "misindexed_share": rng.uniform(0.01, 0.1),
        "flipped_share": rng.uniform(0, 0.3),
        "unindexed_share": rng.uniform(0, 0.08),
        "patch_px": rng.uniform(0, 5),
    }


def teacher(seed: int, folder: Path) -> Specimen:
    path = folder / f"teacher_{seed}.npz"
    if path.exists():
        with np.load(path) as kept:
            return Specimen(**kept)
    rng = np.random.default_rng(seed)
    made = make_specimen(seed, range(SHAPE[0]), grown(rng, seed % 2 == 1), **scanned(rng))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **vars(made))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--teachers", type=Path, required=True, help="folder of their files")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--start", type=Path, help="folder of a network; from nothing by default")
    parser.add_argument("--width", type=int, default=8, help="of a network from nothing")
    parser.add_argument("--epochs", type=int, default=36, help="of 100 steps")
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
    start = None if asked.start is None else read_network(asked.start)
    fingerprint = training_fingerprint(contrast, annotation, settings, initial_network=start)
    states = FolderStates(asked.out, fingerprint)
    network = train_boundary_network(
        contrast,
        annotation,
        settings=settings,
        initial_network=start,
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
