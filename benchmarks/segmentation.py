"""Segmentation beside its peers, and against the truth of virtual particles.

`python -m benchmarks.segmentation` measures speed and memory; with folders of finished runs on
virtual particles (`data/demo ...`) also the table of targets and the sweep of indexing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import SimpleITK as sitk  # noqa: N813, the library's own abbreviation
from scipy import ndimage
from skimage.morphology import h_minima
from skimage.segmentation import watershed

from benchmarks.morphometry import PAPER_WINDOW, SEEDS, bent_cells, least_seconds
from electrode_grains.alignment import SliceTransforms, apply_transforms
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.grains import (
    compare_statistics,
    flood_from_minima,
    refine_interfaces,
    score_labels,
    segment_grains,
)
from electrode_grains.morphometry import characterize_grains, summarize_particle

DEPTH, SPACING = 0.05, (50.0, 50.0, 50.0)
SWEEP_FIGURE = Path(__file__).parents[1] / "docs" / "images" / "indexing_sweep.png"
SETTINGS = {"minima_depth": 0.002, "background_threshold": 0.5}
MERGING = {"boundary_threshold": 0.6, "minimum_voxels": 34}


def paper_landscape():
    rng = np.random.default_rng(0)
    labels = bent_cells(PAPER_WINDOW, SEEDS, rng)
    edges = (ndimage.maximum_filter(labels, 2) != ndimage.minimum_filter(labels, 2)).astype(float)
    noisy = edges + rng.normal(0, 0.05, labels.shape)
    return np.clip(ndimage.gaussian_filter(noisy, 0.8), 0, 1).astype(np.float32)


def compare_speed() -> None:
    landscape = paper_landscape()
    image = sitk.GetImageFromArray(landscape)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    taken = least_seconds(
        {
            "flood_from_minima": lambda: flood_from_minima(landscape, DEPTH),
            "scikit-image h_minima + watershed": lambda: watershed(
                landscape, ndimage.label(h_minima(landscape, DEPTH), np.ones((3, 3, 3)))[0]
            ),
            "SimpleITK MorphologicalWatershed": lambda: sitk.MorphologicalWatershed(
                image, level=DEPTH, markWatershedLine=False, fullyConnected=False
            ),
        },
        2,
    )
    print(f"\n| {PAPER_WINDOW}, h = {DEPTH}, one thread | s | ratio |\n| :--- | ---: | ---: |")
    for name, seconds in taken.items():
        print(f"| {name} | {seconds:.3f} | {seconds / taken['flood_from_minima']:.2f} |")
    peak = subprocess.run(
        [sys.executable, "-m", "benchmarks.segmentation", "--memory"],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    print(f"| peak memory, bytes a voxel beyond the image | {peak.stdout.strip()} | <= 40 |")


def resident(key: str) -> int:
    """Bytes of resident memory, now (VmRSS) or at most (VmHWM); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024


def print_memory() -> None:
    flood_from_minima(np.eye(9, dtype=np.float32), DEPTH)  # compiled code is not the volume's
    landscape = paper_landscape()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    flood_from_minima(landscape, DEPTH)
    print(f"{(resident('VmHWM') - before) / landscape.size:.1f}")


def load_run(root: Path):
    """Class probabilities, orientations, and the truth as acquired and as tessellated."""

    def volume(name):
        return VolumeDataset(filepath=str(root / f"{name}.ome.zarr")).load().to_numpy()

    described = json.loads((root / "02_intermediate/slice_transforms.json").read_text())
    truth = apply_transforms(
        volume("01_raw/acquired_label_stack"), SliceTransforms.from_dict(described), order=0
    )
    return (
        volume("07_model_output/class_probability_volume"),
        volume("03_primary/orientation_volume"),
        truth,
        volume("01_raw/true_grain_label_volume"),
    )


def misindexed(orientations, share: float, rng: np.random.Generator):
    """The same orientations with a share of the points replaced by random ones."""
    changed = orientations.copy()
    wrong = np.isfinite(orientations[0]) & (rng.random(orientations.shape[1:]) < share)
    noise = rng.normal(size=(4, int(wrong.sum())))
    changed[:4, wrong] = noise / np.linalg.norm(noise, axis=0)
    return changed


def flooded(probability, orientations, mode: str, **more):
    return segment_grains(
        probability, *SETTINGS.values(), orientations=orientations, merge_mode=mode,
        **{**MERGING, **more},
    )  # fmt: skip


def majority(labels, steps: int = 1):
    """Smooth interfaces: a voxel goes to the grain that holds most of its 27 neighbours."""
    for _ in range(steps):
        padded = np.pad(labels, 1, mode="edge")
        around = np.stack([
            padded[k : k + labels.shape[0], j : j + labels.shape[1], i : i + labels.shape[2]]
            for k in range(3) for j in range(3) for i in range(3)
        ])  # fmt: skip
        touching = (around != labels).any(axis=0) & (labels > 0)
        near = np.sort(around[:, touching], axis=0)
        votes = np.stack([(near == row).sum(axis=0) for row in near])
        votes[near == 0] = 0
        smooth = labels.copy()
        smooth[touching] = np.take_along_axis(near, votes.argmax(axis=0)[None], 0)[0]
        labels = smooth
    return labels


def row(name: str, labels, truth, tessellated) -> str:
    scores = score_labels(labels, truth, SPACING)
    found = characterize_grains(labels, SPACING)
    errors = [
        compare_statistics(found, characterize_grains(true, SPACING))
        for true in (truth, tessellated)
    ]
    area = [
        summarize_particle(volume, SPACING)["specific_surface_area_per_um"]
        for volume in (labels, truth, tessellated)
    ]
    means = [
        " / ".join(f"{error['mean'][name]['error']:+.3f}" for error in errors)
        for name in ("equivalent_diameter_nm", "sphericity", "convexity")
    ]
    key = "equivalent_diameter_nm:sphericity"
    cells = [
        f"{scores['matched']['found']} / {scores['matched']['true']}",
        f"{scores['matched']['f1']:.3f}", f"{scores['f1_by_iou']['0.8']:.3f}",
        f"{scores['adapted_rand_error']:.3f}", f"{scores['boundary_distance_mean']:.1f}", *means,
        f"{area[0] / area[1] - 1:+.3f} / {area[0] / area[2] - 1:+.3f}",
        " / ".join(f"{error['correlation'][key]['error']:+.3f}" for error in errors),
    ]  # fmt: skip
    return f"| {name} | " + " | ".join(cells) + " |"


def compare_with_truth(root: Path) -> None:
    probability, orientations, truth, tessellated = load_run(root)
    united = flooded(probability, orientations, "combined", refine_steps=0)
    cases = {
        "`none`": flooded(probability, None, "none"),
        "`iq`": flooded(probability, None, "iq"),
        "`orientation`": flooded(probability, orientations, "orientation"),
        "`combined`": flooded(probability, orientations, "combined"),
        "`combined`, plain flood": united,
        "plain flood, majority of 27": majority(united),
        "plain flood, orientations beyond 10 degrees": refine_interfaces(
            united, orientations, misorientation_threshold=np.radians(10)
        )[0],
    }
    print(
        f"\n| {root.name} | n | F1 | F1 at .8 | ARE | distance / nm | d | s | c | S/V | r(d, s) |"
    )
    print("| :--- |" + " ---: |" * 10)
    for name, labels in cases.items():
        print(row(name, labels, truth, tessellated), flush=True)


def sweep_indexing(root: Path) -> None:
    probability, orientations, truth, _ = load_run(root)
    alone = score_labels(flooded(probability, None, "iq"), truth)
    print(f"\n| {root.name}: wrong points | combined | orientation | iq |")
    print("| ---: |" + " ---: |" * 3)
    curves = []
    for share in (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0):
        wrong = misindexed(orientations, share, np.random.default_rng(5))
        cells = [
            score_labels(flooded(probability, wrong, mode), truth)
            for mode in ("combined", "orientation")
        ]
        texts = [
            f"{s['matched']['f1']:.3f} / {s['adapted_rand_error']:.3f}" for s in (*cells, alone)
        ]
        print(f"| {share:.1f} | " + " | ".join(texts) + " |", flush=True)
        curves.append([share, *(s["matched"]["f1"] for s in (*cells, alone))])
    figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
    share, *scores = np.transpose(curves)
    for values, mode in zip(scores, ("combined", "orientation", "iq"), strict=True):
        axes.plot(share, values, marker=".", label=mode)
    axes.set(xlabel="share of points indexed wrongly", ylabel="matched F1 (IoU > 0.5)")
    axes.legend()
    figure.savefig(SWEEP_FIGURE, dpi=150)


def main() -> None:
    if "--memory" in sys.argv:
        return print_memory()
    print("\n# Segmentation\n\n" + ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "numba", "scikit-image", "SimpleITK")
    ))  # fmt: skip
    compare_speed()
    for root in map(Path, sys.argv[1:]):
        compare_with_truth(root)
    if sys.argv[1:]:
        sweep_indexing(Path(sys.argv[1]))
    return None


if __name__ == "__main__":
    main()
