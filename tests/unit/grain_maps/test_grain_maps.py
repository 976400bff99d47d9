"""Grain maps of other programs: each format by its own writer, by hand, or by a real file."""

import base64
import gzip
import re
import zlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from electrode_grains.ebsd import ipf_colors
from electrode_grains.ebsd.orientations import quaternions_from_euler
from electrode_grains.errors import InputError
from electrode_grains.exports import ExportedParticle, write_exports
from electrode_grains.grain_maps import PLANE_KINDS, read_grain_map
from electrode_grains.grain_maps.grain_map import piece_notes
from electrode_grains.grain_maps.hdf5 import laue_group_of_space_group

LABELS = np.arange(2 * 3 * 4).reshape(2, 3, 4) % 7
SPACING = (60.0, 50.0, 40.0)  # (dz, dy, dx) in nm
REAL = next(
    (
        parent / "shared" / "data" / "real_volumes" / "lab_dct_al1050.h5"
        for parent in Path(__file__).resolve().parents
        if (parent / "shared" / "data" / "real_volumes").is_dir()
    ),
    None,
)


def particle(labels=LABELS, spacing=SPACING):
    angles = np.random.default_rng(3).uniform(0.1, 1.0, (*labels.shape, 3))
    return ExportedParticle(
        labels=labels,
        spacing=spacing,
        grains=pd.DataFrame({"label": np.unique(labels[labels > 0])}),
        name="p",
        material="NMC",
        laue_group="-3m",
        image_quality=None,
        euler_angles=angles,
    )


@given(st.lists(st.integers(0, 3), min_size=24, max_size=24))
def test_a_note_counts_grains_in_pieces_as_scipy_does_grain_by_grain(values):
    labels = np.array(values).reshape(2, 3, 4)
    counts = {grain: ndimage.label(labels == grain)[1] for grain in set(values) - {0}}
    torn = {grain: count for grain, count in counts.items() if count > 1}
    notes = piece_notes(labels)
    if not torn:
        assert notes == ()
        return
    said = re.match(r"(\d+) of (\d+) grains .*\(grain (\d+) in (\d+)\)", notes[0])
    shown, total, worst, most = map(int, said.groups())
    assert (shown, total) == (len(torn), len(counts))
    assert most == torn[worst] == max(torn.values())


@pytest.mark.parametrize("kind", ["tif", "dream3d", "vti"])
def test_what_this_package_exports_comes_back(tmp_path, kind):
    written = write_exports(particle(), tmp_path, [kind])
    grain_map = read_grain_map(written[kind])
    np.testing.assert_array_equal(grain_map.labels, LABELS)
    assert grain_map.spacing_nm == pytest.approx(SPACING, rel=1e-6)
    if kind != "tif":
        expected = np.moveaxis(quaternions_from_euler(particle().euler_angles), -1, 0)
        known = LABELS > 0 if kind == "dream3d" else np.ones(LABELS.shape, bool)
        np.testing.assert_allclose(grain_map.orientations[:, known], expected[:, known], atol=1e-6)
    if kind == "dream3d":
        assert (grain_map.laue_group, grain_map.material) == ("-3m", "NMC")
        assert np.isnan(grain_map.orientations[:, LABELS == 0]).all()


def test_arrays_of_numpy_and_zarr(tmp_path):
    np.save(tmp_path / "a.npy", LABELS.astype(np.uint16))
    assert (read_grain_map(tmp_path / "a.npy").labels == LABELS).all()
    zarr.create_array(tmp_path / "b.zarr", data=LABELS.astype(np.uint32))
    assert (read_grain_map(tmp_path / "b.zarr").labels == LABELS).all()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_of_both_versions_with_its_units(tmp_path, version):
    group = zarr.open_group(
        tmp_path / "c.ome.zarr", mode="w", zarr_format=3 if version == "0.5" else 2
    )
    group.create_array("s0", data=LABELS[None].astype(np.int32))
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"
    ]
    scale = {"type": "scale", "scale": [1.0, 0.06, 0.05, 0.04]}
    level = {"path": "s0", "coordinateTransformations": [scale]}
    multiscales = [{"axes": axes, "datasets": [level], "version": version}]
    group.attrs.update({"ome": {"multiscales": multiscales}} if version == "0.5" else
                       {"multiscales": multiscales})  # fmt: skip
    grain_map = read_grain_map(tmp_path / "c.ome.zarr")
    np.testing.assert_array_equal(grain_map.labels, LABELS)
    assert grain_map.spacing_nm == pytest.approx(SPACING)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_nrrd_by_its_specification(tmp_path, encoding, endian):
    order = "<" if endian == "little" else ">"
    body = LABELS.astype(f"{order}u2").tobytes()  # x is the fastest axis
    head = (
        f"NRRD0004\n# by hand\ntype: unsigned short\ndimension: 3\nsizes: 4 3 2\n"
        f"encoding: {encoding}\nendian: {endian}\nspace: left-posterior-superior\n"
        'space directions: (0.04,0,0) (0,0.05,0) (0,0,0.06)\nspace units: "um" "um" "um"\n\n'
    )
    (tmp_path / "a.nrrd").write_bytes(
        head.encode() + (gzip.compress(body) if encoding == "gzip" else body)
    )
    grain_map = read_grain_map(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(grain_map.labels, LABELS)
    assert grain_map.spacing_nm == pytest.approx(SPACING)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_what_itk_writes(tmp_path, packed, suffix):
    itk = pytest.importorskip("SimpleITK")
    image = itk.GetImageFromArray(LABELS.astype(np.int16))
    image.SetSpacing(SPACING[::-1])
    itk.WriteImage(image, str(tmp_path / f"a{suffix}"), packed)
    grain_map = read_grain_map(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(grain_map.labels, LABELS)
    assert grain_map.spacing_nm is None  # no unit: only the user knows
    assert grain_map.with_spacing((1, 2, 3), "").spacing_nm == (1, 2, 3)
    with pytest.raises(InputError, match="--spacing"):
        grain_map.with_spacing(None, "")


@pytest.mark.parametrize("encoding", ["ascii", "base64", "appended raw", "appended base64 zlib"])
def test_vtk_images_by_their_specification(tmp_path, encoding):
    values = LABELS.astype("<i4").ravel()
    data, tail, head = "", b"", ""
    if encoding == "ascii":
        form, data = 'format="ascii"', " ".join(map(str, values))
    elif encoding == "base64":
        raw = np.uint32(values.nbytes).tobytes() + values.tobytes()
        form, data = 'format="binary"', base64.b64encode(raw).decode()
    elif encoding == "appended raw":
        form = 'format="appended" offset="0"'
        raw = np.uint32(values.nbytes).tobytes() + values.tobytes()
        tail = b'<AppendedData encoding="raw">\n_' + raw + b"\n</AppendedData>"
    else:
        form, head = 'format="appended" offset="0"', ' compressor="vtkZLibDataCompressor"'
        parts = [zlib.compress(values.tobytes()[:64]), zlib.compress(values.tobytes()[64:])]
        sizes = np.array([2, 64, values.nbytes % 64, *map(len, parts)], "<u4").tobytes()
        text = base64.b64encode(sizes) + base64.b64encode(b"".join(parts))
        tail = b'<AppendedData encoding="base64">_' + text + b"</AppendedData>"
    text = (
        f'<VTKFile type="ImageData" byte_order="LittleEndian"{head}><ImageData '
        f'WholeExtent="0 4 0 3 0 2" Origin="0 0 0" Spacing="40 50 60"><Piece Extent="0 4 0 3 0 2">'
        f'<CellData><DataArray type="Int32" Name="FeatureIds" {form}>{data}</DataArray></CellData>'
        f"</Piece></ImageData>"
    )
    (tmp_path / "a.vti").write_bytes(text.encode() + tail + b"</VTKFile>")
    grain_map = read_grain_map(tmp_path / "a.vti")
    np.testing.assert_array_equal(grain_map.labels, LABELS)
    assert grain_map.spacing_nm == SPACING


def test_dream3d_nx_keeps_the_geometry_in_attributes(tmp_path):
    with h5py.File(tmp_path / "a.dream3d", "w") as root:
        geometry = root.create_group("DataStructure/Image Geometry")
        geometry.attrs["_SPACING"] = np.array([0.04, 0.05, 0.06], np.float32)
        geometry.create_group("Cell Data")["FeatureIds"] = LABELS[..., None].astype(np.int32)
    grain_map = read_grain_map(tmp_path / "a.dream3d")
    np.testing.assert_array_equal(grain_map.labels, LABELS)
    assert grain_map.spacing_nm == pytest.approx(SPACING)


@pytest.mark.skipif(REAL is None or not REAL.exists(), reason="the real grain map is not here")
def test_a_real_map_of_laboratory_dct_has_the_colours_that_its_program_gave_it():
    grain_map = read_grain_map(REAL)
    assert grain_map.labels.shape == (64, 103, 109)
    assert len(np.unique(grain_map.labels)) == 106
    assert grain_map.spacing_nm == pytest.approx((2500.0, 2500.0, 2500.0))
    assert (grain_map.laue_group, grain_map.material) == ("m-3m", "Aluminum")
    with h5py.File(REAL) as root:
        theirs = root["LabDCT/Data/IPF001"][::8, ::8, ::8]
    ours = ipf_colors(np.moveaxis(grain_map.orientations[:, ::8, ::8, ::8], 0, -1), "m-3m")
    known = np.isfinite(ours).all(axis=-1)
    correlation = np.corrcoef(ours[known].ravel(), theirs[known].ravel())[0, 1]
    assert correlation > 0.97  # 0.79 for the inverse rotations


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((2, 3, 4), 0.5), "no labels"),
        (np.full((2, 3, 4), -1), "out of range"),
        (np.zeros((2, 3, 4)), "no grain"),
        (np.ones((3, 4)), "shape"),
        (np.full((2, 3, 4), np.nan), "no labels"),
        (np.full((2, 3, 4), "a"), "no labels"),
    ],
)
def test_what_is_no_grain_map_is_refused(tmp_path, values, words):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=words):
        read_grain_map(tmp_path / "a.npy")


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        read_grain_map(tmp_path / "a.npy")


@pytest.mark.parametrize("suffix", [".png", ".raw", ""])
def test_unknown_kinds_name_those_that_are_known(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(b"?")
    with pytest.raises(InputError, match=r"\.nrrd"):
        read_grain_map(tmp_path / f"a{suffix}")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A file of each format."""
    folder = tmp_path_factory.mktemp("sound")
    write_exports(particle(), folder, ["tif", "dream3d", "vti"])
    np.save(folder / "a.npy", LABELS)
    head = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 4 3 2\nencoding: gzip\n\n"
    (folder / "a.nrrd").write_bytes(head + gzip.compress(LABELS.astype("u1").tobytes()))
    head = "ObjectType = Image\nDimSize = 4 3 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    (folder / "a.mha").write_bytes(head.encode() + LABELS.astype("u1").tobytes())
    return [file for file in folder.iterdir() if file.is_file()]


@given(data=st.data())
def test_damaged_files_are_refused_or_still_grain_maps(sound, data, tmp_path_factory):
    source = data.draw(st.sampled_from(sound))
    if source.suffix == ".dream3d":
        return  # every open costs a process; the readers of scans try them by thousands
    content = bytearray(source.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.mktemp("damaged") / source.name
    file.write_bytes(bytes(content))
    try:
        grain_map = read_grain_map(file)
    except InputError:
        return
    assert grain_map.labels.ndim == 3
    assert grain_map.labels.min() >= 0


@pytest.mark.parametrize(
    ("number", "group"),
    [(1, "-1"), (2, "-1"), (3, "2/m"), (15, "2/m"), (16, "mmm"), (75, "4/m"), (89, "4/mmm"),
     (143, "-3"), (149, "-3m"), (166, "-3m"), (168, "6/m"), (194, "6/mmm"), (195, "m-3"),
     (225, "m-3m"), (230, "m-3m"), (0, None), (231, None)],
)  # fmt: skip
def test_laue_groups_of_space_groups(number, group):
    assert laue_group_of_space_group(number) == group


def test_a_header_that_declares_more_than_a_file_holds_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.create_dataset("a/FeatureIds", (4000, 4000, 4000, 1), "i4", chunks=(64, 64, 64, 1))
    with pytest.raises(InputError, match="more voxels than the file holds"):
        read_grain_map(tmp_path / "a.h5")


def test_pages_of_a_tiff_are_slices(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LABELS.astype(np.uint8), photometric="minisblack")
    assert (read_grain_map(tmp_path / "a.tif").labels == LABELS).all()
    assert read_grain_map(tmp_path / "a.tif").spacing_nm is None


def test_single_planes_are_read_where_sections_are_asked_for(tmp_path):
    plane = np.arange(600, dtype=np.uint16).reshape(20, 30)
    Image.fromarray(plane).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", plane)
    for file in tmp_path.iterdir():
        np.testing.assert_array_equal(read_grain_map(file, PLANE_KINDS).labels, plane[None])
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "colours.png")
    with pytest.raises(InputError, match="one number per pixel"):
        read_grain_map(tmp_path / "colours.png", PLANE_KINDS)
