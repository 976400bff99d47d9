"""Measure orientations through the frames of makers, and c axes through flips of the indexer.

`python -m benchmarks.crystals [frames | flips]`. Frames: virtual slices are written as each preset
has them, read, aligned and measured. Flips: three particles that no setting was chosen by, the
boundaries of which are known but for noise, so that only orientations can tear their grains.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.specimens import united_grains
from electrode_grains.alignment import (
    AlignmentSettings,
    LatticeField,
    SliceTransforms,
    rigid_matrix,
    turned_steps,
)
from electrode_grains.alignment.lattice import lattice_turn
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.ebsd import (
    FRAME_PRESETS,
    OrientationField,
    StackSettings,
    frame_verdict,
    laue_group,
)
from electrode_grains.ebsd.frames import FramePreset
from electrode_grains.ebsd.orientations import (
    euler_from_quaternions,
    multiply,
    quaternions_from_euler,
)
from electrode_grains.grains import SegmentationSettings, score_labels, segment_grains_with_report
from electrode_grains.grains.labelling import compact_labels, touching_other_grains
from electrode_grains.grains.pseudo_symmetry import vote_on_variants
from electrode_grains.morphometry.orientations import describe_orientations
from electrode_grains.phantom import VirtualParticle, acquire
from electrode_grains.phantom.settings import AcquisitionSettings, ParticleSettings, ScanSettings
from electrode_grains.pipelines.acquisition.nodes import grow_particle, scan_particle
from electrode_grains.pipelines.preprocessing.nodes import (
    align_orientations,
    read_stack,
    register_slices,
)

SPACING = (50.0, 50.0, 50.0)
FRAME_SHAPE, FLIP_SHAPE = (16, 64, 64), (40, 72, 72)
TURNED_SLICE = 8
UNSEEN = (70, 71, 72)
SHARES = (0.0, 0.2, 0.4, 0.6)
NEAR = np.radians(5.0)
ONE_LATTICE = 0.9  # of the points of a grain that holds no twin


def turn_slice(scan: xr.Dataset, degrees: float) -> xr.Dataset:
    """Turn a scan by hand about its middle: what was at p lies at R p, its lattice too."""
    rows, columns = scan["image_quality"].shape
    turn = np.radians(degrees)
    back = np.linalg.inv(rigid_matrix(0, 0, turn, ((columns - 1) / 2, (rows - 1) / 2)))
    y, x = np.indices((rows, columns))
    source = np.stack([
        back[1, 0] * x + back[1, 1] * y + back[1, 2],
        back[0, 0] * x + back[0, 1] * y + back[0, 2],
    ])  # fmt: skip
    quality = ndimage.map_coordinates(scan["image_quality"], source, order=1, mode="nearest")
    last = np.array([rows - 1, columns - 1])[:, None, None]
    near = tuple(np.clip(np.rint(source).astype(int), 0, last))
    lattice = quaternions_from_euler(scan["euler_angles"].to_numpy().astype(float)[near])
    turned = multiply(lattice, [np.cos(turn / 2), 0, 0, -np.sin(turn / 2)])
    return scan.assign(
        image_quality=(("y", "x"), quality),
        euler_angles=(("y", "x", "angle"), euler_from_quaternions(turned)),
        confidence_index=(("y", "x"), scan["confidence_index"].to_numpy()[near]),
    )


def aligned(
    scans: Mapping[str, xr.Dataset], read_as: FramePreset
) -> tuple[SliceTransforms, xr.DataArray, str]:
    """Transforms and aligned orientations of scans that went through files; the quick verdict."""
    with TemporaryDirectory() as folder:
        dataset = ScanFolderDataset(path=str(Path(folder) / "scans"))
        dataset.save(dict(scans))
        quality, orientations, index = read_stack(
            dataset.load(), StackSettings(frames=read_as, slice_spacing_nm=SPACING[0])
        )
    lattice = LatticeField.of_channels(orientations.to_numpy(), laue_group("-3m"))
    assert lattice is not None
    assert index.frames is not None
    turns = turned_steps(quality.to_numpy(), lattice)
    verdict = frame_verdict(index.frames, turns.votes, turns.clear_difference, turns.largest_turn)
    settings = AlignmentSettings(mode="rigid_body")
    transforms = register_slices(quality, orientations, index, settings)
    return transforms, align_orientations(orientations, transforms), verdict


def radial_angle(truth: VirtualParticle, orientations: xr.DataArray) -> float:
    """Mean angle of c axis and radius in degrees, of a particle whose axes are radial."""
    labels = np.where(truth.labels <= truth.main_grain_count, truth.labels, 0)
    names = np.unique(labels[labels > 0])
    names = names[np.bincount(labels.ravel())[names] > 100]
    inside = np.argwhere(labels > 0)[:, ::-1] * SPACING[::-1]
    radius = truth.centroids[names] - inside.mean(axis=0)
    radius /= np.linalg.norm(radius, axis=1, keepdims=True)
    kept = np.where(np.isin(labels, names), labels, 0)
    described = describe_orientations(kept, names, orientations.to_numpy(), "-3m", radius)
    return float(np.degrees(np.nanmean(described["c_axis_radial_angle"])))


def residual_turn(orientations: xr.DataArray) -> float:
    """Largest misorientation in degrees of the turned slice and the one before, aligned."""
    lattice = LatticeField.of_channels(orientations.to_numpy(), laue_group("-3m"))
    assert lattice is not None
    turn = lattice_turn(lattice, TURNED_SLICE - 1, TURNED_SLICE, np.eye(3))
    return float("nan") if turn is None else float(np.degrees(np.linalg.norm(turn.turn)))


CELLS = {"mean_diameter_nm": 500.0, "diameter_shape_nm": 4500.0}


def measure_frames() -> None:
    truth = grow_particle(
        ParticleSettings(shape=FRAME_SHAPE, joined_cells=CELLS,
                         radial_texture=1.0, seed=3)
    )[0]  # fmt: skip
    print("preset, read as it | c-axis/radius | left of 1, 2, 3 degrees | rotation rms | verdict")
    for preset in FRAME_PRESETS:
        settings = ScanSettings(annotated_slices=(), frames=preset, flipped_share=0.0, seed=4)
        moved, motions = (
            scan_particle(truth, settings.replace(rotation_degrees=1.0))[k] for k in (0, 3)
        )
        transforms, orientations, verdict = aligned(moved, preset)
        angle = radial_angle(truth, orientations)
        true = np.asarray(motions["matrices"])
        off = transforms.rotation - np.arctan2(true[:, 1, 0], true[:, 0, 0])
        straight = dict(scan_particle(truth, settings.replace(rotation_degrees=0.0))[0])
        left = []
        for degrees in (1.0, 2.0, 3.0):
            name = list(straight)[TURNED_SLICE]
            turned = {**straight, name: turn_slice(straight[name], degrees)}
            left.append(residual_turn(aligned(turned, preset)[1]))
        numbers = ", ".join(f"{value:.3f}" for value in left)
        rms = np.degrees(off.std())
        print(f"{preset:8s} | {angle:.2f} | {numbers} | {rms:.3f} | {verdict}", flush=True)
    wrong: FramePreset = "same"
    scans = scan_particle(truth, ScanSettings(annotated_slices=(), rotation_degrees=1.0, seed=4,
                                              flipped_share=0.0))[0]  # fmt: skip
    _, orientations, verdict = aligned(scans, wrong)
    print(f"edax_2 read as same | {radial_angle(truth, orientations):.2f} | {verdict}")


def boundaries(labels: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.float64]:
    """Class probabilities of a network that knows the boundaries, but for noise."""
    edge = ndimage.gaussian_filter(touching_other_grains(labels).astype(float), 0.7)
    noise = 0.1 * ndimage.gaussian_filter(rng.standard_normal(labels.shape), 1) / 0.2
    boundary = np.clip(0.1 + 0.8 * edge + noise, 0.02, 0.95) * (labels > 0)
    background = np.where(labels > 0, 0.0, 0.95)
    return np.stack([boundary, 1 - boundary - background, background])


def right_axes(
    labels: NDArray[np.int32], true: OrientationField, found: OrientationField
) -> NDArray[np.bool_]:
    """Whether the c axis of each grain 1 to n is the true one within five degrees."""
    axes = [field.directions([0.0, 0.0, 1.0]) for field in (true, found)]
    cosine = np.abs((axes[0] * axes[1]).sum(axis=-1))
    near = np.isfinite(cosine) & (cosine > np.cos(NEAR)) & (labels > 0)
    known = np.isfinite(cosine) & (labels > 0)
    count = labels.max() + 1
    right, total = (np.bincount(labels[each], minlength=count)[1:] for each in (near, known))
    return right > 0.5 * total


def lattice_share(labels: NDArray[np.int32], true: OrientationField) -> NDArray[np.float64]:
    """Largest part of each grain 1 to n whose true c axis is one and the same within 20 degrees.

    `true` holds the lattice of the true grain at each point. Less than 1 where two true grains,
    such as twins, were taken for one: no c axis is right.
    """
    axes = true.directions([0.0, 0.0, 1.0])
    shares = np.ones(int(labels.max()))
    for grain in range(len(shares)):
        own = axes[labels == grain + 1]
        own = own[np.isfinite(own).all(axis=1)]
        some = own[:: max(1, len(own) // 200)]
        if len(some):
            shares[grain] = (np.abs(some @ own.T) > np.cos(np.radians(20.0))).mean(axis=1).max()
    return shares


def measure_flips(patch: float, share: float) -> dict[str, float]:
    """Means over the particles for a share of flipped points, in patches of some pixels or single.

    Nothing moves between the slices, so that alignment has no part in it.
    """
    scan = AcquisitionSettings(
        annotated_slices=(), drift_px=0.0, rotation_degrees=0.0, jump_px=0.0,
        flipped_share=share, patch_px=patch,
    )  # fmt: skip
    rows = [_flipped(seed, scan) for seed in UNSEEN]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _flipped(seed: int, scan: AcquisitionSettings) -> dict[str, float]:
    settings = SegmentationSettings(minima_depth=0.005, merge_boundary=0.475)
    truth = grow_particle(ParticleSettings(shape=FLIP_SHAPE, seed=seed))[0]
    seen, plain = (
        acquire(truth, np.random.default_rng(seed), each)
        for each in (scan, scan.replace(flipped_share=0.0))
    )
    field, true = (
        OrientationField.from_euler(each.euler_angles, each.confidence_index)
        for each in (seen, plain)
    )
    main = np.where(seen.label_stack <= truth.main_grain_count, seen.label_stack, 0)
    acquired = compact_labels(main)[0]
    probability = boundaries(seen.label_stack, np.random.default_rng(seed))
    joined = united_grains(truth)[main]
    found, scores = {}, {}
    for choice in ("auto", "on", "off"):
        labels, report = segment_grains_with_report(
            probability, settings=settings.replace(pseudo_symmetry=choice), orientations=field
        )
        found[choice] = labels, report.pseudo_symmetry
        scores[choice] = score_labels(labels, acquired, SPACING)["matched"]["f1"]
    labels, used = found["auto"]
    by_lattice = score_labels(found["on"][0], joined, SPACING)["matched"]["f1"]
    decided = np.ones(labels.max(), bool)
    corrected = field
    if used:
        corrected, vote = vote_on_variants(labels, field)
        decided = vote["decided"]
    right = right_axes(labels, true, corrected.where(field.confidence > 0.2))
    lattices = OrientationField(truth.orientations[seen.label_stack])
    whole = lattice_share(labels, lattices) > ONE_LATTICE
    return {
        "grains": float(labels.max()), "F1 auto": scores["auto"], "F1 on": scores["on"],
        "F1 off": scores["off"], "F1 on, twins united": by_lattice,
        "decided": float(decided.mean()), "right of these": float(right[decided].mean()),
        "of one lattice": float(whole[decided].mean()),
        "right of those": float(right[decided & whole].mean()),
        "right of all": float(right.mean()),
    }  # fmt: skip


if __name__ == "__main__":
    parts = sys.argv[1:] or ["frames", "flips"]
    if "frames" in parts:
        measure_frames()
    if "flips" in parts:
        for patch in (0.0, 3.0):
            for share in SHARES:
                numbers = measure_flips(patch, share)
                told = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
                print(f"patches of {patch:g} px, {share:g} flipped: {told}", flush=True)
