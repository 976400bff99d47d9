"""Place interfaces where the slices drawn from the grains are most probable."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.classes import BOUNDARY_CHANNEL, INTERIOR_CHANNEL
from electrode_grains.compiling import njit
from electrode_grains.errors import InputError
from electrode_grains.grains.labelling import Labels, check_same_shape, compact_labels
from electrode_grains.grains.settings import SegmentationSettings

COLOURS = 5  # voxels of equal (x + 2 y + z) mod 5 do not see each other
LEAST_PROBABILITY = 1e-3  # so that no single voxel decides
TOLERANCE = 1e-6  # in nats, so that rounding moves no voxel to and fro


def place_interfaces(
    labels: NDArray[Any],
    class_probability: NDArray[np.floating],
    *,
    settings: SegmentationSettings,
    fixed: NDArray[np.bool_] | None = None,
) -> tuple[Labels, int]:
    r"""Move interfaces to where the boundaries they draw in the slices are most probable.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Grains, any ids; voxels of 0 stay 0 and grains do not grow into them.
    class_probability : ndarray of float, shape (3, z, y, x)
        Probability of boundary, interior, background.
    settings : SegmentationSettings
        `interface_cost` :math:`w`, `slice_interface_cost` :math:`w_z`; `place_sweeps`, after
        which it ends at the latest: it ends before where no voxel moves.
    fixed : ndarray of bool, shape (z, y, x), optional
        Voxels that stay where they are, such as those whose orientation is reliable.

    Returns
    -------
    placed : ndarray of int32, shape (z, y, x)
        Grains from 1 in the order of their first voxel. A grain may fall into pieces.
    moved : int
        Voxels whose grain is another than before.

    Raises
    ------
    InputError
        If shapes do not fit.

    Notes
    -----
    Iterated conditional modes on a Potts energy. An annotator draws a boundary of two
    voxels: both that touch another label within the slice. So labels L imply a class
    :math:`k_L(x)` of every voxel, and the network gives its probability. Voxels beside an
    interface go to the neighbour that lowers

    .. math:: -\sum_x \log p_{k_L(x)}(x) + w\, |F| + w_z\, |F_z|,

    if any does, with the faces :math:`F` between two grains within slices and :math:`F_z` between
    slices: the latter are rough by uneven depths and shifts. A flood, which sees neither where a
    line ends nor how thick it is, cuts the corners and tips of grains: it makes them too round.
    Voxels are updated in five colours (a checkerboard for this neighbourhood): no voxel touches
    what another of its colour is judged by, so that the result depends on no order within a colour.

    References
    ----------
    .. [1] J. Besag, "On the statistical analysis of dirty pictures", J. R. Stat. Soc. B 48
       (1986) 259.

    Examples
    --------
    >>> drawn = np.array([[[0, 0, 1, 1, 0, 0]] * 3], float)
    >>> probability = np.stack([drawn, 1 - drawn, np.zeros(drawn.shape)])
    >>> flood = np.array([[[4, 4, 4, 4, 9, 9]] * 3])
    >>> place_interfaces(flood, probability, settings=SegmentationSettings())[0][0, 1].tolist()
    [1, 1, 1, 2, 2, 2]
    """
    before, _ = compact_labels(labels)
    if np.shape(class_probability) != (3, *before.shape):
        raise InputError(
            "labels and class probabilities do not fit each other",
            found=f"{before.shape} and {np.shape(class_probability)}",
            expected="(z, y, x) and (3, z, y, x)",
        )
    pair = np.asarray(class_probability, np.float32)[[BOUNDARY_CHANNEL, INTERIOR_CHANNEL]]
    placed = before.copy()
    stay = np.zeros(before.shape, bool) if fixed is None else np.asarray(fixed, bool)
    check_same_shape("labels", before, "fixed voxels", stay)
    sweep(placed, pair, settings, stay)
    return compact_labels(placed)[0], int((placed != before).sum())


def sweep(
    labels: Labels,
    probability: NDArray[np.float32],
    settings: SegmentationSettings,
    stay: NDArray[np.bool_],
    shift: int = 0,
) -> None:
    """Update all voxels until none moves, at most `place_sweeps` times; in place.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
    probability : ndarray of float32, shape (2, z, y, x)
        Of boundary and of interior.
    settings : SegmentationSettings
    stay : ndarray of bool, shape (z, y, x)
    shift : int
        x + 2 y + z of the first voxel, where the labels are a block of a volume.
    """
    cost = -np.log(np.clip(probability, LEAST_PROBABILITY, 1))
    across, within = settings.slice_interface_cost, settings.interface_cost
    face_costs = np.array([across] * 2 + [within] * 4)
    for _ in range(settings.place_sweeps):
        moved = [
            _sweep_colour(labels, cost, face_costs, (colour - shift) % COLOURS, stay)
            for colour in range(COLOURS)
        ]
        if sum(moved) == 0:
            break


@njit(cache=True)
def _drawn(labels, cost, z, y, x):  # type: ignore[no-untyped-def]
    """Cost of the class that the labels imply for a voxel; nothing outside grains."""
    own = labels[z, y, x]
    if own == 0:
        return 0.0
    boundary = (
        (y > 0 and labels[z, y - 1, x] != own)
        or (y + 1 < labels.shape[1] and labels[z, y + 1, x] != own)
        or (x > 0 and labels[z, y, x - 1] != own)
        or (x + 1 < labels.shape[2] and labels[z, y, x + 1] != own)
    )
    return cost[0 if boundary else 1, z, y, x]


@njit(cache=True)
def _neighbours(labels, z, y, x, near):  # type: ignore[no-untyped-def]
    """Labels behind the faces of a voxel, -1 beyond the window."""
    near[0] = labels[z - 1, y, x] if z > 0 else -1
    near[1] = labels[z + 1, y, x] if z + 1 < labels.shape[0] else -1
    near[2] = labels[z, y - 1, x] if y > 0 else -1
    near[3] = labels[z, y + 1, x] if y + 1 < labels.shape[1] else -1
    near[4] = labels[z, y, x - 1] if x > 0 else -1
    near[5] = labels[z, y, x + 1] if x + 1 < labels.shape[2] else -1


@njit(cache=True)
def _energy(labels, cost, near, face_costs, z, y, x):  # type: ignore[no-untyped-def]
    """All of the energy that depends on the label of one voxel."""
    own = labels[z, y, x]
    energy = _drawn(labels, cost, z, y, x)
    for face in range(6):
        if near[face] > 0 and near[face] != own:
            energy += face_costs[face]
    if near[2] >= 0:
        energy += _drawn(labels, cost, z, y - 1, x)
    if near[3] >= 0:
        energy += _drawn(labels, cost, z, y + 1, x)
    if near[4] >= 0:
        energy += _drawn(labels, cost, z, y, x - 1)
    if near[5] >= 0:
        energy += _drawn(labels, cost, z, y, x + 1)
    return energy


@njit(cache=True, nogil=True)
def _sweep_colour(labels, cost, face_costs, colour, stay):  # type: ignore[no-untyped-def]
    """Update the voxels of one colour in place; returns how many changed their grain."""
    depth, rows, columns = labels.shape
    near = np.empty(6, np.int32)
    moved = 0
    for z in range(depth):
        for y in range(rows):
            for x in range((colour - 2 * y - z) % COLOURS, columns, COLOURS):
                own = labels[z, y, x]
                if own == 0 or stay[z, y, x]:
                    continue
                _neighbours(labels, z, y, x, near)
                best, least = own, np.inf
                for face in range(6):
                    if near[face] <= 0 or near[face] == own:
                        continue
                    if least == np.inf:
                        least = _energy(labels, cost, near, face_costs, z, y, x) - TOLERANCE
                    labels[z, y, x] = near[face]
                    energy = _energy(labels, cost, near, face_costs, z, y, x)
                    labels[z, y, x] = own
                    if energy < least:
                        best, least = near[face], energy
                labels[z, y, x] = best
                moved += best != own
    return moved
