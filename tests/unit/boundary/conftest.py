from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class VoronoiPhantom:
    contrast: NDArray[np.float32]  # (z, y, x), noisy
    classes: NDArray[np.uint8]  # (z, y, x), 1 boundary, 2 interior, 3 background
    annotation: NDArray[np.uint8]  # the same on a few slices only


def make_phantom(shape, *, annotated_slices, grains, noise, seed):
    """A ball of Voronoi grains of various brightness with dark boundaries, noisy."""
    rng = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    seeds = rng.uniform(0, 1, (grains, 3)) * shape
    distance, nearest = cKDTree(seeds).query(points, k=2)
    middle = np.array(shape) / 2
    inside = np.linalg.norm((points - middle) / middle, axis=-1) < 1.05
    apart = np.linalg.norm(seeds[nearest[..., 0]] - seeds[nearest[..., 1]], axis=-1)
    to_bisector = (distance[..., 1] ** 2 - distance[..., 0] ** 2) / (2 * apart)
    boundary = inside & (to_bisector < 0.9)
    classes = np.where(boundary, 1, np.where(inside, 2, 3)).astype(np.uint8)
    brightness = rng.normal(0.0, 0.35, grains)[nearest[..., 0]]
    clean = np.where(classes == 1, brightness - 1.0, brightness + 0.5)
    clean = np.where(classes == 3, -1.2, clean)
    contrast = (clean + noise * rng.normal(size=shape)).astype(np.float32)
    annotation = np.zeros_like(classes)
    annotation[list(annotated_slices)] = classes[list(annotated_slices)]
    return VoronoiPhantom(contrast, classes, annotation)


@pytest.fixture(scope="session")
def phantom():
    return make_phantom((24, 48, 48), annotated_slices=(6, 12, 18), grains=60, noise=0.5, seed=11)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
