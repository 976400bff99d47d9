"""The chain beside others on volumes with a truth that the user has; none is shipped.

`python -m benchmarks.real PLACE ... [--work FOLDER] [--slices 4]`: a PLACE is an `.h5` file with
datasets `raw` and `label`, whose attribute `element_size_um` is the voxel size (z, y, x), or a
folder of scans with orientations, where linked points are the truth. Some slices are labelled
from the truth; all methods learn from these or choose their settings by them, and are judged by
the others. The chain runs as `electrode-grains init` and `kedro run` do, with all defaults.
mwatershed and waterz take part where they are installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.feature import multiscale_basic_features
from skimage.morphology import h_minima
from skimage.segmentation import watershed
from sklearn.ensemble import RandomForestClassifier

from benchmarks.segmentation import by_orientation_alone
from electrode_grains.boundary.baseline import LEVELS, WIDTHS
from electrode_grains.classes import BACKGROUND, BOUNDARY
from electrode_grains.commands.init import create_from_scans
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.grains import adapted_rand_error, score_labels
from electrode_grains.phantom.annotation import annotate

DEPTHS = (0.01, 0.03, 0.1, 0.2)
SMOOTHING = (0.0, 0.7, 1.5)  # of a boundary map in pixels, before its minima are sought
SPECK = 34  # voxels below which a fragment is none, as in the defaults of the chain
STEP_OF_SCANS_NM = 400.0  # not in the files of a folder; the iron stack has it in its plane
WANTED = "class_probability_volume,grain_label_volume,validation_scores,segmentation_scores"


@dataclass(frozen=True)
class Sample:
    """A volume that the chain has segmented.

    Attributes
    ----------
    grey : NDArray of float32, shape (z, y, x)
        As the chain has aligned it.
    classes : NDArray of uint8, shape (z, y, x)
        Of the labelled slices; 0 elsewhere.
    truth : NDArray of int32, shape (z, y, x)
    found, probability : NDArray
        Grains and class probabilities of the chain.
    data : Path
        Its results.
    """

    grey: NDArray[np.float32]
    classes: NDArray[np.uint8]
    truth: NDArray[np.int32]
    found: NDArray[np.int32]
    probability: NDArray[np.float32]
    data: Path

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which slices have labels, shape (z,)."""
        chosen: NDArray[np.bool_] = self.classes.any(axis=(1, 2))
        return chosen

    def scores(self, labels: NDArray[np.integer]) -> dict[str, float]:
        """Of the slices without labels."""
        rest = ~self.labelled
        scores = score_labels(labels[rest].astype(np.int64), self.truth[rest])
        return {
            "found": scores["matched"]["found"], "true": scores["matched"]["true"],
            "F1": scores["matched"]["f1"], "ARE": scores["adapted_rand_error"],
            "split": scores["variation_of_information_split"],
            "merge": scores["variation_of_information_merge"],
        }  # fmt: skip


def from_volume(file: Path, count: int, work: Path) -> Sample:
    """Label slices of a dense volume, and let the chain segment it from one TIFF stack."""
    with h5py.File(file) as root:
        raw, truth = root["raw"][:], root["label"][:].astype(np.int32)
        dz, dy, _ = (float(size) * 1000 for size in root["raw"].attrs["element_size_um"])
    given = work / "given"
    given.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(given / "volume.tif", raw)
    (given / "labels").mkdir(exist_ok=True)
    chosen = [round((k + 0.5) * len(raw) / count) for k in range(count)]
    for z in chosen:
        classes = annotate(truth[z], 0.0, np.random.default_rng(0))
        Image.fromarray(classes).save(given / "labels" / f"volume_{z:04d}.png")
    project = work / "project"
    if not project.exists():
        create_from_scans(
            project, given / "volume.tif", annotations=given / "labels", slice_spacing_nm=dz,
            step_nm=dy, name=file.stem,
        )  # fmt: skip
    return _run(project, truth)


def from_scans(folder: Path, count: int, work: Path) -> Sample:
    """Label slices by orientations, as a user without labels does; the truth are linked points."""
    project = work / "project"
    if not project.exists():
        create_from_scans(project, folder, slice_spacing_nm=STEP_OF_SCANS_NM, name=folder.stem)
    _kedro(project, "--pipelines", "orientation_annotation")
    return _run(project, None)


def _run(project: Path, truth: NDArray[np.int32] | None) -> Sample:
    _kedro(project, f"--to-outputs={WANTED}")
    data = project / "data"

    def volume(name: str) -> NDArray:
        return VolumeDataset(filepath=str(data / f"{name}.ome.zarr")).load().to_numpy()

    found = volume("07_model_output/grain_label_volume")
    if truth is None:
        laue = json.loads((data / "02_intermediate/scan_index.json").read_text())["laue_group"]
        orientations = volume("03_primary/orientation_volume")
        measured = np.isfinite(volume("03_primary/image_quality_volume"))
        truth = by_orientation_alone(orientations, measured, laue, 8)
    return Sample(
        np.nan_to_num(volume("03_primary/image_quality_volume")).astype(np.float32),
        volume("03_primary/annotation_volume"),
        truth,
        found,
        volume("07_model_output/class_probability_volume"),
        data,
    )


def _kedro(project: Path, *words: str) -> None:
    environment = {**os.environ, "COLUMNS": "160"}
    subprocess.run(
        [sys.executable, "-m", "kedro", "run", *words], cwd=project, check=True, env=environment
    )


def flooded(sample: Sample, boundary: NDArray, background: NDArray | None) -> NDArray[np.int32]:
    """scikit-image's h-minima and watershed, with what suits the labelled slices best."""
    labelled = sample.labelled

    def with_settings(width: float, depth: float) -> NDArray[np.int32]:
        smooth = ndimage.gaussian_filter(boundary.astype(np.float32), width)
        seeds = ndimage.label(h_minima(smooth, depth), np.ones((3, 3, 3)))[0]
        mask = None if background is None else ~background
        return watershed(smooth, seeds, mask=mask).astype(np.int32)

    tried = (with_settings(*settings) for settings in product(SMOOTHING, DEPTHS))
    truth = sample.truth[labelled]
    return min(tried, key=lambda found: adapted_rand_error(found[labelled], truth))


def grey_values(sample: Sample) -> NDArray[np.float32]:
    """Grey values from 0 to 1, boundaries high."""
    low, high = np.quantile(sample.grey, (0.01, 0.99))
    scaled = np.clip((sample.grey - low) / (high - low), 0, 1)
    drawn, inner = sample.classes == BOUNDARY, sample.classes > BOUNDARY
    bright = scaled[drawn].mean() > scaled[inner].mean()
    return (scaled if bright else 1 - scaled).astype(np.float32)


def threshold(sample: Sample) -> NDArray[np.float32]:
    """Smoothed grey values beyond the threshold that agrees best with the labelled boundaries."""
    values, seen = grey_values(sample), sample.classes > 0
    truth = (sample.classes == BOUNDARY)[seen]
    best, chosen = -1.0, values
    for width in WIDTHS:
        smooth = ndimage.gaussian_filter(values, (0, width, width))
        for level in np.quantile(smooth[seen], LEVELS):
            above = smooth[seen] > level
            f1 = 2 * (above & truth).sum() / (above.sum() + truth.sum())
            if f1 > best:
                best, chosen = f1, (smooth > level).astype(np.float32)
    return chosen


def forest(sample: Sample) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """A random forest of 100 trees on features of each slice, taught by the labelled ones."""
    features = np.stack([
        multiscale_basic_features(image, sigma_min=0.5, sigma_max=8)
        for image in grey_values(sample)
    ])  # fmt: skip
    seen = sample.classes > 0
    trees = RandomForestClassifier(100, min_samples_leaf=5, random_state=1, n_jobs=1)
    trees.fit(features[seen], sample.classes[seen])
    predicted = trees.predict_proba(features.reshape(-1, features.shape[-1]))
    by_class = dict(zip(trees.classes_, predicted.T.reshape(-1, *seen.shape), strict=True))
    outside = by_class[BACKGROUND] > 0.5 if BACKGROUND in by_class else None
    return by_class[BOUNDARY].astype(np.float32), outside


def by_mutex(sample: Sample, boundary: NDArray) -> NDArray[np.int32]:
    """Mutex watershed: near affinities attract, those four pixels apart in the slice repel."""
    import mwatershed

    near = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    far = [(0, 4, 0), (0, 0, 4), (0, 4, 4), (0, 4, -4)]
    affinity = np.stack([_affinity(boundary, offset) for offset in (*near, *far)])
    bias = np.array([0.5] * len(near) + [0.8] * len(far)).reshape(-1, 1, 1, 1)
    found = mwatershed.agglom((affinity - bias).astype(np.float64), [*near, *far])
    return _grown(found, boundary)


def _grown(fragments: NDArray, boundary: NDArray) -> NDArray[np.int32]:
    """Specks, of which boundaries consist in such segmentations, go to what is around them."""
    _, place, size = np.unique(fragments, return_inverse=True, return_counts=True)
    seeds = np.where(size[place] >= SPECK, place + 1, 0).reshape(fragments.shape)
    return watershed(boundary, seeds).astype(np.int32)


def _affinity(boundary: NDArray, offset: tuple[int, int, int]) -> NDArray:
    """One minus the largest boundary on the way to the voxel at an offset."""
    steps = max(map(abs, offset))
    way = [np.rint(np.array(offset) * k / steps).astype(int) for k in range(steps + 1)]
    shifted = [np.roll(boundary, -step, axis=(0, 1, 2)) for step in way]
    return 1 - np.max(shifted, axis=0)


def by_waterz(sample: Sample, boundary: NDArray) -> NDArray[np.int64]:
    """Waterz on affinities to the next voxel, with the threshold that suits the labels best."""
    import waterz

    before = [(-1, 0, 0), (0, -1, 0), (0, 0, -1)]
    affinity = np.ascontiguousarray([_affinity(boundary, step) for step in before], np.float32)
    levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    labelled = sample.labelled
    tried = [_grown(found, boundary) for found in waterz.agglomerate(affinity, levels)]
    truth = sample.truth[labelled]
    return min(tried, key=lambda found: adapted_rand_error(found[labelled], truth))


def methods(sample: Sample) -> Mapping[str, Callable[[], NDArray]]:
    network = sample.probability[0]
    return {
        "Electrode Grains": lambda: sample.found,
        "its network, scikit-image h-minima and watershed": lambda: flooded(sample, network, None),
        "its network, mutex watershed": lambda: by_mutex(sample, network),
        "its network, waterz": lambda: by_waterz(sample, network),
        "random forest, h-minima and watershed": lambda: flooded(sample, *forest(sample)),
        "smoothed grey threshold, h-minima and watershed": lambda: flooded(
            sample, ndimage.gaussian_filter(threshold(sample), 0.7), None
        ),
        "grey values, h-minima and watershed": lambda: flooded(sample, grey_values(sample), None),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, default=Path("data/real_volumes"))
    parser.add_argument("--slices", type=int, default=4, help="labelled ones of a dense volume")
    asked = parser.parse_args()
    for place in asked.places:
        read = from_scans if place.is_dir() else from_volume
        sample = read(place.resolve(), asked.slices, (asked.work / place.stem).resolve())
        judged = json.loads((sample.data / "08_reporting/validation_scores.json").read_text())
        print(f"\n{place.name}: {sample.truth.shape}, {sample.labelled.sum()} slices labelled")
        ours, theirs = judged["mean"]["boundary_f1"], judged["baseline_f1"]
        print(f"boundary F1 on unseen slices {ours:.3f}, of a threshold {theirs:.3f}")
        print("\n".join(judged["warnings"]) or "no warning")
        print("\n| | found / true | F1 | ARE | split, bits | merge, bits | s |")
        print("| :--- |" + " ---: |" * 6)
        for name, method in methods(sample).items():
            begun = time.process_time()
            try:
                scores = sample.scores(method())
            except Exception as error:  # a peer that is not there, or fails
                print(f"| {name} | {type(error).__name__}: {error} |" + " |" * 5, flush=True)
                continue
            cells = [f"{scores[key]:.3f}" for key in ("F1", "ARE", "split", "merge")]
            counts = f"{scores['found']} / {scores['true']}"
            seconds = f"{time.process_time() - begun:.0f}"
            print(f"| {name} | {counts} | " + " | ".join([*cells, seconds]) + " |", flush=True)


if __name__ == "__main__":
    main()
