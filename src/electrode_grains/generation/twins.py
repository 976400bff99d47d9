"""Twin lamellae within virtual grains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.ebsd.orientations import Quaternions, conjugate, multiply, turn
from electrode_grains.ebsd.pseudo_cube import variants
from electrode_grains.errors import SettingsError
from electrode_grains.generation.orientations import C_AXIS
from electrode_grains.generation.particles import Labels, VirtualParticle, described
from electrode_grains.morphometry import measure_particle

THICKNESS = 0.3  # of a lamella, of the equivalent diameter of its grain
LEAST_STEPS = 2.0  # of the longest voxel edge, below which a lamella has holes
LEAST_GRAIN = 200  # voxels of a grain that may be twinned
LEAST_PIECE = 20  # voxels of a piece that a lamella, void or crack leaves beside a larger one
SIGMA_3 = np.radians(60.0)


def twin_laws(laue: str) -> tuple[Quaternions, NDArray[np.float64]]:
    """How twins are turned against their grain, and on which plane they meet it.

    Parameters
    ----------
    laue : str
        -3m: the other lattices of the pseudo-cube of layered oxides, whose c axes lie 70.5
        degrees from that of the grain; the plane mirrors one axis into the other. m-3m: 60
        degrees about <111>, on {111} (Sigma 3).

    Returns
    -------
    turns : ndarray of float64, shape (k, 4)
        From the crystal axes of the grain to those of the twin.
    normals : ndarray of float64, shape (k, 3)
        Unit vectors in the crystal axes of the grain.

    Raises
    ------
    SettingsError
        For another Laue group.
    """
    if laue == "-3m":
        turns = variants()[1:]
        own = np.array(C_AXIS)
        other = turn(C_AXIS, conjugate(turns))
        other = other * np.sign(other @ own)[:, None]
        normals = own - other
    elif laue == "m-3m":
        normals = np.array([[1.0, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])
        half = SIGMA_3 / 2
        axes = normals / 3**0.5
        turns = np.column_stack([np.full(4, np.cos(half)), np.sin(half) * axes])
    else:
        raise SettingsError(
            "no twin law is known for this Laue group",
            where="scenarios.table, twin_share",
            found=laue,
            expected="-3m or m-3m",
            remedy="leave twin_share at 0",
        )
    return turns, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def with_twins(
    particle: VirtualParticle,
    spacing: tuple[float, float, float],
    share: float,
    laue: str,
    rng: np.random.Generator,
) -> VirtualParticle:
    """Put a twin lamella through the middle of a share of the grains.

    Parameters
    ----------
    particle : VirtualParticle
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    share : float
        Of the grains with 200 voxels or more.
    laue : str
        Laue group, which has the twin law, see `twin_laws`.
    rng : Generator

    Returns
    -------
    VirtualParticle
        Measured anew: a lamella is a grain of its own, and so are both sides of it. Its
        thickness is three tenths of the grain's diameter, or two voxels where that is more.
    """
    turns, normals = twin_laws(laue)
    grains = particle.grains.set_index("label")
    large = grains.index[grains["voxel_count"] >= LEAST_GRAIN].to_numpy()
    chosen = np.sort(rng.choice(large, round(share * len(large)), replace=False))
    labels = particle.labels.copy()
    lattice = grains[[f"quaternion_{part}" for part in "wxyz"]].to_numpy()
    of_label = np.zeros((int(labels.max()) + 1, 4))
    of_label[grains.index] = lattice
    orientations = list(of_label)
    boxes = ndimage.find_objects(particle.labels)
    least = LEAST_STEPS * max(spacing)
    for label in chosen.tolist():
        law = int(rng.integers(len(turns)))
        normal = turn(normals[law], conjugate(of_label[label]))  # in the frame of the map
        grain = grains.loc[label]
        center = grain[[f"centroid_{axis}_nm" for axis in "zyx"]].to_numpy(float)
        thickness = max(THICKNESS * grain["equivalent_diameter_nm"], least)
        pieces = _cut(labels, label, boxes[label - 1], spacing, center, normal[::-1], thickness)
        twin = multiply(turns[law], of_label[label])
        # The first piece keeps the label; the lamella is the last one.
        orientations += [of_label[label]] * (pieces - 2) + [twin] * (pieces > 1)
    measured = measure_particle(labels, spacing)
    known = np.array(orientations)[measured.grains["label"].to_numpy()]
    return described(labels, measured, known, laue)


def _cut(
    labels: Labels,
    label: int,
    box: tuple[slice, ...],
    spacing: Sequence[float],
    center: NDArray[np.float64],
    normal: NDArray[np.float64],
    thickness: float,
) -> int:
    """Number the pieces of a grain and its lamella, in place; return how many there are.

    Vectors are (z, y, x). A grain of which nothing would be left beside the lamella stays.
    """
    own = labels[box] == label
    grid = np.indices(own.shape).reshape(3, -1).T + [part.start for part in box]
    height = (grid * np.asarray(spacing) - center) @ normal
    within = own & (np.abs(height).reshape(own.shape) < thickness / 2)
    parts, count = ndimage.label(own & ~within)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sides = [part for part in range(1, count + 1) if sizes[part] >= LEAST_PIECE]
    if not sides or not within.any():
        return 1
    lamella = own & ~np.isin(parts, sides)  # chips belong to it
    if (ndimage.label(lamella)[1]) != 1:
        return 1
    highest = int(labels.max())
    for number, part in enumerate(sides[1:], start=1):
        labels[box][parts == part] = highest + number
    labels[box][lamella] = highest + len(sides)
    return len(sides) + 1
