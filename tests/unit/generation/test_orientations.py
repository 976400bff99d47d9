import numpy as np
import pandas as pd
import pytest

from electrode_grains.ebsd.orientations import (
    misorientation_angle,
    multiply,
    quaternions_from_euler,
    radial_orientations,
    random_orientations,
)
from electrode_grains.generation import OrientationStatistics, assign_orientations, fill_window
from electrode_grains.generation.orientations import (
    QUATERNION,
    describe_contacts,
    describe_lattice,
)
from electrode_grains.tessellation import ArchitectureModel

LAUE = "-3m"


@pytest.fixture(scope="module")
def packing():
    """Balls on a lattice: contacts of 12 x 12 x 12 cubes, labels with gaps."""
    shape = (12, 12, 12)
    labels = 3 * np.arange(1, 1 + np.prod(shape)).reshape(shape)
    pairs = [
        np.stack(
            [np.moveaxis(labels, axis, 0)[:-1].ravel(), np.moveaxis(labels, axis, 0)[1:].ravel()]
        )
        for axis in range(3)
    ]
    first, second = np.concatenate(pairs, axis=1)
    rng = np.random.default_rng(5)
    contacts = pd.DataFrame(
        {"label_a": first, "label_b": second, "interface_area_nm2": rng.uniform(1, 3, len(first))}
    )
    radii = np.argwhere(labels > 0)[:, ::-1] - 5.5
    return contacts, labels.ravel(), radii.astype(float)


def table(labels, quaternions, radii):
    told = describe_lattice(quaternions, radii, LAUE)
    columns = {name: told[f"quaternion_{name[-1]}"] for name in QUATERNION}
    return pd.DataFrame(
        {"label": labels, **columns, "c_axis_radial_angle": told["c_axis_radial_angle"]}
    )


def cumulative(values, weights, most):
    counts = np.histogram(values, 36, (0, most), weights=weights)[0]
    return np.cumsum(counts) / counts.sum()


def test_a_particle_of_twins_and_radial_axes_gets_virtual_ones(packing):
    contacts, labels, radii = packing
    rng = np.random.default_rng(0)
    quaternions = radial_orientations(radii, 0.4, rng)
    twin = [np.cos(np.pi / 6), np.sin(np.pi / 6), 0, 0]  # 60 degrees about a
    for place in rng.choice(len(labels) - 1, 500, replace=False):
        quaternions[place + 1] = multiply(twin, quaternions[place])
    data = OrientationStatistics.of_tables(table(labels, quaternions, radii), contacts, LAUE)
    found = assign_orientations(data, contacts, labels, radii, np.random.default_rng(1))
    made = describe_contacts(contacts, labels, found, LAUE)
    area = made["interface_area_nm2"]
    wanted = cumulative(data.angles, data.areas, np.pi)
    np.testing.assert_allclose(
        cumulative(made["misorientation_angle"], area, np.pi), wanted, atol=0.01
    )
    at_random = describe_contacts(contacts, labels, random_orientations(len(labels), rng), LAUE)
    far = cumulative(at_random["misorientation_angle"], area, np.pi) - wanted
    assert np.abs(far).max() > 0.05
    cosines = np.cos(describe_lattice(found, radii, LAUE)["c_axis_radial_angle"])
    share = np.mean(cosines > 0.9)
    assert share == pytest.approx(np.mean(data.radial_cosines > 0.9), abs=0.02)
    assert share > 0.25


def test_angles_across_contacts_are_misorientations(packing):
    contacts, labels, _ = packing
    quaternions = random_orientations(len(labels), np.random.default_rng(2))
    beyond = pd.concat([contacts, contacts.head(3).assign(label_a=0)])
    made = describe_contacts(beyond, labels, quaternions, LAUE)
    assert len(made) == len(contacts)
    row = made.iloc[77]
    first, second = (quaternions[int(row[side]) // 3 - 1] for side in ("label_a", "label_b"))
    assert row["misorientation_angle"] == pytest.approx(misorientation_angle(first, second, LAUE))


def test_a_lattice_is_told_by_its_angles():
    euler = np.radians([[30.0, 90.0, 10.0], [0, 0, 0]])
    along_c = [np.sin(np.pi / 6), -np.cos(np.pi / 6), 0]
    told = describe_lattice(quaternions_from_euler(euler), np.array([along_c, [1, 0, 0]]), LAUE)
    np.testing.assert_allclose(told["bunge_Phi"], euler[:, 1], atol=1e-12)
    # phi1 = 30 and Phi = 90 degrees lay c along (sin 30, -cos 30, 0); without a turn c is z.
    np.testing.assert_allclose(told["c_axis_radial_angle"], [0, np.pi / 2], atol=1e-6)
    cubic = describe_lattice(quaternions_from_euler(euler), np.eye(3)[:2], "m-3m")
    assert cubic["c_axis_radial_angle"].max() < 0.96  # 54.7 degrees: another c axis is nearer


def test_tables_without_orientations_have_no_statistics(packing):
    contacts, labels, radii = packing
    known = table(labels, random_orientations(len(labels), np.random.default_rng(3)), radii)
    of = OrientationStatistics.of_tables
    assert of(known[["label"]], contacts, LAUE) is None
    assert of(known, contacts.head(5), LAUE) is None
    few = known.assign(orientation_w=known["orientation_w"].where(known.index < 900))
    statistics = of(few, contacts, LAUE)
    assert len(statistics.radial_cosines) == 900
    assert len(statistics.turns) < len(contacts)


def test_a_window_is_filled_with_grains_of_such_orientations(packing):
    contacts, labels, radii = packing
    axes = radial_orientations(radii, 1.0, np.random.default_rng(4))
    data = OrientationStatistics.of_tables(table(labels, axes, radii), contacts, LAUE)
    model = ArchitectureModel(relaxation=2, roughness_nm=5.0)
    made = fill_window(model, (16, 30, 30), (70.0,) * 3, np.random.default_rng(0), data)
    assert np.median(np.cos(made.grains["c_axis_radial_angle"])) > 0.9
    assert set(made.contacts["label_a"]) <= set(made.grains["label"])
    assert made.contacts["misorientation_angle"].between(0, np.pi).all()
