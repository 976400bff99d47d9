"""Damaged grain maps: refused, or read as they stand, which other code judges.

The oracles are SimpleITK for NRRD and MetaImage, tifffile, h5py, and a reader of `.npy` and `.vti`
of a few lines. Where an oracle cannot read a changed file, it has no opinion.
"""

import ast
import base64
import itertools
import os
import random
import re
import struct
import tempfile
import warnings
import zlib
from xml.etree import ElementTree

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

from electrode_grains.ebsd import probing_files
from electrode_grains.errors import InputError
from electrode_grains.exports import ExportedParticle, write_exports
from electrode_grains.grain_maps import read_grain_map

LABELS = np.random.default_rng(5).integers(0, 7, (3, 4, 5))
KINDS = (
    "raw.nrrd", "packed.nrrd", "raw.mha", "packed.mha", "a.npy", "p.tif", "p.vti", "p.dream3d",
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A file of each kind, its writer another program where there is one."""
    itk = pytest.importorskip("SimpleITK")
    folder = tmp_path_factory.mktemp("sound")
    image = itk.GetImageFromArray(LABELS.astype(np.int16))
    for suffix in ("nrrd", "mha"):
        itk.WriteImage(image, str(folder / f"raw.{suffix}"), False)
        itk.WriteImage(image, str(folder / f"packed.{suffix}"), True)
    np.save(folder / "a.npy", LABELS.astype(np.uint16))
    particle = ExportedParticle(
        labels=LABELS,
        spacing=(60.0, 50.0, 40.0),
        grains=pd.DataFrame({"label": np.unique(LABELS[LABELS > 0])}),
        name="p",
        material="NMC",
        laue_group="-3m",
        image_quality=None,
        euler_angles=np.random.default_rng(3).uniform(0.1, 1.0, (*LABELS.shape, 3)),
    )
    written = write_exports(particle, folder, ["tif", "dream3d", "vti"])
    for kind in ("tif", "dream3d", "vti"):
        written[kind].rename(folder / f"p.{kind}")
    return folder


def by_itk(path):
    """What SimpleITK reads; where it only prints that it failed, it returns any memory."""
    import SimpleITK

    with tempfile.TemporaryFile() as told:
        errors = os.dup(2)
        os.dup2(told.fileno(), 2)
        try:
            image = SimpleITK.ReadImage(str(path))
        finally:
            os.dup2(errors, 2)
            os.close(errors)
        told.seek(0)
        if b"failed" in told.read().lower():
            raise OSError("SimpleITK failed without an exception")
    return SimpleITK.GetArrayFromImage(image)


def by_tifffile(path):
    with tifffile.TiffFile(path) as tiff:
        pages = np.stack([page.asarray() for page in tiff.pages])
        told = (tiff.imagej_metadata or {}).get("images", len(pages))
        assert told == len(pages), "pages are missing"
        return pages


def by_h5py(path):
    with h5py.File(path) as root:
        found = []
        root.visititems(
            lambda name, node: found.append(name) if name.endswith("FeatureIds") else None
        )
        (name,) = found
        return root[name][..., 0]


def by_header(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<H", content[8:10])
    head = ast.literal_eval(content[10 : 10 + length].decode("latin-1").strip())
    values = np.frombuffer(content[10 + length :], head["descr"])
    return values.reshape(head["shape"], order="F" if head["fortran_order"] else "C")


def by_xml(path):
    content = path.read_bytes()
    cut = re.search(rb"<AppendedData[^>]*>\s*_", content)
    text = content if cut is None else content[: cut.start()] + b"</VTKFile>"
    root = ElementTree.fromstring(text)
    sizes = [int(part) for part in root.find("ImageData").get("WholeExtent").split()]
    shape = (sizes[5] - sizes[4], sizes[3] - sizes[2], sizes[1] - sizes[0])
    arrays = {each.get("Name"): each for each in root.iter("DataArray")}
    array = next(arrays[name] for name in ("GrainLabel", "FeatureIds", "labels", "label", "GrainId")
                 if name in arrays)  # fmt: skip
    order = ">" if root.get("byte_order") == "BigEndian" else "<"
    kind = np.dtype({"Int": "i", "UInt": "u", "Float": "f"}[re.match(r"\D+", array.get("type"))[0]]
                    + str(int(re.search(r"\d+", array.get("type"))[0]) // 8))  # fmt: skip
    if array.get("format") == "ascii":
        return np.array(array.text.split(), kind).reshape(shape)
    wide = 8 if root.get("header_type") == "UInt64" else 4
    if array.get("format") == "appended":
        data = content[cut.end() + int(array.get("offset")) :]
        is_text = b"raw" not in cut.group()
        data = data.partition(b"<")[0] if is_text else data
    else:
        data, is_text = array.text.strip().encode(), True
    size = np.dtype(f"{order}u{wide}")

    def part(at, length):  # each part is its own run of base64
        return (
            base64.b64decode(data[at : at + width(length)]) if is_text else data[at : at + length]
        )

    def width(length):
        return -(-length // 3) * 4 if is_text else length

    if root.get("compressor"):
        blocks = int(np.frombuffer(part(0, 3 * wide), size, 1)[0])
        head = np.frombuffer(part(0, (3 + blocks) * wide), size, 3 + blocks)
        body = part(width((3 + blocks) * wide), int(head[3:].sum()))
        ends = np.concatenate([[0], np.cumsum(head[3:])]).astype(int)
        whole = b"".join(zlib.decompress(body[a:b]) for a, b in itertools.pairwise(ends))
    else:
        length = int(np.frombuffer(part(0, wide), size, 1)[0])
        whole = part(0, wide + length)[wide : wide + length]
    return np.frombuffer(whole, kind.newbyteorder(order)).reshape(shape)


ORACLES = {
    ".nrrd": by_itk, ".mha": by_itk, ".npy": by_header, ".tif": by_tifffile, ".vti": by_xml,
    ".dream3d": by_h5py,
}  # fmt: skip


def damage(content, chance):
    """Content with some bytes changed, lost, repeated or cut, or a number of its text changed."""
    content, kind = bytearray(content), chance.randrange(6)
    at = chance.randrange(len(content))
    if kind == 0:
        return bytes(content[:at])
    if kind == 1:
        return bytes(content[:at] + content[at + chance.randrange(1, 9) :])
    if kind == 2:
        return bytes(content[:at] + content[at : at + chance.randrange(1, 9)] + content[at:])
    if kind == 3:
        digits = [m.start() for m in re.finditer(rb"\d", bytes(content[:2000]))]
        if digits:
            content[chance.choice(digits)] = ord(str(chance.randrange(10)))
            return bytes(content)
    for _ in range(chance.randrange(1, 5)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def judged(path, oracle):
    """What the reader made of a file: "refused", "read", "unjudged", or what is wrong."""
    with warnings.catch_warnings(), probing_files():
        warnings.simplefilter("ignore")
        try:
            labels = read_grain_map(path).labels
        except InputError:
            return "refused"
        try:
            wanted = np.asarray(oracle(path))
        except AssertionError as error:
            return f"accepted, though {error}"
        except Exception:  # an oracle that cannot read it has no opinion
            return "unjudged"
    if labels.shape != wanted.shape:
        return f"shape {wanted.shape} became {labels.shape}"
    return "read" if np.array_equal(labels, wanted) else "other labels"


@pytest.mark.parametrize("name", KINDS)
def test_the_oracles_agree_with_the_sound_files_and_see_others(sound, tmp_path, name):
    oracle = ORACLES[(sound / name).suffix]
    np.testing.assert_array_equal(oracle(sound / name), LABELS)
    assert judged(sound / name, oracle) == "read"
    assert judged(sound / name, lambda _: LABELS[::-1]) == "other labels"
    assert judged(sound / name, lambda _: LABELS[1:]).startswith("shape")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", [60, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", KINDS)
def test_damaged_maps_are_refused_or_read_as_they_stand(sound, tmp_path, name, count):
    content, path = (sound / name).read_bytes(), tmp_path / name
    if name == "p.dream3d":  # every open asks another process
        count //= 3
    counted = dict.fromkeys(("refused", "read", "unjudged"), 0)
    for seed in range(count):
        path.write_bytes(damage(content, random.Random(seed)))
        verdict = judged(path, ORACLES[path.suffix])
        assert verdict in counted, f"seed {seed}: {verdict}"
        counted[verdict] += 1
    assert counted["refused"] > count / 5, counted
    assert counted["unjudged"] < count / 2, counted
