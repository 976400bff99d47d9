"""What other programs find in exported files; VTK and ImageJ formats are parsed here anew."""

import dataclasses
import re
import struct
import xml.etree.ElementTree as ElementTree

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from electrode_grains.ebsd import (
    FRAME_PRESETS,
    ReadingOptions,
    read_scan,
    scan_readers,
    stack_scans,
    write_scan,
)
from electrode_grains.ebsd.orientations import (
    euler_from_quaternions,
    misorientation_angle,
    quaternions_from_euler,
    random_orientations,
)
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.exports import (
    FORMATS,
    ExportedParticle,
    grain_surface,
    interface_mesh,
    write_exports,
    write_image_data,
    write_stl,
    write_surfaces,
    write_tiff_stack,
)
from electrode_grains.exports.mesh import smoothed_faces
from export_files import volume_of, vtk_array

SPACING = (30.0, 20.0, 10.0)


@pytest.fixture
def labels():
    values = np.zeros((6, 7, 8), np.int64)
    values[1:5, 1:4, 1:7] = 3
    values[1:5, 4:6, 1:7] = 70_000
    values[1:5, 4:6, 7:] = 12  # cut by the window
    return values


@pytest.fixture
def particle(labels):
    rng = np.random.default_rng(4)
    grains = pd.DataFrame(
        {"label": [70_000, 3], "equivalent_diameter_nm": [81.0, 93.0], "sphericity": [0.7, np.nan]}
    )
    euler = rng.uniform(0, 1.5, (*labels.shape, 3))
    euler[0, 0, 0] = euler[2, 2, 2] = np.nan
    return ExportedParticle(
        labels, SPACING, grains, material="NMC532", laue_group="-3m",
        image_quality=rng.normal(100, 9, labels.shape), euler_angles=euler,
    )  # fmt: skip


def test_paraview_finds_each_voxel_with_the_values_of_its_grain(particle, labels, tmp_path):
    file = tmp_path / "grains.vti"
    write_image_data(particle, file)
    image = ElementTree.parse(file).find("ImageData")
    assert image.get("WholeExtent") == "0 8 0 7 0 6"
    assert image.get("Spacing") == "10 20 30"
    assert image.get("Origin") == "-5 -10 -15"
    assert (vtk_array(file, "GrainLabel").reshape(labels.shape) == labels).all()
    diameter = vtk_array(file, "equivalent_diameter_nm").reshape(labels.shape)
    assert (diameter[labels == 70_000] == 81).all()
    assert np.isnan(diameter[(labels == 0) | (labels == 12)]).all()  # 12 has no row
    euler = vtk_array(file, "EulerAngles").reshape(*labels.shape, 3)
    assert np.allclose(euler, particle.euler_angles, atol=1e-6, equal_nan=True)


def test_large_arrays_are_written_in_several_blocks(tmp_path):
    labels = np.random.default_rng(2).integers(0, 5, (70, 60, 70))
    particle = ExportedParticle(labels, SPACING, pd.DataFrame({"label": [1]}))
    write_image_data(particle, tmp_path / "grains.vti")
    assert (vtk_array(tmp_path / "grains.vti", "GrainLabel") == labels.ravel()).all()


def test_dream3d_layout_is_read_back_by_the_reader_of_scans(particle, labels, tmp_path):
    file = write_exports(particle, tmp_path, ["dream3d"])["dream3d"]
    stack = stack_scans(scan_readers(file))
    assert stack.attrs["spacing_nm"] == pytest.approx(SPACING)
    assert stack.attrs["phases"][0]["symmetry"] == "32"  # TSL's code of -3m
    quality = stack["image_quality"].to_numpy()
    assert np.allclose(quality, particle.image_quality, atol=1e-4)
    euler, inside = stack["euler_angles"].to_numpy(), labels > 0
    assert np.allclose(euler[inside], particle.euler_angles[inside], atol=1e-6, equal_nan=True)
    assert np.isnan(euler[2, 2, 2]).all()  # a voxel of a grain without orientation


@pytest.mark.parametrize("preset", FRAME_PRESETS)
def test_orientations_go_out_and_in_again_through_every_frame(preset, tmp_path):
    """File of a maker, map, export, and what readers make of that: one and the same crystals."""
    truth = random_orientations(42, np.random.default_rng(7)).reshape(6, 7, 4)
    phase = {"id": 1, "material_name": "NMC", "formula": "", "symmetry": "32",
             "lattice_constants": "2.87 2.87 14.26 90 90 120"}  # fmt: skip
    scan = xr.Dataset(
        {
            "image_quality": (("y", "x"), np.full((6, 7), 9.0)),
            "confidence_index": (("y", "x"), np.full((6, 7), 0.8)),
            "euler_angles": (("y", "x", "angle"), euler_from_quaternions(truth)),
            "phase": (("y", "x"), np.ones((6, 7), int)),
        },
        attrs={"step_nm": (50.0, 50.0), "phases": (phase,)},
    )
    write_scan(scan, tmp_path / "slice_1.ang", frames=preset)
    assert f"frames of the Euler angles: {preset}" in (tmp_path / "slice_1.ang").read_text()
    read = read_scan(tmp_path / "slice_1.ang", ReadingOptions(frames=preset))
    particle = ExportedParticle(
        np.ones((1, 6, 7), np.int64),
        (50.0, 50.0, 50.0),
        pd.DataFrame({"label": [1]}),
        image_quality=read["image_quality"].to_numpy()[None],
        euler_angles=read["euler_angles"].to_numpy()[None],
        read_as=read.attrs["frames"].describe(),
    )
    written = write_exports(particle, tmp_path, ["dream3d", "xdmf", "vti", "vtp", "vtu"])

    (reader,) = scan_readers(written["dream3d"]).values()
    again = reader(ReadingOptions())
    assert again.attrs["frames"].frames == "same"
    found = {"dream3d": again["euler_angles"].to_numpy(), "vti": vtk_array(written["vti"],
             "EulerAngles")}  # fmt: skip
    for angles in found.values():
        turned = quaternions_from_euler(angles.astype(float).reshape(6, 7, 3))
        assert np.degrees(misorientation_angle(turned, truth, "-3m")).max() < 0.01
    with h5py.File(written["dream3d"]) as root:
        named = root.attrs["Orientations"].decode()
    texts = {name: file.read_text() for name, file in written.items() if name != "dream3d"}
    for name, text in {**texts, "dream3d": named}.items():
        assert "x right, y down, z along milling" in text, name
        assert f"scans read as {preset}" in text, name


def test_dream3d_features_are_numbered_without_gaps_and_keep_their_labels(
    particle, labels, tmp_path
):
    file = write_exports(particle, tmp_path, ["dream3d"])["dream3d"]
    with h5py.File(file) as root:
        container = root["DataContainers/ImageDataContainer"]
        features = container["CellFeatureData"]
        ids = container["CellData/FeatureIds"][..., 0]
        kept = features["GrainLabels"][:, 0]
        assert kept.tolist() == [0, 3, 12, 70_000]
        assert (kept[ids] == labels).all()
        assert features["EquivalentDiameters"][:, 0] == pytest.approx([0, 0.093, 0, 0.081])
        for matrix in ("CellData", "CellFeatureData"):
            for dataset in container[matrix].values():
                tuples = tuple(dataset.attrs["TupleDimensions"])
                components = tuple(dataset.attrs["ComponentDimensions"])
                assert dataset.shape == (*tuples[::-1], *components)


def test_imagej_finds_labels_and_voxel_size(particle, labels, tmp_path):
    small = np.where(labels == 70_000, 5, labels)
    write_tiff_stack(small, SPACING, tmp_path / "small.tif")
    with tifffile.TiffFile(tmp_path / "small.tif") as file:
        assert file.imagej_metadata["spacing"] == pytest.approx(0.03)
        assert file.imagej_metadata["unit"] == "um"
        across, down = (file.pages[0].tags[f"{axis}Resolution"].value for axis in "XY")
        assert across[0] / across[1] == pytest.approx(100)  # voxels a micrometre
        assert down[0] / down[1] == pytest.approx(50)
        assert file.asarray().dtype == np.uint16
        assert (file.asarray() == small).all()
    large = write_exports(particle, tmp_path, ["tif"])["tif"]
    assert (tifffile.imread(large) == labels).all()


def test_labels_that_a_float_cannot_tell_apart_are_refused_for_imagej(tmp_path):
    with pytest.raises(InputError, match="16777217"):
        write_tiff_stack(np.array([[[2**24 + 1]]]), SPACING, tmp_path / "no.tif")


@given(seed=st.integers(0, 200), steps=st.integers(0, 12))
def test_every_grain_has_a_closed_surface_that_it_shares_with_its_neighbours(seed, steps):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (4, 5, 3)) * 11
    labels[1, 1, 1] = 7
    mesh = interface_mesh(labels, SPACING, steps)
    total = 0.0
    for label in np.unique(labels[labels > 0]):
        vertices, faces = grain_surface(mesh, label)
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        directed, counts = np.unique(edges, axis=0, return_counts=True)
        reverse, counts_back = np.unique(edges[:, ::-1], axis=0, return_counts=True)
        assert (directed == reverse).all()
        assert (counts == counts_back).all()
        total += volume_of(vertices, faces)
        if steps == 0:
            voxels = (labels == label).sum()
            assert volume_of(vertices, faces) == pytest.approx(voxels * np.prod(SPACING))
    outer = (mesh.grains == 0).any(axis=1)
    faces = np.where(
        (mesh.grains[outer, 1] == 0)[:, None], mesh.faces[outer], mesh.faces[outer][:, ::-1]
    )
    assert total == pytest.approx(volume_of(mesh.vertices, faces))  # no gap, no overlap


def test_smoothing_rounds_a_ball_and_keeps_its_volume():
    z, y, x = np.indices((30, 30, 30)) - 14.5
    labels = (z**2 + y**2 + x**2 <= 144).astype(int)
    rough, smooth = (interface_mesh(labels, (1, 1, 1), steps) for steps in (0, 20))

    def area(mesh):
        corners = mesh.vertices[mesh.faces]
        sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return np.linalg.norm(sides, axis=1).sum() / 2

    ball = 4 * np.pi * 12**2
    assert area(rough) / ball == pytest.approx(1.5, abs=0.05)  # voxel faces: 3/2 of a ball
    assert area(smooth) / ball == pytest.approx(1.0, abs=0.05)
    found = volume_of(*grain_surface(smooth, 1)) / (4 / 3 * np.pi * 12**3)
    assert found == pytest.approx(1.0, abs=0.02)


def test_smoothing_leaves_the_window_flat(labels):
    mesh = interface_mesh(labels, SPACING, 10)
    cut = mesh.vertices[:, 0] > 7.2 * SPACING[2]
    assert cut.any()
    assert np.allclose(mesh.vertices[cut, 0], 7.5 * SPACING[2])


def test_stl_holds_the_mesh(particle, labels, tmp_path):
    written = write_exports(particle, tmp_path, ["stl"])
    mesh = interface_mesh(labels, SPACING, 10)
    files = sorted(file.name for file in written["stl"].iterdir())
    assert files == ["grain_12.stl", "grain_3.stl", "grain_70000.stl"]
    raw = (written["stl"] / "grain_3.stl").read_bytes()
    rows = np.frombuffer(
        raw[84:], [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")]
    )
    assert len(rows) == struct.unpack("<I", raw[80:84])[0]
    vertices, faces = grain_surface(mesh, 3)
    assert np.allclose(rows["corners"], vertices[faces], atol=1e-3)


def test_stl_of_other_grains_are_removed_and_notes_left(particle, tmp_path):
    folder = write_exports(particle, tmp_path, ["stl"])["stl"]
    (folder / "grain_999.stl").write_bytes(b"of an earlier segmentation")
    assert write_exports(particle, tmp_path, ["stl"])["stl"] == folder
    files = sorted(file.name for file in folder.iterdir())
    assert files == ["grain_12.stl", "grain_3.stl", "grain_70000.stl"]


def test_dream3d_knows_phases_orientations_and_all_columns(particle, labels, tmp_path):
    table = particle.grains.assign(
        bunge_phi1=[0.3, np.nan], bunge_Phi=[0.5, np.nan], bunge_phi2=[0.2, np.nan],
        touches_window=[True, False], centroid_x_nm=[250.0, 100.0], degenerate=["", "a line"],
        own=[3, 4],
    )  # fmt: skip
    again = dataclasses.replace(particle, grains=table)
    file = write_exports(again, tmp_path, ["dream3d"])["dream3d"]
    with h5py.File(file) as root:
        container = root["DataContainers/ImageDataContainer"]
        assert container["_SIMPL_GEOMETRY/ORIGIN"][:] == pytest.approx([-0.005, -0.01, -0.015])
        cells, features = container["CellData"], container["CellFeatureData"]
        assert (cells["Phases"][..., 0] == (labels > 0)).all()
        names = container["CellEnsembleData/MaterialName"]
        assert h5py.check_string_dtype(names.dtype).length is None  # variable, as NX reads it
        assert [name.decode() for name in names[:]] == ["Invalid Phase", "NMC532"]
        assert features["Phases"][:, 0].tolist() == [0, 1, 1, 1]
        assert features["AvgEulerAngles"][3] == pytest.approx([0.3, 0.5, 0.2])
        expected = quaternions_from_euler([0.3, 0.5, 0.2])
        assert features["AvgQuats"][3] == pytest.approx([*expected[1:], expected[0]], abs=1e-6)
        assert features["TouchesWindow"][:, 0].tolist() == [0, 0, 0, 1]
        assert features["CentroidXNm"][:, 0] == pytest.approx([0, 0.1, 0, 0.25])  # um
        assert features["degenerate"][1].decode() == "a line"
        assert features["own"][:, 0].tolist() == [0, 4, 0, 3]


def test_paraview_finds_the_arrays_of_dream3d_by_xdmf(particle, labels, tmp_path):
    written = write_exports(particle, tmp_path, ["dream3d", "xdmf"])
    grid = ElementTree.parse(written["xdmf"]).find("Domain/Grid")
    assert grid.find("Topology").get("Dimensions") == "7 8 9"
    origin, steps = (item.text.split() for item in grid.find("Geometry"))
    # VTK reads single numbers otherwise: .03999999911 um
    assert [item.get("Precision") for item in grid.find("Geometry")] == ["8", "8"]
    assert [float(each) for each in [*origin, *steps]] == [-0.015, -0.01, -0.005, 0.03, 0.02, 0.01]
    for attribute in grid.findall("Attribute"):
        item = attribute.find("DataItem")
        file, path = item.text.split(":")
        with h5py.File(tmp_path / file) as root:
            assert list(root[path].shape) == [int(each) for each in item.get("Dimensions").split()]
            assert root[path].dtype.itemsize == int(item.get("Precision"))


def test_a_label_with_two_rows_is_refused(particle):
    table = pd.concat([particle.grains, particle.grains.iloc[:1]])
    with pytest.raises(InputError, match="70000"):
        dataclasses.replace(particle, grains=table)


def test_labels_beyond_63_bits_have_surfaces_and_are_refused_where_they_do_not_fit(tmp_path):
    labels = np.array([[[3, 2**63 + 5]]], np.uint64)
    particle = ExportedParticle(labels, SPACING, pd.DataFrame({"label": labels.ravel()}))
    written = write_exports(particle, tmp_path, ["stl", "dream3d"])
    assert sorted(file.name for file in written["stl"].iterdir()) == [
        "grain_3.stl", "grain_9223372036854775813.stl",
    ]  # fmt: skip
    with h5py.File(written["dream3d"]) as root:
        kept = root["DataContainers/ImageDataContainer/CellFeatureData/GrainLabels"][:, 0]
    assert kept.tolist() == [0, 3, 2**63 + 5]
    for name in ("vti", "vtp", "vtu", "tet", "tif"):
        with pytest.raises(InputError, match="9223372036854775813"):
            write_exports(particle, tmp_path, [name])


def test_hexahedra_fill_the_grains_and_share_their_corners(particle, labels, tmp_path):
    file = write_exports(particle, tmp_path, ["vtu"])["vtu"]
    points = vtk_array(file, "Points")
    cells = vtk_array(file, "connectivity").reshape(-1, 8)
    assert (vtk_array(file, "GrainLabel") == labels[labels > 0]).all()
    assert len(np.unique(points, axis=0)) == len(points)
    a, b, d, e = (points[cells[:, corner]] for corner in (0, 1, 3, 4))
    volume = np.einsum("ij,ij->i", b - a, np.cross(d - a, e - a))
    assert np.allclose(volume, np.prod(SPACING))  # positive: corners in the order of VTK
    centers = points[cells].mean(axis=1)
    assert np.allclose(centers[:, ::-1], np.argwhere(labels > 0) * np.array(SPACING))


def test_interfaces_for_paraview_name_the_grains_on_either_side(particle, labels, tmp_path):
    file = write_exports(particle, tmp_path, ["vtp"])["vtp"]
    mesh = interface_mesh(labels, SPACING, 10)
    pairs = np.stack([vtk_array(file, "GrainA"), vtk_array(file, "GrainB")], axis=1)
    assert (pairs == mesh.grains).all()
    diameter = vtk_array(file, "equivalent_diameter_nm_A")
    assert (diameter[pairs[:, 0] == 3] == 93).all()
    assert np.isnan(diameter[pairs[:, 0] == 0]).all()


def test_large_interfaces_are_made_block_by_block(tmp_path):
    """Triangles are in no array while they are written; each block begins anywhere in one."""
    labels = np.random.default_rng(5).integers(0, 6, (24, 25, 26)) * 7
    table = pd.DataFrame({"label": np.unique(labels)[:0:-1], "sphericity": np.linspace(0.5, 1, 5)})
    mesh = interface_mesh(labels, SPACING, 0)
    file = write_exports(
        ExportedParticle(labels, SPACING, table), tmp_path, ["vtp"], smoothing_steps=0
    )["vtp"]
    assert (vtk_array(file, "connectivity").reshape(-1, 3) == mesh.faces).all()
    assert (vtk_array(file, "offsets") == 3 * np.arange(1, len(mesh.faces) + 1)).all()
    assert (vtk_array(file, "Points") == mesh.vertices).all()
    for side, letter in enumerate("AB"):
        assert (vtk_array(file, f"Grain{letter}") == mesh.grains[:, side]).all()
        values = table.set_index("label")["sphericity"].reindex(mesh.grains[:, side])
        found = vtk_array(file, f"sphericity_{letter}")
        assert np.allclose(found, values, equal_nan=True)


def test_a_mesh_of_triangles_is_written_as_the_faces_from_which_it_came(particle, tmp_path):
    labels = np.where(particle.labels == 70_000, 2**62, particle.labels)
    smoothed = smoothed_faces(labels, SPACING, 5)
    for name, mesh in {"faces": smoothed, "triangles": smoothed.mesh()}.items():
        write_stl(mesh, tmp_path / name)
        write_surfaces(mesh, dataclasses.replace(particle, labels=labels), tmp_path / f"{name}.vtp")
    files = sorted((tmp_path / "faces").iterdir())
    assert [file.name for file in files] == sorted(f"grain_{label}.stl" for label in (3, 12, 2**62))
    for file in files:
        assert file.read_bytes() == (tmp_path / "triangles" / file.name).read_bytes()
    assert (tmp_path / "faces.vtp").read_bytes() == (tmp_path / "triangles.vtp").read_bytes()


def test_an_unknown_format_is_refused_with_those_that_exist(particle, tmp_path):
    with pytest.raises(SettingsError, match="dream3d"):
        write_exports(particle, tmp_path, ["obj"])


def test_volumes_of_another_window_are_refused(particle, labels):
    with pytest.raises(InputError, match="image_quality"):
        ExportedParticle(labels, SPACING, particle.grains, image_quality=np.zeros((2, 2, 2)))


def test_no_grain_is_no_mesh():
    with pytest.raises(InputError, match="no grain"):
        interface_mesh(np.zeros((2, 2, 2), int), SPACING)


def test_every_format_is_written(particle, tmp_path):
    written = write_exports(particle, tmp_path, FORMATS)
    assert {name: path.name for name, path in written.items()} == {
        name: file for name, (_, file) in FORMATS.items()
    }
    assert pd.read_csv(written["csv"])["label"].tolist() == [70_000, 3]


def test_each_file_names_the_preset_and_the_order_of_slices(particle, tmp_path):
    told = "edax_3 (as set); slice numbers falling along milling"
    formats = [name for name in FORMATS if name not in ("csv", "stl", "tesr")]
    written = write_exports(dataclasses.replace(particle, read_as=told), tmp_path / "a", formats)
    files = [*(tmp_path / "a").glob("*.*"), *written["tet"].iterdir()]
    for file in files:
        if file.suffix in (".json", ".tif") or file.is_dir():
            continue
        text = b" ".join(file.read_bytes().replace(b"** orientations: ", b"").split())
        assert told.encode() in text, file.name
        assert b"x right, y down, z along milling" in text, file.name
    with tifffile.TiffFile(written["tif"]) as image:
        assert told in image.imagej_metadata["Info"]
    head = next(write_exports(particle, tmp_path, ["stl"])["stl"].iterdir()).read_bytes()[:80]
    assert b"x right, y down, z milling" in head

    # Where nothing is known of orientations, no file says so.
    bare = dataclasses.replace(particle, euler_angles=None, read_as=told)
    written = write_exports(bare, tmp_path / "b", formats)
    for file in (tmp_path / "b").rglob("*.*"):
        if file.is_file():
            assert b"rientations: " not in file.read_bytes(), file.name


def test_a_raster_tessellation_is_what_neper_s_format_says(particle, tmp_path):
    angles = {
        "bunge_phi1": [0.5, 6.0, 1.0],
        "bunge_Phi": [0.0, np.pi, 1.0],
        "bunge_phi2": [0, 1, 2],
    }
    grains = pd.DataFrame({"label": [70_000, 3, 12], **angles})
    known = dataclasses.replace(particle, grains=grains)
    path = write_exports(known, tmp_path, ["tesr"])["tesr"]
    text = path.read_text()
    body = dict(zip(
        re.findall(r"^ *(\*+\w+)$", text, re.MULTILINE),
        [part.split() for part in re.split(r"^ *\*+\w+$", text, flags=re.MULTILINE)[1:]],
        strict=True,
    ))  # fmt: skip
    assert list(body) == [
        "***tesr", "**format", "**general", "*origin", "**cell", "*id", "*ori", "*crysym", "**data",
        "***end",
    ]  # fmt: skip
    assert body["**general"] == ["3", "8", "7", "6", "0.01", "0.02", "0.03"]
    assert body["*origin"] == ["-0.005", "-0.01", "-0.015"]
    assert body["**cell"] == ["3"]
    ids = np.array(body["*id"], int)
    assert ids.tolist() == [3, 12, 70_000]
    assert body["*ori"][0] == "euler-bunge:passive"
    turned = np.array(body["*ori"][1:], float).reshape(3, 3)
    np.testing.assert_allclose(turned, np.degrees(grains.set_index("label").loc[ids]), atol=1e-8)
    assert body["*crysym"] == ["-3m"]
    assert body["**data"][0] == "ascii"
    cells = np.array(body["**data"][1:], int).reshape(6, 7, 8)  # x first, then y, then z
    assert (np.append(0, ids)[cells] == particle.labels).all()


def test_a_raster_tessellation_has_no_orientations_where_a_grain_has_none(particle, tmp_path):
    assert "*ori\n" not in write_exports(particle, tmp_path, ["tesr"])["tesr"].read_text()
