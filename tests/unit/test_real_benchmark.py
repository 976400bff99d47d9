"""Peers of the chain on real volumes see boundaries of either sign; unseen slices judge."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks import real

from electrode_grains.phantom.annotation import annotate


def bricks(bright):
    """Bricks of 6 x 8 x 8 voxels, their outermost voxels bright or dark, two slices labelled."""
    z, y, x = np.indices((18, 32, 32))
    truth = (1 + z // 6 * 16 + y // 8 * 4 + x // 8).astype(np.int32)
    edge = np.isin(y % 8, (0, 7)) | np.isin(x % 8, (0, 7)) | np.isin(z % 6, (0, 5))
    noise = np.random.default_rng(1).normal(0, 5, truth.shape)
    grey = (100 + (60 if bright else -60) * edge + noise).astype(np.float32)
    classes = np.zeros(truth.shape, np.uint8)
    for chosen in (3, 14):
        classes[chosen] = annotate(truth[chosen], 0.0, np.random.default_rng(0))
    empty = np.zeros((3, *truth.shape), np.float32)
    return real.Sample(grey, classes, truth, truth, empty, Path())


@pytest.mark.parametrize("bright", [True, False])
def test_peers_find_bricks_by_bright_and_by_dark_boundaries(bright):
    sample = bricks(bright)
    forest, outside = real.forest(sample)
    assert outside is None
    for boundary in (real.grey_values(sample), real.threshold(sample), forest):
        scores = sample.scores(real.flooded(sample, boundary, outside))
        assert scores["F1"] > 0.95
        assert scores["ARE"] < 0.1


def test_what_labelled_slices_hold_does_not_count():
    sample = bricks(bright=True)
    spoiled = sample.truth.copy()
    spoiled[sample.labelled] = 0
    assert sample.scores(spoiled)["F1"] == 1
    spoiled[~sample.labelled] = 1
    assert sample.scores(spoiled)["F1"] < 0.1


def test_an_affinity_is_cut_by_any_boundary_on_the_way():
    boundary = np.zeros((1, 1, 8))
    boundary[0, 0, 4] = 1
    crossed = real._affinity(boundary, (0, 0, 3))[0, 0, :5]
    assert crossed.tolist() == [1, 0, 0, 0, 0]
