"""Tetrahedra fill the grains, and finite-element programs read them with their sets."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from electrode_grains.exports import (
    ExportedParticle,
    interface_mesh,
    mesh_quality,
    tetrahedral_mesh,
    write_exports,
)
from electrode_grains.exports.manifold import divided
from electrode_grains.exports.mesh import grain_surfaces
from export_files import volume_of
from unit.exports.test_smoothing import foam

SPACING = (30.0, 20.0, 25.0)
LABELS = np.array([[[3, 3, 9], [3, 3, 9]], [[3, 7, 9], [7, 7, 0]]])
some = settings(max_examples=8)
chance = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@pytest.fixture
def particle():
    table = pd.DataFrame({
        "label": [3, 7, 9], "equivalent_diameter_nm": [80.0, 60.0, 50.0],
        "bunge_phi1": [0.3, 0.1, np.nan], "bunge_Phi": [0.5, 0.9, np.nan],
        "bunge_phi2": [0.2, 0.4, np.nan],
    })  # fmt: skip
    return ExportedParticle(LABELS, SPACING, table, material="NMC 811")


@some
@given(rng=chance, steps=st.sampled_from([0, 1, 10]))
def test_tetrahedra_fill_any_grains_without_small_angles(rng, steps):
    labels = rng.integers(0, 4, rng.integers(1, 6, 3)) * 11
    labels.flat[0] = 5
    mesh = tetrahedral_mesh(labels, SPACING, steps)
    quality = mesh_quality(mesh, labels, SPACING)
    assert quality["least_angle_degrees"] >= 10 * (1 - 1e-9)
    assert quality["least_volume_nm3"] > 0
    # Faces are those of the tetrahedra that belong to one of them, or to two of different grains.
    corners = np.concatenate([np.delete(mesh.cells, at, axis=1) for at in range(4)])
    owners = np.tile(mesh.grains, 4)
    found, which, times = np.unique(
        np.sort(corners, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    assert times.max() <= 2
    low, high = np.full(len(found), 2**40), np.zeros(len(found), int)
    np.minimum.at(low, which.ravel(), owners)
    np.maximum.at(high, which.ravel(), owners)
    assert (
        np.unique(np.sort(mesh.faces, axis=1), axis=0) == found[(times == 1) | (low < high)]
    ).all()


@pytest.mark.parametrize("spacing", [(50.0, 50.0, 50.0), (100.0, 50.0, 50.0)])
def test_tetrahedra_keep_the_volumes_of_grains(spacing):
    labels = foam((20, 20, 20), 14)
    quality = mesh_quality(tetrahedral_mesh(labels, spacing), labels, spacing)
    assert quality["grains"] == len(np.unique(labels)) - 1
    assert quality["greatest_volume_error"] < 0.01
    assert quality["least_angle_degrees"] >= 10 * (1 - 1e-9)


def test_cohesive_elements_join_grains_that_share_no_point():
    plain, mesh = (tetrahedral_mesh(LABELS, SPACING, 3, cohesive) for cohesive in (False, True))
    assert np.array_equal(mesh.points[mesh.cells], plain.points[plain.cells])
    sides = mesh.sides[(mesh.sides > 0).all(axis=1)]
    assert len(mesh.cohesive) == len(sides) > 0
    assert np.array_equal(mesh.points[mesh.cohesive[:, :3]], mesh.points[mesh.cohesive[:, 3:]])
    owner = np.zeros(len(mesh.points), int)
    owner[mesh.cells] = mesh.grains[:, None]
    assert (owner[mesh.cells] == mesh.grains[:, None]).all()  # no point has two grains
    assert (owner[mesh.cohesive[:, :3]] == sides[:, :1]).all()
    assert (owner[mesh.cohesive[:, 3:]] == sides[:, 1:]).all()


@pytest.mark.parametrize("cohesive", [False, True])
def test_meshio_reads_what_was_meshed(particle, tmp_path, cohesive):
    meshio = pytest.importorskip("meshio", reason="meshio is not installed")
    folder = write_exports(particle, tmp_path, ["tet"], cohesive=cohesive)["tet"]
    mesh = tetrahedral_mesh(LABELS, SPACING, 10, cohesive)
    if cohesive:  # meshio does not know COH3D6
        assert "*ELEMENT, TYPE=COH3D6, ELSET=COHESIVE\n" in (folder / "grains.inp").read_text()
    suffixes = ("vtu", "msh") if cohesive else ("vtu", "msh", "inp")
    by_kind = {suffix: meshio.read(folder / f"grains.{suffix}") for suffix in suffixes}
    for found in by_kind.values():
        np.testing.assert_allclose(found.points, mesh.points, atol=1e-6)
        cells = [block.data for block in found.cells if block.type == "tetra"]
        assert np.array_equal(np.concatenate(cells), mesh.cells)
        wedges = [block.data for block in found.cells if block.type.startswith("wedge")]
        assert sum(len(each) for each in wedges) == len(mesh.cohesive)
    grid = by_kind["vtu"]
    assert np.array_equal(grid.cell_data["GrainLabel"][0].ravel(), mesh.grains)
    angles = grid.cell_data["EulerAngles"][0]
    assert angles[mesh.grains == 7] == pytest.approx(
        np.array([[0.1, 0.9, 0.4]] * (mesh.grains == 7).sum())
    )
    tags = by_kind["msh"].cell_data_dict["gmsh:physical"]["tetra"]
    tag_of = {name: tag for name, (tag, size) in by_kind["msh"].field_data.items() if size == 3}
    for label in (3, 7, 9):
        assert ((tags == tag_of[f"grain_{label}"]) == (mesh.grains == label)).all()
    assert {"interface_3_7", "interface_3_9", "surface_9"} <= set(by_kind["msh"].field_data)
    quality = json.loads((folder / "quality.json").read_text())
    assert quality["tetrahedra"] == len(mesh.cells)


def test_gmsh_opens_interfaces_and_tetrahedra_with_their_names(particle, tmp_path):
    try:
        import gmsh
    except (ImportError, OSError) as error:  # a system library is missing
        pytest.skip(f"gmsh cannot be loaded: {error}")
    written = write_exports(particle, tmp_path, ["msh", "tet"], cohesive=True)
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        for file, volumes in ((written["msh"], 0), (written["tet"] / "grains.msh", 4)):
            gmsh.open(str(file))
            groups = gmsh.model.getPhysicalGroups()
            names = [gmsh.model.getPhysicalName(*group) for group in groups]
            assert sum(size == 3 for size, _ in groups) == volumes
            assert {"interface_3_7", "interface_7_9", "surface_3"} <= set(names)
    finally:
        gmsh.finalize()


def test_a_name_adds_no_line_to_an_abaqus_file(particle, tmp_path):
    named = dataclasses.replace(particle, name="a\n*INCLUDE, INPUT=b\x1b[2J\u2028")
    folder = write_exports(named, tmp_path, ["tet"], smoothing_steps=0)["tet"]
    lines = (folder / "grains.inp").read_bytes().split(b"\n")
    assert lines[1].startswith(b"a\\n*INCLUDE, INPUT=b\\x1b[2J\\u2028: lengths in nm")
    assert next(line for line in lines[2:] if not line.startswith(b"**")) == b"*NODE, NSET=ALL"


def test_abaqus_sets_sections_orientations_and_surfaces(particle, tmp_path):
    folder = write_exports(particle, tmp_path, ["tet"], smoothing_steps=0)["tet"]
    text = (folder / "grains.inp").read_text()
    mesh = tetrahedral_mesh(LABELS, SPACING, 0)
    for label in (3, 7, 9):
        assert f"*ELEMENT, TYPE=C3D4, ELSET=GRAIN_{label}\n" in text
    assert "*SOLID SECTION, ELSET=GRAIN_7, MATERIAL=NMC_811, ORIENTATION=ORI_7\n" in text
    assert "*SOLID SECTION, ELSET=GRAIN_9, MATERIAL=NMC_811\n" in text  # no orientation is known
    values = re.search(r"NAME=ORI_7, SYSTEM=RECTANGULAR\n(.+)", text)[1]
    first, second = np.array([float(each) for each in values.split(",")]).reshape(2, 3)
    c1, s1, c, s, c2, s2 = (f(each) for each in (0.1, 0.9, 0.4) for f in (np.cos, np.sin))
    # rows of Bunge's matrix, which takes the sample to the crystal
    assert first == pytest.approx([c1 * c2 - s1 * s2 * c, s1 * c2 + c1 * s2 * c, s2 * s])
    assert second == pytest.approx([-c1 * s2 - s1 * c2 * c, -s1 * s2 + c1 * c2 * c, c2 * s])
    corners = {"S1": [0, 1, 2], "S2": [0, 3, 1], "S3": [1, 3, 2], "S4": [2, 3, 0]}  # of C3D4
    outer = (mesh.sides == 0).any(axis=1)
    interface = (np.sort(mesh.sides, axis=1) == [3, 9]).all(axis=1)
    for name, wanted in (("OUTER", outer), ("I_3_9", interface)):
        found = re.search(rf"NAME={name}, TYPE=ELEMENT\n((?:\d+, S\d\n)+)", text)[1]
        rows = found.split("\n")[:-1]
        named = {
            tuple(sorted(mesh.cells[int(element) - 1][corners[side]].tolist()))
            for element, side in (row.split(", ") for row in rows)
        }
        assert named == {tuple(sorted(face)) for face in mesh.faces[wanted].tolist()}
        assert len(rows) == wanted.sum()


def test_diffusion_through_layers_in_series_is_that_of_the_harmonic_mean():
    """The how-to of docs/exports.md."""
    fem = pytest.importorskip("skfem", reason="scikit-fem is not installed")
    from skfem.helpers import dot, grad

    labels = np.repeat([3, 7, 9], [2, 3, 1])[None, None, :] + np.zeros((3, 3, 6), int)
    mesh = tetrahedral_mesh(labels, (50, 50, 50))
    grid = fem.MeshTet(mesh.points.T / 1000, mesh.cells.T)  # um
    basis = fem.Basis(grid, fem.ElementTetP1())
    diffusivity = np.select([mesh.grains == 3, mesh.grains == 7], [1.0, 4.0], 0.5)

    @fem.BilinearForm
    def weighted(u, v, w):
        return w.d * dot(grad(u), grad(v))

    constant = fem.Basis(grid, fem.ElementTetP0(), quadrature=basis.quadrature)
    stiffness = weighted.assemble(basis, d=constant.interpolate(diffusivity))
    x = grid.p[0]
    low, high = np.flatnonzero(x < x.min() + 1e-9), np.flatnonzero(x > x.max() - 1e-9)
    values = np.zeros(len(x))
    values[high] = 1.0
    found = fem.solve(*fem.condense(stiffness, x=values, D=np.concatenate([low, high])))
    current = found @ stiffness @ found
    series = 1 / (0.1 / 1.0 + 0.15 / 4.0 + 0.05 / 0.5)  # um2/s over the thickness of each layer
    assert current == pytest.approx(0.15**2 * series, rel=1e-9)


@some
@given(rng=chance, steps=st.sampled_from([0, 5]))
@example(rng=np.random.default_rng(392), steps=0)  # wedges that hang together at both ends
def test_surfaces_that_touch_themselves_become_manifolds(rng, steps):
    labels = rng.integers(0, 3, (4, 4, 4))
    labels.flat[0] = 1
    for _, vertices, faces in grain_surfaces(interface_mesh(labels, SPACING, steps)):
        places, divided_faces = divided(vertices, faces)
        sides = np.concatenate(
            [divided_faces[:, [0, 1]], divided_faces[:, [1, 2]], divided_faces[:, [2, 0]]]
        )
        _, times = np.unique(np.sort(sides, axis=1), axis=0, return_counts=True)
        assert (times == 2).all()
        assert len(np.unique(np.round(places, 3), axis=0)) == len(places)  # and stay so by place
        volume = volume_of(vertices, faces)
        assert volume_of(places, divided_faces) == pytest.approx(volume, rel=0.02)


def test_voxels_that_share_an_edge_become_two_bodies():
    labels = np.array([[[1, 2], [2, 1]]])
    trimesh = interface_mesh(labels, SPACING, 0)
    _, vertices, faces = next(iter(grain_surfaces(trimesh)))
    assert len(vertices) == 14
    assert len(divided(vertices, faces)[0]) == 16


def test_labels_that_no_integer_holds_are_refused(particle, tmp_path):
    great = dataclasses.replace(particle, labels=LABELS.astype(np.uint64) << np.uint64(60))
    from electrode_grains.errors import InputError

    with pytest.raises(InputError, match="renumber"):
        write_exports(great, tmp_path, ["tet"])
