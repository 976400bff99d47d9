"""Exports of any window keep labels, places and values; meshes keep areas, volumes and topology."""

import xml.etree.ElementTree as ElementTree

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.exports import (
    FORMATS,
    ExportedParticle,
    grain_surface,
    interface_mesh,
    write_exports,
    write_tiff_stack,
)
from electrode_grains.exports.mesh import grain_surfaces
from export_files import volume_of, vtk_array

SPACING = (30.0, 20.0, 10.0)
IDS = np.array([0, 2, 9, 65_536, 1_000_003])
few = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
chance = st.integers(0, 2**32 - 1).map(np.random.default_rng)
windows = st.tuples(*[st.integers(1, 5)] * 3)


def areas(vertices, faces):
    corners = vertices[faces]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return sides / 2


def euler_characteristic(faces):
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return faces.max() + 1 - len(np.unique(np.sort(sides, axis=1), axis=0)) + len(faces)


@few
@given(rng=chance, shape=windows)
def test_every_volume_format_keeps_the_labels_of_any_window(rng, shape, tmp_path):
    labels = rng.choice(IDS, shape)
    particle = ExportedParticle(labels, SPACING, pd.DataFrame({"label": IDS[1:]}))
    written = write_exports(particle, tmp_path, ["vti", "tif", "dream3d"])
    assert (vtk_array(written["vti"], "GrainLabel").reshape(shape) == labels).all()
    assert (tifffile.imread(written["tif"]).reshape(shape) == labels).all()
    with h5py.File(written["dream3d"]) as root:
        container = root["DataContainers/ImageDataContainer"]
        assert container["_SIMPL_GEOMETRY/DIMENSIONS"][:].tolist() == list(shape[::-1])
        assert container["_SIMPL_GEOMETRY/SPACING"][:] == pytest.approx([0.01, 0.02, 0.03])
        numbers = container["CellData/FeatureIds"][..., 0]
        assert (container["CellFeatureData/GrainLabels"][:, 0][numbers] == labels).all()


@few
@example(rng=np.random.default_rng(0), shape=(3, 4, 1), high=255)
@given(rng=chance, shape=windows, high=st.sampled_from([255, 65_535, 65_536]))
def test_imagej_sees_slices_rows_and_columns(rng, shape, high, tmp_path):
    values = rng.integers(0, high + 1, shape)
    values.flat[0] = high
    write_tiff_stack(values, SPACING, tmp_path / "any.tif")
    with tifffile.TiffFile(tmp_path / "any.tif") as file:
        assert len(file.pages) == shape[0]
        assert file.pages[0].shape == shape[1:]
        assert file.pages[0].dtype == (np.float32 if high > 65_535 else np.uint16)
        assert file.imagej_metadata["spacing"] == pytest.approx(0.03)
        assert (np.stack([page.asarray() for page in file.pages]) == values).all()


def test_negative_labels_are_refused_for_imagej(tmp_path):
    with pytest.raises(InputError, match="-4 to 7") as refused:
        write_tiff_stack(np.array([[[-4, 7]]]), SPACING, tmp_path / "no.tif")
    assert "16777216" in str(refused.value)
    assert not (tmp_path / "no.tif").exists()


@few
@given(rng=chance, shape=windows, spacing=st.tuples(*[st.floats(0.5, 900)] * 3))
def test_areas_of_voxel_faces_are_counted_between_each_two_labels(rng, shape, spacing):
    labels = rng.choice(IDS, shape)
    labels.flat[0] = 2
    mesh = interface_mesh(labels, spacing, 0)
    size = np.linalg.norm(areas(mesh.vertices, mesh.faces), axis=1)
    padded = np.pad(labels, 1)
    expected = {}
    for axis, face in enumerate(np.prod(spacing) / np.array(spacing)):
        moved = np.moveaxis(padded, axis, 0)
        for pair in zip(moved[:-1].flat, moved[1:].flat, strict=True):
            expected[pair] = expected.get(pair, 0.0) + face * (pair[0] != pair[1])
    for pair in np.unique(mesh.grains, axis=0):
        found = size[(mesh.grains == pair).all(axis=1)].sum()
        assert found == pytest.approx(expected.pop(tuple(pair)))
    assert not any(expected.values())


@few
@given(rng=chance, shape=windows)
def test_normals_point_from_the_first_grain_to_the_second(rng, shape):
    labels = rng.choice(IDS, shape)
    labels.flat[-1] = 9
    mesh = interface_mesh(labels, SPACING, 0)
    vectors = areas(mesh.vertices, mesh.faces)
    steps = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    # A triangle and its partner make a voxel face; its centre is that of their long edge.
    half = len(mesh.faces) // 2
    centers = (mesh.vertices[mesh.faces[:half, 0]] + mesh.vertices[mesh.faces[:half, 2]]) / 2
    padded = np.pad(labels, 1)
    for side, sign in ((0, -0.5), (1, 0.5)):
        places = centers / SPACING[::-1] + sign * steps[:half]
        z, y, x = np.rint(places[:, ::-1]).astype(int).T + 1
        assert (padded[z, y, x] == mesh.grains[:half, side]).all()


@few
@given(rng=chance, shape=windows, steps=st.sampled_from([0, 3]))
def test_meshes_do_not_depend_on_the_numbers_of_the_grains(rng, shape, steps):
    labels = rng.integers(0, 5, shape)
    labels.flat[0] = 1
    one, other = (interface_mesh(each, SPACING, steps) for each in (labels, IDS[labels]))
    assert (one.faces == other.faces).all()
    assert (one.vertices == other.vertices).all()
    assert (IDS[one.grains] == other.grains).all()


@few
@given(rng=chance, steps=st.sampled_from([0, 4]), factor=st.floats(0.01, 100))
def test_meshes_scale_with_the_spacing_and_turn_with_the_axes(rng, steps, factor):
    labels = rng.integers(0, 4, (3, 4, 5))
    labels[0, 0, 0] = 3
    mesh = interface_mesh(labels, SPACING, steps)
    larger = interface_mesh(labels, tuple(factor * step for step in SPACING), steps)
    np.testing.assert_allclose(larger.vertices, factor * mesh.vertices, atol=1e-9 * factor)
    if steps == 0:  # smoothing goes along the diagonals of quads, which depend on the axes
        turned = interface_mesh(labels.transpose(1, 2, 0), (*SPACING[1:], SPACING[0]), 0)
        for label, vertices, faces in grain_surfaces(mesh):
            again, their = grain_surface(turned, label)
            assert (np.unique(vertices[:, [2, 0, 1]], axis=0) == np.unique(again, axis=0)).all()
            assert volume_of(again, their) == pytest.approx(volume_of(vertices, faces))


def box(*cut):
    solid = np.zeros((7, 7, 7), int)
    solid[1:6, 1:6, 1:6] = 65_536
    for part in cut:
        solid[part] = 0
    return solid


@pytest.mark.parametrize("steps", [0, 8])
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (box(), 2),
        (box(np.s_[:, 3, 3]), 0),  # one hole through
        (box(np.s_[:, 2, 2], np.s_[:, 4, 4]), -2),  # two of them
        (box(np.s_[3, 3, 3]), 4),  # a void makes a second sphere
    ],
    ids=["ball", "ring", "two holes", "void"],
)
def test_surfaces_have_the_euler_characteristic_of_their_shape(labels, expected, steps):
    _, faces = grain_surface(interface_mesh(labels, SPACING, steps), 65_536)
    assert euler_characteristic(faces) == expected


def test_a_lone_grain_ends_at_the_window():
    mesh = interface_mesh(np.full((2, 3, 4), 80_000), SPACING, 10)
    assert mesh.vertices.min(axis=0).tolist() == [-5, -10, -15]
    assert mesh.vertices.max(axis=0).tolist() == [35, 50, 45]
    assert volume_of(*grain_surface(mesh, 80_000)) == pytest.approx(60 * 60 * 40)
    assert {tuple(sorted(pair)) for pair in mesh.grains.tolist()} == {(0, 80_000)}


@few
@given(rng=chance, shape=windows)
def test_stl_files_are_closed_and_hold_the_volume_of_their_grain(rng, shape, tmp_path):
    labels = rng.choice(IDS, shape)
    labels.flat[0] = 2
    particle = ExportedParticle(labels, SPACING, pd.DataFrame({"label": IDS[1:]}))
    folder = write_exports(particle, tmp_path, ["stl"], smoothing_steps=0)["stl"]
    found = {int(file.stem.removeprefix("grain_")): file for file in folder.iterdir()}
    assert sorted(found) == np.unique(labels[labels > 0]).tolist()  # none left of another draw
    for label, file in found.items():
        kind = [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")]
        rows = np.frombuffer(file.read_bytes(), kind, offset=84)
        corners = rows["corners"].astype(float)
        vectors = areas(corners.reshape(-1, 3), np.arange(3 * len(rows)).reshape(-1, 3))
        assert np.allclose(vectors.sum(axis=0), 0)  # closed
        size = np.linalg.norm(vectors, axis=1, keepdims=True)
        assert np.allclose(rows["normal"] * size, vectors, atol=1e-3)
        volume = np.einsum("ij,ij->", corners.mean(axis=1), vectors) / 3
        assert volume == pytest.approx(
            (labels == label).sum() * np.prod(SPACING), rel=3e-2
        )  # a lone voxel divided at all corners is drawn in by 1 % along each axis


def test_descriptors_reach_dream3d_in_micrometres_to_their_power(tmp_path):
    table = pd.DataFrame(
        {"label": [4], "equivalent_diameter_nm": [500.0], "volume_nm3": [2e9], "sphericity": [0.9]}
    )
    particle = ExportedParticle(np.full((1, 2, 2), 4), SPACING, table)
    file = write_exports(particle, tmp_path, ["dream3d"])["dream3d"]
    with h5py.File(file) as root:
        features = root["DataContainers/ImageDataContainer/CellFeatureData"]
        assert features["EquivalentDiameters"][1, 0] == pytest.approx(0.5)
        values = sorted(float(each[1, 0]) for each in features.values())
    assert values == pytest.approx(sorted([1, 1, 4, 0.5, 2, 0.9]))  # the first: Active, Phases


@few
@given(rng=chance)
def test_the_order_of_the_grain_table_does_not_matter(rng):
    labels = rng.choice(IDS, (3, 4, 5))
    table = pd.DataFrame({"label": IDS[1:], "sphericity": rng.random(4)})
    one, other = (
        ExportedParticle(labels, SPACING, each).values["sphericity"]
        for each in (table, table.sample(frac=1, random_state=int(rng.integers(99))))
    )
    np.testing.assert_array_equal(one, other)


def test_a_window_without_grains_is_kept_as_voxels_and_refused_as_mesh(tmp_path):
    table = pd.DataFrame({"label": [], "sphericity": []})
    particle = ExportedParticle(np.zeros((2, 3, 4), int), SPACING, table)
    written = write_exports(particle, tmp_path, ["vti", "tif", "dream3d", "xdmf", "tesr", "csv"])
    assert not vtk_array(written["vti"], "GrainLabel").any()
    assert np.isnan(vtk_array(written["vti"], "sphericity")).all()
    assert not tifffile.imread(written["tif"]).any()
    with h5py.File(written["dream3d"]) as root:
        features = root["DataContainers/ImageDataContainer/CellFeatureData"]
        assert {each.shape for each in features.values()} == {(1, 1)}
    assert pd.read_csv(written["csv"]).empty
    assert " **cell\n   0\n  *id\n  *crysym" in written["tesr"].read_text()
    for name in sorted(set(FORMATS) - set(written)):
        with pytest.raises(InputError, match="no grain"):
            write_exports(particle, tmp_path, [name])
        assert not (tmp_path / FORMATS[name][1]).exists()  # nothing half written


def test_vtk_pieces_count_their_points_cells_and_faces(tmp_path):
    labels = np.array([[[7, 7]], [[0, 9]]], np.uint16)
    particle = ExportedParticle(labels, SPACING, pd.DataFrame({"label": [7, 9]}))
    written = write_exports(particle, tmp_path, ["vtu", "vtp"], smoothing_steps=0)
    piece = next(ElementTree.parse(written["vtu"]).iter("Piece"))
    assert (piece.get("NumberOfPoints"), piece.get("NumberOfCells")) == ("16", "3")
    assert vtk_array(written["vtu"], "offsets").tolist() == [8, 16, 24]
    assert vtk_array(written["vtu"], "GrainLabel").tolist() == [7, 7, 9]
    faces = vtk_array(written["vtp"], "connectivity").reshape(-1, 3)
    points = vtk_array(written["vtp"], "Points")
    assert next(ElementTree.parse(written["vtp"]).iter("Piece")).get("NumberOfPolys") == "30"
    assert len(faces) == 30  # 14 faces to what is no grain, and 1 between both grains
    assert np.unique(faces).tolist() == list(range(len(points)))


def test_a_mesh_refuses_labels_and_steps_that_it_cannot_have():
    labels = np.array([[[3, 2**31]]])
    with pytest.raises(SettingsError, match="smoothing_steps -1"):
        interface_mesh(labels, SPACING, -1)
    with pytest.raises(InputError, match="5"):
        grain_surface(interface_mesh(labels, SPACING, 0), 5)
    with pytest.raises(InputError, match="-2"):
        interface_mesh(np.array([[[3, -2]]]), SPACING, 0)
