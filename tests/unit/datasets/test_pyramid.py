"""Coarser levels of stored volumes lie where their metadata say, with the values found there."""

import numpy as np
import pytest
import zarr

from electrode_grains.datasets.pyramid import write_pyramid
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.volumes import as_volume

SPACING = (70.0, 50.0, 40.0)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("electrode_grains.datasets.pyramid.SHOWN_AT_ONCE", 4)


def levels_of(tmp_path, values, **named):
    folder = tmp_path / "volume.ome.zarr"
    dataset = VolumeDataset(filepath=str(folder))
    dataset.save(as_volume(values, SPACING, "volume", **named))
    np.testing.assert_array_equal(dataset.load().to_numpy(), values)
    group = zarr.open_group(folder, mode="r")
    for level in group.attrs["ome"]["multiscales"][0]["datasets"]:
        placed = {each["type"]: each[each["type"]] for each in level["coordinateTransformations"]}
        coarser = group[level["path"]]
        scale = np.array(placed["scale"])
        shift = np.array(placed.get("translation", np.zeros(len(scale))))
        yield np.asarray(coarser[...]), scale, shift


def positions(shape, scale, shift):
    index = np.indices(shape).reshape(len(shape), -1).T
    return (index * scale + shift).T.reshape(len(shape), *shape)


def test_a_linear_field_is_exact_at_the_declared_centres(tmp_path):
    """The mean of a linear field over a cell is its value at the centre of the cell."""
    place = positions((8, 16, 20), np.array(SPACING), np.zeros(3))
    slope = np.array([0.25, -0.5, 1.0])
    field = np.tensordot(slope, place, 1)
    found = list(levels_of(tmp_path, field.astype(np.float64)))
    assert [level.shape for level, _, _ in found] == [(8, 16, 20), (4, 8, 10), (4, 4, 5), (4, 4, 3)]
    for level, scale, shift in found[:-1]:  # the last one has half a cell at its end
        expected = np.tensordot(slope, positions(level.shape, scale, shift), 1)
        np.testing.assert_allclose(level, expected, rtol=1e-12)


def test_a_coarser_label_is_the_label_at_its_place(tmp_path):
    labels = np.random.default_rng(1).integers(0, 2**31, (9, 5, 17), dtype=np.int32)
    found = list(levels_of(tmp_path, labels))
    assert len(found) == 4
    for level, scale, shift in found:
        place = np.rint(positions(level.shape, scale, shift) / np.reshape(SPACING, (3, 1, 1, 1)))
        np.testing.assert_array_equal(level, labels[tuple(place.astype(int))])
        assert level.dtype == labels.dtype


def test_what_was_not_measured_weighs_nothing(tmp_path):
    values = np.full((1, 1, 8), np.nan, np.float32)
    values[0, 0, :3] = [2.0, 4.0, 6.0]
    _, (level, _, _) = levels_of(tmp_path, values)
    np.testing.assert_array_equal(level[0, 0], np.float32([3.0, 6.0, np.nan, np.nan]))


def test_channels_have_levels_of_their_own(tmp_path):
    values = np.random.default_rng(2).random((2, 3, 8, 4)).astype(np.float32)
    _, (level, scale, _) = levels_of(tmp_path, values, channels=["first", "second"])
    assert level.shape == (2, 3, 4, 4)
    np.testing.assert_allclose(level, values.reshape(2, 3, 4, 2, 4).mean(3), rtol=1e-6)
    assert list(scale) == [1.0, 70.0, 100.0, 40.0]


def test_a_volume_that_is_shown_at_once_has_one_level_and_a_second_call_replaces(tmp_path):
    group = zarr.open_group(tmp_path / "labels.zarr", mode="w", zarr_format=3)
    array = group.create_array("0", shape=(4, 4, 8), dtype=np.int32, chunks=(4, 4, 4))
    array[...] = np.arange(128).reshape(4, 4, 8)
    assert [level.path for level in write_pyramid(group)] == ["0", "1"]
    array[...] = 7
    write_pyramid(group)
    assert np.all(group["1"][...] == 7)
    assert len(list(levels_of(tmp_path, np.zeros((4, 4, 4), np.uint8)))) == 1
