"""Grain maps that would take more memory than there is, or more than they declare."""

import gzip
import os
import re
import tracemalloc
import zlib

import numcodecs
import numpy as np
import pytest
import tifffile
import zarr
from zarr import codecs

from electrode_grains.errors import InputError
from electrode_grains.grain_maps import read_grain_map

LABELS = np.arange(8 * 8 * 8).reshape(8, 8, 8) % 7
ZEROS = bytes(200_000_000)  # what a chunk of 64 voxels of a bomb holds
FORMS = {
    "zstd": {"compressors": codecs.ZstdCodec()},
    "blosc": {"compressors": codecs.BloscCodec()},
    "gzip": {"compressors": codecs.GzipCodec()},
    "none": {"compressors": None},
    "checksum": {"compressors": [codecs.ZstdCodec(), codecs.Crc32cCodec()]},
    "shards": {"shards": (8, 8, 8), "compressors": codecs.ZstdCodec()},
    "transposed": {"filters": [codecs.TransposeCodec(order=(2, 0, 1))]},
    "2 zstd": {"zarr_format": 2, "compressors": numcodecs.Zstd()},
    "2 blosc": {"zarr_format": 2, "compressors": numcodecs.Blosc()},
    "2 zlib": {"zarr_format": 2, "compressors": numcodecs.Zlib()},
    "2 lz4": {"zarr_format": 2, "compressors": numcodecs.LZ4()},
    "2 delta": {"zarr_format": 2, "filters": [numcodecs.Delta("<i4")],
                "compressors": numcodecs.GZip()},
    "2 none": {"zarr_format": 2, "compressors": None},
}  # fmt: skip
BOMBS = {
    "zstd": lambda: numcodecs.Zstd().encode(ZEROS),
    "blosc": lambda: numcodecs.Blosc("zstd").encode(ZEROS),
    "gzip": lambda: gzip.compress(ZEROS, 1),
    "none": lambda: ZEROS[:10_000],
    "checksum": lambda: numcodecs.Zstd().encode(ZEROS) + b"crc!",
    "2 zstd": lambda: numcodecs.Zstd().encode(ZEROS),
    "2 blosc": lambda: numcodecs.Blosc("zstd").encode(ZEROS),
    "2 zlib": lambda: zlib.compress(ZEROS, 1),
    "2 lz4": lambda: numcodecs.LZ4().encode(ZEROS),
    "2 delta": lambda: gzip.compress(bytes(10), 1) + gzip.compress(ZEROS, 1),
}


def stored(path, form):
    """An array of eight chunks in a form; gives the files of its chunks."""
    made = zarr.create_array(path, shape=LABELS.shape, chunks=(4, 4, 4), dtype="<i4", **FORMS[form])
    made[:] = LABELS
    return sorted(f for f in path.rglob("*") if f.is_file() and f.name[-1].isdigit())


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_pack_chunks_is_read(tmp_path, form):
    files = stored(tmp_path / "a.zarr", form)
    assert (read_grain_map(tmp_path / "a.zarr").labels == LABELS).all()
    files[-1].unlink()
    if form == "shards":
        with pytest.raises(InputError, match="no grain"):
            read_grain_map(tmp_path / "a.zarr")
        return
    rest = LABELS.copy()
    rest[4:, 4:, 4:] = 0
    assert (read_grain_map(tmp_path / "a.zarr").labels == rest).all()


@pytest.mark.parametrize("form", BOMBS)
def test_a_chunk_that_unpacks_to_more_than_it_declares_is_refused_unpacked(tmp_path, form):
    files = stored(tmp_path / "a.zarr", form)
    bomb = BOMBS[form]()
    files[3].write_bytes(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="more than the array declares") as refusal:
            read_grain_map(tmp_path / "a.zarr")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(files[3]) in str(refusal.value)
    assert peak < 2 * len(bomb) + 10_000_000


def test_a_bomb_within_a_shard_is_refused(tmp_path):
    (file,) = stored(tmp_path / "a.zarr", "shards")
    content = file.read_bytes()
    index = bytearray(content[-8 * 16 - 4 :])
    bomb = numcodecs.Zstd().encode(ZEROS)
    places = np.frombuffer(index[:-4], "<u8").copy()
    places[6:8] = len(content), len(bomb)  # the fourth chunk
    file.write_bytes(content + bomb + places.tobytes() + index[-4:])
    with pytest.raises(InputError, match="more than the array declares"):
        read_grain_map(tmp_path / "a.zarr")
    file.write_bytes(content[:100])
    with pytest.raises(InputError, match="a shard has been cut short"):
        read_grain_map(tmp_path / "a.zarr")


def test_what_nobody_can_count_is_refused(tmp_path):
    many = {"zarr_format": 2, "filters": [numcodecs.Zstd()], "compressors": numcodecs.Zstd()}
    zarr.create_array(tmp_path / "a.zarr", shape=(4, 4, 4), dtype="u1", **many)
    with pytest.raises(InputError, match="unknown compression") as refusal:
        read_grain_map(tmp_path / "a.zarr")
    assert "zstd and zstd" in str(refusal.value)
    packed = {"zarr_format": 2, "compressors": numcodecs.BZ2()}
    zarr.create_array(tmp_path / "b.zarr", shape=(4, 4, 4), dtype="u1", **packed)
    with pytest.raises(InputError, match="bz2"):
        read_grain_map(tmp_path / "b.zarr")


def test_a_pipe_or_a_folder_in_place_of_a_chunk_is_refused(tmp_path):
    files = stored(tmp_path / "a.zarr", "zstd")
    files[0].unlink()
    os.mkfifo(files[0])
    with pytest.raises(InputError, match="a chunk is no file"):
        read_grain_map(tmp_path / "a.zarr")
    files[0].unlink()
    files[0].mkdir()
    with pytest.raises(InputError, match="a chunk is no file"):
        read_grain_map(tmp_path / "a.zarr")


def test_more_chunks_than_zarr_can_list_are_refused(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(101, 100, 100), chunks=(1, 1, 1), dtype="u1")
    with pytest.raises(InputError, match="too many chunks") as refusal:
        read_grain_map(tmp_path / "a.zarr")
    assert "1,010,000" in str(refusal.value)


LARGE = (20_000, 20_000, 20_000)  # 8e12 voxels


def declared_zarr(path):
    zarr.create_array(path / "a.zarr", shape=LARGE, chunks=(500, 500, 500), dtype="u1")
    return path / "a.zarr"


def declared_chunk(path):
    zarr.create_array(path / "b.zarr", shape=(4, 4, 4), chunks=LARGE, dtype="u1")
    return path / "b.zarr"


def declared_nrrd(path):
    head = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 20000 20000 20000\nencoding: gzip\n\n"
    (path / "a.nrrd").write_bytes(head + gzip.compress(bytes(10**6)))
    return path / "a.nrrd"


def declared_mha(path):
    head = "DimSize = 20000 20000 20000\nElementType = MET_UCHAR\nCompressedData = True\n"
    body = zlib.compress(bytes(10**6))
    (path / "a.mha").write_bytes(f"{head}ElementDataFile = LOCAL\n".encode() + body)
    return path / "a.mha"


def declared_vti(path):
    (path / "a.vti").write_text(
        '<VTKFile type="ImageData"><ImageData WholeExtent="0 20000 0 20000 0 20000" '
        'Spacing="1 1 1"><Piece><CellData><DataArray Name="FeatureIds" type="Int32" '
        'format="ascii">1</DataArray></CellData></Piece></ImageData></VTKFile>'
    )
    return path / "a.vti"


def sparse_npy(path):
    np.save(path / "a.npy", LABELS)
    os.truncate(path / "a.npy", 8 * 10**12)  # takes no place on the disk
    return path / "a.npy"


@pytest.mark.parametrize(
    "make",
    [declared_zarr, declared_chunk, declared_nrrd, declared_mha, declared_vti, sparse_npy],
)
def test_what_no_machine_can_hold_is_refused_by_its_header(tmp_path, make):
    file = make(tmp_path)
    with pytest.raises(InputError, match="does not fit into the memory of this machine") as why:
        read_grain_map(file)
    assert f"where:    {file}" in str(why.value)
    assert re.search(r"8,000,000,000,000 bytes|\(20000, 20000, 20000\)", str(why.value))


def test_a_stack_of_pages_counts_as_a_whole(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", LABELS.astype("<u2"), photometric="minisblack")
    few = [("memory of this machine", 512 * (2 + 24) - 1, "take a larger machine")]
    monkeypatch.setattr("electrode_grains.grain_maps.grain_map.memory_limits", lambda: few)
    with pytest.raises(InputError, match="does not fit") as refusal:
        read_grain_map(tmp_path / "a.tif")
    assert "shape (8, 8, 8)" in str(refusal.value)
    few[:] = [("memory of this machine", 512 * (2 + 24), "take a larger machine")]
    assert (read_grain_map(tmp_path / "a.tif").labels == LABELS).all()
