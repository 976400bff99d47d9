"""The pass over a block, where its arrays are just full, begin to grow, or are kept in pieces."""

import numpy as np
import pytest

from electrode_grains.morphometry import scanning
from electrode_grains.morphometry.scanning import scan_block

FIRST_ROOM = 64  # labels, label 0 among them, before the arrays grow for the first time


def scattered(count, seed=0):
    """Volume of some grains of one voxel and more, anywhere in the volume."""
    rng = np.random.default_rng(seed)
    names = rng.choice(10**6, count, replace=False) + 1
    voxels = np.concatenate([names, rng.choice(names, count)])
    shape = (3, 5, -(-2 * count // 15) + 2)
    volume = np.zeros(np.prod(shape), np.uint32)
    volume[rng.permutation(volume.size)[: voxels.size]] = voxels
    return volume.reshape(shape)


def scanned(volume, with_corners=True):
    shape = volume.shape
    own = (0, shape[0], 0, shape[1], 0, shape[2])
    return scan_block(volume, own, (0, 0, 0), shape, with_corners)


@pytest.mark.parametrize("count", [1, FIRST_ROOM - 2, FIRST_ROOM - 1, FIRST_ROOM, 95, 96, 143, 200])
def test_moments_and_boxes_of_any_number_of_grains_are_those_of_their_voxels(count):
    volume = scattered(count)
    found = scanned(volume)

    ordered = [0, *dict.fromkeys(volume[volume > 0].tolist())]
    assert found.labels.tolist() == ordered
    for rank, label in enumerate(ordered[1:], 1):
        places = np.argwhere(volume == label)
        z, y, x = places.T
        assert found.sums[rank, :4].tolist() == [len(places), z.sum(), y.sum(), x.sum()]
        assert found.sums[rank, 4:].tolist() == [
            (z * z).sum(), (z * y).sum(), (z * x).sum(), (y * y).sum(), (y * x).sum(), (x * x).sum()
        ]  # fmt: skip
        assert found.lower[rank].tolist() == places.min(axis=0).tolist()
        assert found.upper[rank].tolist() == (places.max(axis=0) + 1).tolist()


@pytest.mark.parametrize("piece", [1, 7, 50])
@pytest.mark.parametrize("each", [1, 4, 100])
def test_corners_of_flat_hulls_do_not_depend_on_the_pieces_they_are_kept_in(
    monkeypatch, piece, each
):
    volume = scattered(120)
    whole = scanned(volume)
    assert len(whole.corners) <= 2

    monkeypatch.setattr(scanning, "PIECE", piece)
    monkeypatch.setattr(scanning, "HULL_CORNERS", each)
    found = scanned(volume)

    assert len(found.corners) > 2
    for name in ("corners", "owners"):
        np.testing.assert_array_equal(
            np.concatenate(getattr(found, name)), np.concatenate(getattr(whole, name))
        )
