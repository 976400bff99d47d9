"""The order of slices along milling: z of the map, positions and orientations stay together."""

import numpy as np
import pytest
import xarray as xr

from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.ebsd import FRAME_PRESETS, OrientationField, ScanIndex, StackSettings
from electrode_grains.ebsd.frames import FrameChoice
from electrode_grains.ebsd.orientations import (
    euler_from_quaternions,
    multiply,
    radial_orientations,
)
from electrode_grains.ebsd.scan import stack_scans
from electrode_grains.errors import SettingsError
from electrode_grains.pipelines.preprocessing.nodes import read_stack

COUNT, SIDE, STEP = 7, 9, 50.0


def places():
    """Points (x, y, z) of the map around the middle, shape (z, y, x, 3)."""
    z, y, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in (COUNT, SIDE, SIDE)), indexing="ij")
    return np.stack([x, y, z], axis=-1)


def written(folder, numbers, frames="edax_2"):
    """Slices as files: c of each point along its radius, numbered as given along milling."""
    radii = places().reshape(-1, 3)
    rng = np.random.default_rng(5)
    lattice = radial_orientations(np.where(radii == 0, 1e-6, radii), 1.0, rng)
    euler = euler_from_quaternions(lattice).reshape(COUNT, SIDE, SIDE, 3)
    quality = rng.uniform(100, 900, (COUNT, SIDE, SIDE)).round(1)
    scans = {}
    for z, number in enumerate(numbers):
        scans[f"S{number:02d}"] = xr.Dataset(
            {
                "image_quality": (("y", "x"), quality[z]),
                "confidence_index": (("y", "x"), np.full((SIDE, SIDE), 0.5)),
                "euler_angles": (("y", "x", "angle"), euler[z]),
                "phase": (("y", "x"), np.zeros((SIDE, SIDE), int)),
            },
            attrs={
                "step_nm": (STEP, STEP),
                "file_frames": frames,
                "phases": ({"id": 0, "material_name": "NMC", "symmetry": "32"},),
            },
        )
    dataset = ScanFolderDataset(path=str(folder))
    dataset.save(scans)
    return dataset, quality


def angle_to_radius(orientations):
    axes = OrientationField.from_channels(orientations.to_numpy()).directions((0.0, 0.0, 1.0))
    radius = places()
    length = np.linalg.norm(radius, axis=-1)
    cosine = np.abs((axes * radius).sum(axis=-1)) / np.where(length > 0, length, 1)
    return np.degrees(np.arccos(np.clip(cosine, 0, 1)))[length > 0]


@pytest.mark.parametrize("order", ["rising", "falling"])
@pytest.mark.parametrize("frames", FRAME_PRESETS)
def test_numbers_in_either_order_give_one_volume(tmp_path, order, frames):
    numbers = np.arange(1, COUNT + 1)[:: 1 if order == "rising" else -1]
    dataset, quality = written(tmp_path / "scans", numbers, frames)
    settings = StackSettings(slice_order=order, frames=frames, slice_spacing_nm=STEP)
    stack, orientations, index = read_stack(dataset.load(), settings)
    np.testing.assert_allclose(stack.to_numpy(), quality, atol=0.06)
    assert angle_to_radius(orientations).max() < 0.2  # digits of the files
    assert index.slice_order == order
    assert index.slices[0] == f"S{numbers[0]:02d}"
    assert index.describe_frames().endswith(f"slice numbers {order} along milling")
    assert ScanIndex.from_dict(index.to_dict()) == index


def test_the_wrong_order_mirrors_places_and_not_lattices(tmp_path):
    dataset, quality = written(tmp_path / "scans", np.arange(COUNT, 0, -1))
    stack, orientations, _ = read_stack(dataset.load(), StackSettings(slice_spacing_nm=STEP))
    np.testing.assert_allclose(stack.to_numpy(), quality[::-1], atol=0.06)
    x, y, z = places().reshape(-1, 3).T
    square = x**2 + y**2 + z**2
    expected = np.degrees(np.arccos(np.abs(x**2 + y**2 - z**2)[square > 0] / square[square > 0]))
    np.testing.assert_allclose(angle_to_radius(orientations), expected, atol=0.3)


def test_a_turn_over_differs_from_a_wrong_order():
    """Half a turn of the whole about x keeps c along the radius; a mirror image does not."""
    radii = places().reshape(-1, 3)
    radii = radii[(radii != 0).any(axis=1)]
    lattice = radial_orientations(radii, 1.0, np.random.default_rng(5))
    over = OrientationField(multiply(lattice, [0, -1, 0, 0]))  # g' = g R^-1
    axes = over.directions((0.0, 0.0, 1.0))
    turned = radii * [1, -1, -1]
    cosine = np.abs((axes * turned).sum(axis=1)) / np.linalg.norm(radii, axis=1)
    assert cosine == pytest.approx(1)


def layers(frames):
    rng = np.random.default_rng(2)
    return [
        xr.Dataset(
            {"image_quality": (("y", "x"), rng.uniform(1, 9, (4, 5)))},
            attrs={"step_nm": (STEP, STEP), "slice_spacing_nm": STEP,
                   "frames": FrameChoice.of("dream3d", frames, None)},
        )
        for _ in range(3)
    ]  # fmt: skip


def test_layers_of_a_volume_in_one_frame_are_not_mirrored():
    with pytest.raises(SettingsError, match="mirror image") as refusal:
        stack_scans(layers(None), falling=True)
    assert "preprocessing.stack.slice_order" in str(refusal.value)
    assert stack_scans(layers(None)).attrs["slice_order"] == "rising"
    # Layers that are maps of a maker's frame, as those of .ctf volumes, are slices as any.
    turned = stack_scans(layers("oxford"), falling=True)
    assert turned.attrs["slice_order"] == "falling"
