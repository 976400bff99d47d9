"""`init --sections --shell`: the volume that gives a particle its outer shell."""

import numpy as np
import pytest

from electrode_grains.commands.init_sections import outer_shell
from electrode_grains.errors import InputError
from electrode_grains.volumes import spacing_of


def test_a_volume_of_any_labels_is_inside_or_outside(tmp_path):
    labels = np.zeros((12, 12, 12), np.uint16)
    labels[2:10, 3:9, 3:9] = 7
    labels[4, 4, 4] = 9
    np.save(tmp_path / "volume.npy", labels)
    found = outer_shell(tmp_path / "volume.npy", "100,80,80")
    assert spacing_of(found) == (100.0, 80.0, 80.0)
    np.testing.assert_array_equal(found.to_numpy(), labels > 0)


def test_a_volume_without_a_surface_or_a_voxel_size_is_refused(tmp_path):
    np.save(tmp_path / "full.npy", np.ones((8, 8, 8), np.uint8))
    with pytest.raises(InputError, match="no outer shell"):
        outer_shell(tmp_path / "full.npy", "50,50,50")
    with pytest.raises(InputError, match="voxel size"):
        outer_shell(tmp_path / "full.npy", None)
