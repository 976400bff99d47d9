"""The same quantities by other libraries, where those are right."""

import cc3d
import numpy as np
import SimpleITK as sitk  # noqa: N813, the library's own abbreviation
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table
from skimage.morphology import convex_hull_image

from electrode_grains.morphometry import (
    characterize_grains,
    measure_contacts,
    measure_volume,
    summarize_particle,
)
from proofs import agree, proves

CUBIC = (1.0, 1.0, 1.0)
SPACING = (50.0, 30.0, 20.0)


def mosaic(shape, count, seed):
    """Cells of nearest seeds, one in six empty, none named without a gap."""
    seeds = np.random.default_rng(seed).random((count, 3)) * shape
    place = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    nearest = ((place - seeds) ** 2).sum(axis=-1).argmin(axis=-1)
    return np.where(nearest % 6 == 0, 0, 3 * nearest).astype(np.int32)


shapes = st.tuples(*[st.integers(4, 14)] * 3)


@proves(
    "grain_table",
    "label",
    "voxel_count",
    "surface_area_nm2",
    "centroid_x_nm",
    "centroid_y_nm",
    "centroid_z_nm",
    oracle="another program",
    by="SimpleITK LabelShapeStatistics",
)
@settings(deadline=None, max_examples=15)
@given(shape=shapes, count=st.integers(1, 20), seed=st.integers(0, 999))
def test_surfaces_and_centroids_are_those_of_simpleitk(shape, count, seed):
    labels = np.pad(mosaic(shape, count, seed), 2)  # its perimeter ignores what leaves the image
    table = characterize_grains(labels, CUBIC)
    peer = sitk.LabelShapeStatisticsImageFilter()
    peer.Execute(sitk.GetImageFromArray(labels))
    assert table["label"].tolist() == list(peer.GetLabels())
    for row in table.itertuples():
        agree("surface_area_nm2", row.surface_area_nm2, peer.GetPerimeter(row.label), rel=1e-6)
        assert row.voxel_count == peer.GetNumberOfPixels(row.label)
        for axis, expected in zip("xyz", peer.GetCentroid(row.label), strict=True):
            name = f"centroid_{axis}_nm"
            agree(name, getattr(row, name), expected, abs=1e-9)


@proves(
    "grain_table",
    "volume_nm3",
    "equivalent_diameter_nm",
    "half_axis_long_nm",
    oracle="another program",
    by="scikit-image regionprops",
)
@settings(deadline=None, max_examples=15)
@given(shape=shapes, count=st.integers(1, 20), seed=st.integers(0, 999))
def test_moments_and_boxes_are_those_of_scikit_image(shape, count, seed):
    labels = mosaic(shape, count, seed)
    table = characterize_grains(labels, SPACING)
    peer = regionprops_table(
        labels,
        spacing=SPACING,
        properties=(
            "label",
            "area",
            "bbox",
            "equivalent_diameter_area",
            "inertia_tensor_eigvals",
        ),
    )
    assert table["label"].tolist() == peer["label"].tolist()
    agree("volume_nm3", table["volume_nm3"], peer["area"], rel=1e-9)
    diameters = peer["equivalent_diameter_area"]
    agree("equivalent_diameter_nm", table["equivalent_diameter_nm"], diameters, rel=1e-9)
    for axis, name in enumerate("zyx"):
        assert table[f"box_first_{name}"].tolist() == peer[f"bbox-{axis}"].tolist()
        assert (table[f"box_last_{name}"] + 1).tolist() == peer[f"bbox-{axis + 3}"].tolist()
    # Inertia about an axis is the sum of the other two variances, so the least one belongs
    # to the longest half-axis.
    inertia = np.stack([peer[f"inertia_tensor_eigvals-{i}"] for i in range(3)])
    variances = np.maximum(inertia.sum(axis=0) / 2 - inertia, 0)
    longest = np.sqrt(5 * variances.max(axis=0))
    agree("half_axis_long_nm", table["half_axis_long_nm"], longest, abs=1e-4)


@proves(
    "grain_table",
    "voxel_count",
    "box_first_z",
    "box_first_y",
    "box_first_x",
    "box_last_z",
    "box_last_y",
    "box_last_x",
    "neighbour_count",
    oracle="another program",
    by="cc3d statistics, contacts",
)
@proves(
    "contact_table",
    "label_a",
    "label_b",
    "face_contact_count",
    oracle="another program",
    by="cc3d contacts",
)
@proves("particle_summary", "contact_count", oracle="another program", by="cc3d contacts")
@settings(deadline=None, max_examples=15)
@given(shape=shapes, count=st.integers(1, 20), seed=st.integers(0, 999))
def test_counts_boxes_and_contacts_are_those_of_cc3d(shape, count, seed):
    labels = mosaic(shape, count, seed)
    table = characterize_grains(labels, CUBIC)
    peer = cc3d.statistics(labels.astype(np.uint32))
    present = table["label"].to_numpy()
    assert table["voxel_count"].tolist() == peer["voxel_counts"][present].tolist()
    for row in table.itertuples():
        box = peer["bounding_boxes"][row.label]
        assert [row.box_first_z, row.box_first_y, row.box_first_x] == [s.start for s in box]
        assert [row.box_last_z, row.box_last_y, row.box_last_x] == [s.stop - 1 for s in box]
    contacts = measure_contacts(labels, CUBIC)
    inner = contacts[contacts["label_a"] > 0]
    touching = inner[["label_a", "label_b"]].itertuples(index=False, name=None)
    assert set(touching) == set(
        cc3d.contacts(labels.astype(np.uint32), connectivity=26, surface_area=False)
    )
    faces = cc3d.contacts(labels.astype(np.uint32), connectivity=6, surface_area=True)
    by_face = inner[inner["face_contact_count"] > 0].set_index(["label_a", "label_b"])
    assert by_face["face_contact_count"].to_dict() == faces
    sides = np.array(list(faces), int).reshape(-1)
    assert table["neighbour_count"].tolist() == [(sides == label).sum() for label in present]
    assert summarize_particle(labels, CUBIC)["contact_count"] == len(inner)


@proves(
    "grain_table",
    "hull_voxel_count",
    "convexity",
    oracle="another program",
    by="scikit-image convex_hull_image, offset_coordinates=False",
)
@settings(deadline=None, max_examples=6)
@given(shape=shapes, count=st.integers(1, 8), seed=st.integers(0, 999))
def test_hulls_of_cells_are_those_of_scikit_image_without_offset(shape, count, seed):
    labels = mosaic(shape, count, seed)
    for row in characterize_grains(labels, CUBIC).itertuples():
        if row.degenerate_reason.startswith(("one", "voxels")):
            continue  # where scikit-image returns an empty image
        box = tuple(
            slice(getattr(row, f"box_first_{axis}"), getattr(row, f"box_last_{axis}") + 1)
            for axis in "zyx"
        )
        hull = convex_hull_image(labels[box] == row.label, offset_coordinates=False)
        assert row.hull_voxel_count == hull.sum()
        agree("convexity", row.convexity, row.voxel_count / hull.sum(), rel=1e-12)


@proves(
    "grain_table",
    "surface_distance_nm",
    "distance_to_center_nm",
    oracle="high precision",
    by="all faces, one by one",
)
def test_distances_to_the_surface_are_those_to_every_face():
    labels = mosaic((12, 14, 16), 12, 3)
    partial = measure_volume(labels)
    faces = []
    for axis in range(3):
        ahead = np.moveaxis(labels, axis, 0)
        apart = np.moveaxis((ahead[:-1] == 0) != (ahead[1:] == 0), 0, axis)
        faces.append(np.argwhere(apart) + 0.5 * np.eye(3)[axis])
    points = np.concatenate(faces) * SPACING
    assert len(points) == len(partial.faces)
    middle = np.argwhere(labels > 0).mean(axis=0) * SPACING
    for row in characterize_grains(labels, SPACING).itertuples():
        place = (row.centroid_z_nm, row.centroid_y_nm, row.centroid_x_nm)
        nearest = np.linalg.norm(points - place, axis=1).min()
        agree("surface_distance_nm", row.surface_distance_nm, nearest, abs=1e-9)
        distance = np.linalg.norm(np.argwhere(labels == row.label).mean(axis=0) * SPACING - middle)
        agree("distance_to_center_nm", row.distance_to_center_nm, distance, abs=1e-9)
