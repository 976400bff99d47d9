"""Segmentation beside its peers, and against the truth of virtual particles.

`python -m benchmarks.segmentation` measures speed and memory; with finished runs (data/demo) or
predictions for specimens (NAME_SEED_NETWORK.npz beside specimen_SEED.npz) it makes the table of
targets, and with the first of them the baselines, the choice and the sweep of indexing;
`--targets` leaves these out. A finished run without truth stands beside linked orientations.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import SimpleITK as sitk  # noqa: N813, the library's own abbreviation
from numpy.typing import NDArray
from scipy import ndimage, sparse
from skimage.filters import threshold_otsu
from skimage.morphology import h_minima
from skimage.segmentation import random_walker, watershed

from benchmarks.morphometry import PAPER_WINDOW, SEEDS, bent_cells
from benchmarks.specimens import specimen
from benchmarks.timing import least_seconds
from electrode_grains.alignment import SliceTransforms, apply_transforms
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.ebsd.orientations import misorientation_angle
from electrode_grains.grains import (
    SegmentationSettings,
    adapted_rand_error,
    choose_settings,
    compare_statistics,
    flood_from_minima,
    place_interfaces,
    rank_suspects,
    score_labels,
    segment_grains,
    segment_grains_with_report,
)
from electrode_grains.grains.labelling import compact_labels, facing
from electrode_grains.morphometry import characterize_grains, summarize_particle

DEPTH, SPACING = 0.05, (50.0, 50.0, 50.0)
ROOT = Path(__file__).parents[1]
SWEEP_FIGURE = ROOT / "docs" / "images" / "indexing_sweep.png"
GRAINS = SegmentationSettings()
TRUTH = "01_raw/acquired_label_stack.ome.zarr"
COLUMNS = ("found / true", "F1", "F1 at .8", "ARE", "d", "s", "c", "S/V", "r(d, s)")
FLOOD: Mapping[str, Any] = {"place_sweeps": 0, "refine_steps": 0}
WRONG_SHARES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
STATISTICS = ("equivalent_diameter_nm", "sphericity", "convexity")


@dataclass(frozen=True)
class Case:
    """A virtual particle with what a network makes of it.

    The truth is as acquired (moved as the slices were) and as tessellated; annotations are
    those of the slices that the network has learnt from.
    """

    name: str
    probability: NDArray[np.float32]
    image_quality: NDArray[np.float32]
    orientations: NDArray[np.float32]
    annotation: NDArray[np.uint8]
    truth: NDArray[np.int32]
    tessellated: NDArray[np.int32]

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Voxels that have a source, shape (z, y, x)."""
        return np.isfinite(self.image_quality)


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


def finished_run(root: Path) -> Case:
    """The data folder of a run on a virtual particle."""

    def volume(name):
        return VolumeDataset(filepath=str(root / f"{name}.ome.zarr")).load().to_numpy()

    described = json.loads((root / "02_intermediate/slice_transforms.json").read_text())
    truth = apply_transforms(
        volume("01_raw/acquired_label_stack"), SliceTransforms.from_dict(described), order=0
    )
    return Case(
        root.name,
        volume("07_model_output/class_probability_volume"),
        volume("03_primary/image_quality_volume"),
        volume("03_primary/orientation_volume"),
        volume("03_primary/annotation_volume"),
        truth,
        volume("01_raw/true_grain_label_volume"),
    )


def prediction(path: Path, specimens: Path) -> Case:
    """A file NAME_SEED.npz or NAME_SEED_NETWORK.npz with boundary and background in 255ths."""
    particle = specimen(int(path.stem.split("_")[1]), specimens)
    boundary, background = np.load(path)["probability"].astype(np.float32) / 255
    interior = np.clip(1 - boundary - background, 0, 1)
    return Case(
        path.stem,
        np.stack([boundary, interior, background]),
        particle.image_quality,
        particle.orientations,
        particle.labels(),
        particle.grains,
        particle.tessellated,
    )


def read_case(path: Path) -> Case:
    return finished_run(path) if path.is_dir() else prediction(path, path.parent)


def misindexed(orientations, share: float, rng: np.random.Generator):
    """The same orientations with a share of the points replaced by random ones."""
    changed = orientations.copy()
    wrong = np.isfinite(orientations[0]) & (rng.random(orientations.shape[1:]) < share)
    noise = rng.normal(size=(4, int(wrong.sum())))
    changed[:4, wrong] = noise / np.linalg.norm(noise, axis=0)
    return changed


def segmented(case: Case, mode: str, chosen: tuple[float, float], **changed):
    """Grains as the pipeline would find them, up to settings to be changed."""
    settings = GRAINS.with_choice(*chosen).replace(merge_mode=mode, **changed)
    return segment_grains(
        case.probability, settings=settings, orientations=case.orientations, measured=case.measured
    )


def choose(case: Case):
    """Depth and boundary score as the pipeline chooses them, and the score's curve."""
    choice, _ = choose_settings(case.probability, case.annotation, GRAINS, measured=case.measured)
    return (choice.minima_depth, choice.merge_boundary), pd.DataFrame(choice.merge_boundary_curve)


def measured(labels, case: Case) -> dict[str, float]:
    """Scores against the truth as acquired; statistics against it and as tessellated."""
    scores = score_labels(labels, case.truth, SPACING)
    found = characterize_grains(labels, SPACING)
    area = summarize_particle(labels, SPACING)["specific_surface_area_per_um"]
    numbers = {
        "found": scores["matched"]["found"], "true": scores["matched"]["true"],
        "count": scores["count_error"], "F1": scores["matched"]["f1"],
        "F1 at .8": scores["f1_by_iou"]["0.8"], "ARE": scores["adapted_rand_error"],
    }  # fmt: skip
    for suffix, true in (("", case.truth), (" tessellated", case.tessellated)):
        errors = compare_statistics(found, characterize_grains(true, SPACING))
        for symbol, name in zip("dsc", STATISTICS, strict=True):
            numbers[symbol + suffix] = errors["mean"][name]["error"]
        true_area = summarize_particle(true, SPACING)["specific_surface_area_per_um"]
        numbers["S/V" + suffix] = area / true_area - 1
        pair = errors["correlation"]["equivalent_diameter_nm:sphericity"]
        numbers["r(d, s)" + suffix] = pair["error"]
    return numbers


def heading(first: str) -> None:
    print(f"\n| {first} | " + " | ".join(COLUMNS) + " |\n| :--- |" + " ---: |" * len(COLUMNS))


def cells(numbers: Mapping[str, float]) -> list[str]:
    """What `measured` found, as the cells of a row."""
    return [
        f"{numbers['found']:.0f} / {numbers['true']:.0f}",
        *(f"{numbers[key]:.3f}" for key in ("F1", "F1 at .8", "ARE")),
        *(
            f"{numbers[key]:+.3f} / {numbers[key + ' tessellated']:+.3f}"
            for key in ("d", "s", "c", "S/V", "r(d, s)")
        ),
    ]


def row(name: str, numbers: Mapping[str, float]) -> None:
    print(f"| {name} | " + " | ".join(cells(numbers)) + " |", flush=True)


def suspects_row(name: str, labels, case: Case) -> str:
    """How many grains without a match are among the first suspects; area under the curve."""
    ranked = rank_suspects(
        labels, case.probability[0], SPACING, case.orientations, least_suspicion=-1.0
    )
    shared = np.zeros((labels.max() + 1, case.truth.max() + 1))
    np.add.at(shared, (labels.ravel(), case.truth.ravel()), 1)
    union = shared.sum(1)[:, None] + shared.sum(0)[None] - shared
    wrong = (shared / np.maximum(union, 1))[1:, 1:].max(1) <= 0.5
    hits = wrong[ranked["label"].to_numpy() - 1]
    below = np.cumsum((~hits)[::-1])[::-1]  # right grains ranked below each
    curve = below[hits].mean() / (~hits).sum()
    cells = " | ".join(f"{hits[:k].sum()}" for k in (10, 20, 50, 100))
    return f"| {name} | {hits.sum()} / {len(hits)} | {cells} | {curve:.3f} |"


def compare_targets(cases: list[Path]) -> None:
    """Every particle and network with the settings of conf/base."""
    heading("particle, network; chosen depth, threshold")
    rows: dict[str, list[dict[str, float]]] = {}
    suspects = []
    for path in cases:
        case = read_case(path)
        chosen, _ = choose(case)
        for mode in ("iq", "combined"):
            labels = segmented(case, mode, chosen)
            numbers = measured(labels, case)
            suspects.append(suspects_row(f"{case.name}, `{mode}`", labels, case))
            rows.setdefault(mode, []).append(numbers)
            row(f"{case.name}, `{mode}`; {chosen[0]:g}, {chosen[1]:g}", numbers)
    for mode, all_numbers in rows.items():
        mean = {key: float(np.mean([one[key] for one in all_numbers])) for key in all_numbers[0]}
        row(f"mean, `{mode}`", mean)
    print("\n| wrong grains among the first k suspects | wrong / all | 10 | 20 | 50 | 100 | AUC |")
    print("| :--- |" + " ---: |" * 6, *suspects, sep="\n")


def without_network(case: Case, smoothing: float, depth: float):
    """Flood the dark of the image; the particle is where the smoothed image is bright."""
    bright = np.nan_to_num(case.image_quality)
    image = ndimage.gaussian_filter(bright, smoothing)
    dark = np.clip(1 - image / np.quantile(image, 0.99), 0, 1).astype(np.float32)
    outside = (ndimage.gaussian_filter(bright, 2) < threshold_otsu(bright)).astype(np.float32)
    probability = np.stack([dark, 1 - dark, outside])
    settings = GRAINS.replace(merge_mode="none", place_sweeps=0)
    return segment_grains(probability, depth, settings=settings)


def by_orientation_alone(orientations, particle, laue: str, minimum_voxels: int):
    """Neighbouring points less than 5 degrees apart are one grain; then all others join one."""
    points = np.moveaxis(orientations[:4], 0, -1).astype(np.float64)
    index = np.arange(particle.size).reshape(particle.shape)
    links = []
    for low, high in facing(3):
        both = particle[low] & particle[high] & np.isfinite(points[low][..., 0])
        near = misorientation_angle(points[low][both], points[high][both], laue) < np.radians(5)
        links.append(np.column_stack([index[low][both][near], index[high][both][near]]))
    first, second = np.concatenate(links).T
    graph = sparse.coo_matrix((np.ones(len(first)), (first, second)), shape=(particle.size,) * 2)
    _, group = sparse.csgraph.connected_components(graph, directed=False)
    large = np.bincount(group)[group] >= minimum_voxels
    seeds, _ = compact_labels(
        np.where(large.reshape(particle.shape), group.reshape(particle.shape) + 1, 0)
    )
    return watershed(np.zeros(particle.shape), seeds, mask=particle).astype(np.int32)


def from_distances(case: Case, chosen, depth: float):
    """Seeds are the middles of what the boundary leaves, by the distance to the boundary."""
    distance = ndimage.distance_transform_edt(case.probability[0] < 0.5)
    basins = flood_from_minima((-distance).astype(np.float32), depth)
    settings = GRAINS.with_choice(*chosen).replace(merge_mode="iq")
    return segment_grains_with_report(case.probability, settings=settings, basins=basins)[0]


def exactly_bounded(case: Case):
    """The case with a network that knows the boundary voxels of the truth, in space."""
    boundary = np.zeros(case.truth.shape, bool)
    for low, high in facing(3):
        apart = case.truth[low] != case.truth[high]
        boundary[low] |= apart
        boundary[high] |= apart
    outside = case.truth == 0
    classes = np.stack([boundary & ~outside, ~boundary & ~outside, outside])
    return replace(case, probability=classes.astype(np.float32))


def majority(labels):
    """Smooth interfaces: a voxel goes to the grain that holds most of its 27 neighbours."""
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
    return smooth


def compare_baselines(case: Case) -> None:
    """Thresholds compared without the truth, and what each part of the method is worth."""
    chosen, curve = choose(case)
    print(f"\n{case.name}: thresholds compared on annotated slices, depth {chosen[0]:g}\n")
    kept = ["merge_boundary", "grain_count", "boundary_f1", "interior_information"]
    print("| threshold | grains | boundary F1 | information, bits | F1 by the truth |")
    print("| ---: |" + " ---: |" * 4)
    for value, count, agreement, information in curve[kept].to_numpy():
        labels = segmented(case, "iq", (chosen[0], value), place_sweeps=0)
        true = score_labels(labels, case.truth)["matched"]["f1"]
        print(f"| {value:g} | {count:.0f} | {agreement:.4f} | {information:.4f} | {true:.3f} |")
    heading(case.name)
    for name, numbers in measured_parts(case, chosen):
        row(name, numbers)
    compare_random_walker(case, segmented(case, "iq", chosen, **FLOOD))


def measured_parts(
    case: Case, chosen: tuple[float, float]
) -> Iterator[tuple[str, dict[str, float]]]:
    """What is left of the scores on one particle where parts of the method are left out."""
    tried = [without_network(case, s, d) for s in (0.7, 1.0, 1.5) for d in (0.01, 0.03, 0.05, 0.1)]
    yield (
        "no network, best of 12 by the truth",
        max((measured(labels, case) for labels in tried), key=lambda one: one["F1"]),
    )
    particle = segmented(case, "iq", chosen) > 0
    yield (
        "points within 5 degrees are linked",
        measured(
            by_orientation_alone(case.orientations, particle, "-3m", GRAINS.minimum_voxels), case
        ),
    )
    score = {"merge_evidence": "score"}
    plain = {**score, "merge_quantile": None, "merge_size_weight": 0.0, "merge_slice_weight": 0.0}
    yield (
        "`none`, best of 4 depths by the truth",
        max(
            (
                measured(segmented(case, "none", (depth, 0.5), **FLOOD), case)
                for depth in (0.01, 0.02, 0.05, 0.1)
            ),
            key=lambda one: one["F1"],
        ),
    )
    exact = exactly_bounded(case)
    for name, labels in {
        "`iq`, mean of .6, plain flood": segmented(case, "iq", (chosen[0], 0.6), **plain, **FLOOD),
        "`iq`, plain flood": segmented(case, "iq", chosen, **FLOOD),
        "`iq`, majority of 27": majority(segmented(case, "iq", chosen, **FLOOD)),
        "`iq`, seeds by distance": from_distances(case, chosen, 0.7),
        "`iq`, score by a formula": segmented(case, "iq", chosen, **score),
        "`iq`": segmented(case, "iq", chosen),
        "`orientation`": segmented(case, "orientation", chosen),
        "`combined`, plain flood": segmented(case, "combined", chosen, **FLOOD),
        "`combined`, not placed": segmented(case, "combined", chosen, place_sweeps=0),
        "`combined`": segmented(case, "combined", chosen),
        "true boundaries, `iq`, plain flood": segmented(exact, "iq", chosen, **FLOOD),
    }.items():
        yield name, measured(labels, case)


def compare_random_walker(case: Case, labels) -> None:
    """A random walker decides the voxels beside interfaces, in a part of the window."""
    middle = tuple(
        slice(n // 2 - w, n // 2 + w) for n, w in zip(labels.shape, (10, 20, 20), strict=True)
    )
    part, truth, probability = (
        labels[middle],
        case.truth[middle],
        case.probability[(slice(None), *middle)],
    )
    inner = ndimage.minimum_filter(part, 3) == ndimage.maximum_filter(part, 3)
    seeds = np.where(part == 0, -1, np.where(inner, part, 0))
    for lost in np.setdiff1d(part, seeds):
        seeds[part == lost] = lost
    walked = random_walker(probability[0], seeds, beta=10, mode="cg_j")
    placed, _ = place_interfaces(part, probability, settings=GRAINS)
    print(f"\n| {case.name}, {part.shape} in the middle | ARE |\n| :--- | ---: |")
    for name, found in {
        "plain flood": part,
        "random walker": np.maximum(walked, 0),
        "placed": placed,
    }.items():
        print(f"| {name} | {adapted_rand_error(found.astype(np.int64), truth):.3f} |")


def sweep_indexing(case: Case, chosen: tuple[float, float]) -> list[dict[str, Any]]:
    """Scores by mode where a share of the points has random orientations; draws the figure."""
    alone = score_labels(segmented(case, "iq", chosen), case.truth)
    rows = []
    for share in WRONG_SHARES:
        wrong = misindexed(case.orientations, share, np.random.default_rng(5))
        scores = {
            mode: score_labels(
                segmented(replace(case, orientations=wrong), mode, chosen), case.truth
            )
            for mode in ("combined", "orientation")
        }
        rows.append({"share": share} | {
            mode: [one["matched"]["f1"], one["adapted_rand_error"]]
            for mode, one in {**scores, "iq": alone}.items()
        })  # fmt: skip
    figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
    for mode in ("combined", "orientation", "iq"):
        axes.plot(WRONG_SHARES, [row[mode][0] for row in rows], marker=".", label=mode)
    axes.set(xlabel="share of points indexed wrongly", ylabel="matched F1 (IoU > 0.5)")
    axes.legend()
    figure.savefig(SWEEP_FIGURE, dpi=150)
    return rows


def print_sweep(case: Case) -> None:
    print(f"\n| {case.name}: wrong points | combined | orientation | iq |")
    print("| ---: |" + " ---: |" * 3)
    for one in sweep_indexing(case, choose(case)[0]):
        texts = [f"{f1:.3f} / {error:.3f}" for f1, error in list(one.values())[1:]]
        print(f"| {one['share']:.1f} | " + " | ".join(texts) + " |")


def compare_with_linked_points(root: Path, minimum_voxels: int = 8) -> None:
    """A finished run on a real stack beside a segmentation that never saw the network."""

    def volume(name):
        return VolumeDataset(filepath=str(root / f"{name}.ome.zarr")).load()

    run = volume("07_model_output/grain_label_volume")
    orientations = volume("03_primary/orientation_volume").to_numpy()
    laue = json.loads((root / "02_intermediate/scan_index.json").read_text())["laue_group"]
    linked = by_orientation_alone(orientations, run.to_numpy() > 0, laue, minimum_voxels)
    print(f"\n| {root.name} | grains | not cut by the window | mean d / nm | of these |")
    print("| :--- |" + " ---: |" * 4)
    for name, labels in {"run": run.to_numpy(), "linked points": linked}.items():
        table = characterize_grains(labels, run.attrs["spacing_nm"], hulls=False)
        whole = table.loc[~table["touches_window"], "equivalent_diameter_nm"]
        mean = table["equivalent_diameter_nm"].mean()
        print(f"| {name} | {len(table)} | {len(whole)} | {mean:.0f} | {whole.mean():.0f} |")
    agreement = score_labels(run.to_numpy(), linked)
    print(f"\nF1 of one against the other {agreement['matched']['f1']:.3f}")


def main() -> None:
    if "--memory" in sys.argv:
        return print_memory()
    print("\n# Segmentation\n\n" + ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "numba", "scikit-image", "SimpleITK")
    ))  # fmt: skip
    paths = [Path(given) for given in sys.argv[1:] if not given.startswith("--")]
    if not paths:
        return compare_speed()
    real = [p for p in paths if p.is_dir() and not (p / TRUTH).exists()]
    for root in real:
        compare_with_linked_points(root)
    paths = [path for path in paths if path not in real]
    if not paths:
        return None
    compare_targets(paths)
    if "--targets" not in sys.argv:
        compare_baselines(read_case(paths[0]))
        print_sweep(read_case(paths[0]))
    return None


if __name__ == "__main__":
    main()
