import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kedro.io import DatasetError

from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.errors import InputError
from electrode_grains.volumes import as_volume, spacing_of


@settings(max_examples=20, deadline=None)
@given(
    values=hnp.arrays(
        st.sampled_from([np.float32, np.int32, np.uint8, np.uint64]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=70),
    ),
    spacing=st.tuples(*[st.floats(1, 1e3)] * 3),
)
def test_a_volume_comes_back_as_it_was_saved(tmp_path_factory, values, spacing):
    dataset = VolumeDataset(filepath=str(tmp_path_factory.mktemp("v") / "volume.ome.zarr"))
    dataset.save(as_volume(values, spacing, "anything"))
    loaded = dataset.load()

    np.testing.assert_array_equal(loaded.to_numpy(), values)
    assert loaded.dtype == values.dtype
    assert spacing_of(loaded) == spacing
    assert loaded.name == "anything"


def test_channels_keep_their_names_and_not_a_number_its_place(tmp_path):
    values = np.zeros((2, 3, 4, 5), np.float32)
    values[1, 0, 0, 0] = np.nan
    dataset = VolumeDataset(filepath=str(tmp_path / "volume.ome.zarr"))
    dataset.save(as_volume(values, (50, 20, 10), "pair", ["left", "right"]))
    loaded = dataset.load()

    assert loaded["channel"].to_numpy().tolist() == ["left", "right"]
    np.testing.assert_array_equal(loaded.to_numpy(), values)


def test_the_metadata_is_ome_zarr_with_nanometres(tmp_path):
    path = tmp_path / "volume.ome.zarr"
    VolumeDataset(filepath=str(path)).save(as_volume(np.ones((2, 3, 4)), (50, 20, 10), "v"))
    metadata = json.loads((path / "zarr.json").read_text())
    ome = metadata["attributes"]["ome"]

    assert metadata["zarr_format"] == 3
    assert ome["version"] == "0.5"
    (scale,) = ome["multiscales"]
    assert [axis["name"] for axis in scale["axes"]] == ["z", "y", "x"]
    assert {axis["unit"] for axis in scale["axes"]} == {"nanometer"}
    (level,) = scale["datasets"]
    assert level["coordinateTransformations"] == [{"type": "scale", "scale": [50, 20, 10]}]
    assert json.loads((path / level["path"] / "zarr.json").read_text())["dimension_names"] == [
        "z",
        "y",
        "x",
    ]


def test_saving_again_replaces_a_volume_of_another_shape(tmp_path):
    dataset = VolumeDataset(filepath=str(tmp_path / "v.ome.zarr"))
    dataset.save(as_volume(np.ones((80, 3, 4)), (1, 1, 1), "v"))
    dataset.save(as_volume(np.zeros((2, 3, 4)), (1, 1, 1), "v"))

    assert dataset.load().shape == (2, 3, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["v.ome.zarr"]


def test_a_missing_volume_is_an_error_unless_optional(tmp_path):
    path = str(tmp_path / "none.ome.zarr")
    assert VolumeDataset(filepath=path, optional=True).load() is None
    with pytest.raises(DatasetError, match=r"none\.ome\.zarr"):
        VolumeDataset(filepath=path).load()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_the_preview_is_a_png(tmp_path, dtype):
    dataset = VolumeDataset(filepath=str(tmp_path / "v.ome.zarr"))
    dataset.save(as_volume(np.arange(60).reshape(3, 4, 5).astype(dtype), (1, 1, 1), "v"))
    assert base64.b64decode(dataset.preview()).startswith(b"\x89PNG")


@pytest.mark.parametrize("spacing", [(1, 1), (0, 1, 1), (1, float("nan"), 1)])
def test_impossible_spacing_is_refused(spacing):
    with pytest.raises(InputError, match="spacing"):
        as_volume(np.zeros((1, 1, 1)), spacing, "v")
