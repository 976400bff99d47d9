"""A study of tiny virtual particles in two groups: scans, labels, table, settings."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from electrode_grains.datasets.folders import AnnotationFolderDataset, ScanFolderDataset
from electrode_grains.pipelines.acquisition.nodes import grow_particle, scan_particle
from electrode_grains.pipelines.acquisition.settings import ParticleSettings, ScanSettings

# As little as possible of what is long: one short training, few families and replicates.
SMALL = {
    "boundary_model": {
        "split": {"held_out_count": 1},
        "validation": {"epochs": 1},
        "training": {
            "window_shape": [8, 24, 24], "base_width": 8, "depth": 1, "epochs": 1,
            "steps_per_epoch": 4, "batch_size": 1, "initial_network": None,
            "precision": "float32",
        },
        "prediction": {"window_shape": [8, 24, 24]},
    },
    "segmentation": {"grains": {"merge_reference_voxels": 70, "minimum_voxels": 8}},
    "modelling": {
        "sample": {"minimum_voxels": 8},
        "goodness": {"replicates": 19, "selection_replicates": 0},
        "marginals": {
            "families": {
                "equivalent_diameter_nm": ["lognormal"], "sphericity": ["normal"],
                "convexity": ["normal"], "elongation": ["normal"], "azimuthal_angle": ["uniform"],
                "polar_angle": ["sine"],
            }
        },
        "pairs": {"families": ["independence"], "rotations": [0]},
    },
}  # fmt: skip


def make_scans(folder: Path, seed: int, mean_diameter_nm: float) -> None:
    """Write `scans` and `labels` of one virtual particle."""
    particle, _ = grow_particle(
        ParticleSettings(
            shape=(12, 40, 40), spacing_nm=(50.0, 50.0, 50.0), seed=seed,
            joined_cells={"mean_diameter_nm": mean_diameter_nm, "diameter_shape_nm": 2700.0},
        )
    )  # fmt: skip
    scans, labels, _, _ = scan_particle(
        particle,
        ScanSettings(
            annotated_slices=(3, 8), annotation_error=0.0, noise=1.0, misindexed_share=0.02,
            drift_px=0.3, rotation_degrees=0.0, thickness_jitter=0.0, curtaining=0.0,
            brightness_drift=0.0, seed=seed + 1,
        ),
    )  # fmt: skip
    ScanFolderDataset(path=str(folder / "scans")).save(scans)
    AnnotationFolderDataset(path=str(folder / "labels")).save(labels)


def make_study(folder: Path, count: int) -> Path:
    """Write a study of `count` particles, half of them of larger grains."""
    rows = ["id,scans,labels,slice_spacing_nm,batch,cycle"]
    for number in range(count):
        batch = "fine" if number % 2 else "coarse"
        make_scans(folder / "raw" / f"p{number:02d}", number, 260.0 if number % 2 else 360.0)
        place = f"../raw/p{number:02d}"
        rows.append(f"p{number:02d},{place}/scans,{place}/labels,50,{batch},{number // 2 * 50}")
    study = folder / "study"
    study.mkdir()
    (study / "particles.csv").write_text("\n".join(rows) + "\n", "utf-8")
    settings = {
        "name": "two batches",
        "sample": {"minimum_voxels": 8},
        "pool": {"minimum_grains": 8, "replicates": 199},
        "settings": SMALL,
    }
    (study / "study.yml").write_text(yaml.safe_dump(settings), "utf-8")
    return study


if __name__ == "__main__":
    make_study(Path(sys.argv[1]), int(sys.argv[2]))
