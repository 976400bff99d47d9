"""Every published number has a formula and a proof on the page of proofs."""

import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks import validation

from electrode_grains.descriptors import DESCRIPTORS
from electrode_grains.distributions import (
    CopulaCandidate,
    MarginalCandidate,
    MarginalFit,
    PairFit,
)
from electrode_grains.grains import measure_voids
from electrode_grains.morphometry import ParticleSummary, measure_contacts
from electrode_grains.morphometry.crofton import transition_areas
from proofs import agree, proves

TESTS = Path(__file__).parent


def contact_columns():
    labels = np.array([[[1, 2]]])
    lattice = np.full((*labels.shape, 4), [1.0, 0, 0, 0])
    return set(measure_contacts(labels, (1, 1, 1), orientations=lattice).columns)


def void_columns():
    labels = np.ones((3, 3, 3), int)
    labels[1, 1, 1] = 0
    return set(measure_voids((labels == 0).astype(int), labels, (1, 1, 1))[0].columns)


def fields(*records):
    names = {name for record in records for name in record.model_fields}
    return names - {"x", "y", "unit", "candidates"}


PUBLISHED = {
    "grain_table": lambda: set(DESCRIPTORS),
    "contact_table": contact_columns,
    "void_table": void_columns,
    "particle_summary": lambda: set(ParticleSummary.names()),
    "marginal_fits": lambda: fields(MarginalFit, MarginalCandidate),
    "copula_fits": lambda: fields(PairFit, CopulaCandidate),
    "report_tables": lambda: {f"table_{number}" for number in range(1, 5)},
}


@pytest.mark.parametrize("table", PUBLISHED)
def test_every_published_number_is_on_the_page(table):
    assert set(validation.quantities()[table]) == PUBLISHED[table]()


def test_every_number_on_the_page_has_a_proof():
    proved = {(proof["table"], proof["quantity"]) for proof in validation.proofs()}
    declared = validation.quantities()
    unproved = [
        (table, name) for table in declared for name in declared[table]
        if (table, name) not in proved
    ]  # fmt: skip
    assert unproved == []


def test_every_proof_is_a_test_of_today():
    marked = {}
    for path in TESTS.rglob("test_*.py"):
        text = path.read_text()
        for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE):
            marked[f"{path.name}::{name}"] = "proves" in text
    outdated = {p["test"] for p in validation.proofs() if not marked.get(p["test"], False)}
    assert outdated == set()


def test_the_page_is_made_of_the_proofs():
    assert validation.PAGE.read_text() == validation.page(
        validation.quantities(), validation.proofs()
    )


def test_a_number_without_proof_says_so():
    declared = {"grain_table": {"size": {"formula": "a | b"}}}
    assert "| `size` |  | a \\| b | **nothing** | none |  |" in validation.page(declared, [])


@proves(
    "void_table",
    *("void", "voxel_count", "volume_nm3", "surface_area_nm2", "grain_interface_area_nm2"),
    *("enclosed", "centroid_x_nm", "centroid_y_nm", "centroid_z_nm"),
    oracle="closed form",
    by="one void of two voxels inside a grain, one at its surface",
)
def test_voids_of_two_voxels_are_measured_in_every_column():
    spacing = (50.0, 40.0, 30.0)
    labels, voids = np.zeros((7, 7, 9), int), np.zeros((7, 7, 9), int)
    labels[1:6, 1:6, 1:8] = 4
    voids[3, 3, 2:4], voids[1, 3, 5:7] = 1, 2
    labels[voids > 0] = 0
    table, _ = measure_voids(voids, labels, spacing)
    assert table["void"].tolist() == [1, 2]
    assert table["voxel_count"].tolist() == [2, 2]
    assert table["enclosed"].tolist() == [True, False]
    agree("volume_nm3", table["volume_nm3"], [2 * 60_000.0] * 2, rel=1e-12)
    inside = brute_force_area(voids == 1, np.ones(voids.shape, bool), spacing)
    agree("surface_area_nm2", table["surface_area_nm2"], [inside] * 2, rel=1e-12)
    shared = [brute_force_area(voids == void, labels > 0, spacing) for void in (1, 2)]
    agree("grain_interface_area_nm2", table["grain_interface_area_nm2"], shared, rel=1e-12)
    for axis, expected in zip("xyz", ([75, 165], [120, 120], [150, 50]), strict=True):
        agree(f"centroid_{axis}_nm", table[f"centroid_{axis}_nm"], expected, rel=1e-12)


def brute_force_area(body, other, spacing):
    """Weighted pairs of neighbours with one end in a body and one in another, one by one."""
    from electrode_grains.morphometry.crofton import DIRECTIONS

    total = 0.0
    for step, area in zip(DIRECTIONS, transition_areas(spacing), strict=True):
        for sign in (1, -1):
            ahead = np.roll(other & ~body, [-sign * s for s in step], axis=(0, 1, 2))
            total += area * float((body & ahead).sum())
    return total
