import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from electrode_grains import schemas
from electrode_grains.descriptors import (
    DESCRIPTORS,
    EXPORTED,
    MODELLED,
    SCORED,
    Descriptor,
    forget_descriptor,
    register_descriptor,
)
from electrode_grains.distributions import MARGINAL_FAMILIES, candidate_families
from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.exports.particle import ExportedParticle
from electrode_grains.figures import marginal_histograms, table_1, truth_comparison
from electrode_grains.figures.table_text import display_rows
from electrode_grains.grains import compare_statistics
from electrode_grains.morphometry import characterize_grains

SIX = [
    "equivalent_diameter_nm", "sphericity", "convexity", "elongation", "azimuthal_angle",
    "polar_angle",
]  # fmt: skip


@pytest.fixture
def fullness():
    """A descriptor of a user: share of the bounding box that a grain fills."""
    declared = Descriptor(
        "fullness", "Fullness", symbol="f", limits=(0.0, 1.0), families=("beta", "normal"),
        exported=True, scored=True,
    )  # fmt: skip
    register_descriptor(declared, lambda grain: grain.mask.mean())
    yield declared
    forget_descriptor("fullness")


@pytest.fixture
def blocks():
    """Two bodies: a full box, and one that fills 7 of the 8 voxels of its bounding box."""
    labels = np.zeros((6, 6, 10), np.int32)
    labels[1:3, 1:4, 1:3] = 5
    labels[2:4, 2:4, 5:7] = 9
    labels[2, 2, 5] = 0
    return labels


def test_the_paper_models_six_characteristics_in_its_order():
    assert [name for name in MODELLED if name in SIX] == SIX
    assert [name for name in SCORED if name in SIX] == SIX[:4]


def test_every_measured_column_is_declared(blocks):
    quality = np.ones(blocks.shape)
    lattice = np.full((*blocks.shape, 4), [1.0, 0, 0, 0])
    table = characterize_grains(blocks, (50, 40, 30), image_quality=quality, orientations=lattice)
    assert set(table.columns) == set(DESCRIPTORS)


def test_every_candidate_family_exists():
    named = {family for known in DESCRIPTORS.values() for family in known.families}
    assert named <= set(MARGINAL_FAMILIES)


def test_every_page_of_a_descriptor_exists():
    pages = {known.page for known in DESCRIPTORS.values()} - {""}
    folder = Path(__file__).parents[2] / "docs" / "descriptors"
    assert {page for page in pages if not (folder / f"{page}.md").is_file()} == set()


def test_units_of_length_end_the_name_of_a_column():
    for name, known in DESCRIPTORS.items():
        if known.unit.startswith("nm"):
            assert name.endswith(f"_{known.unit}")


def test_a_descriptor_added_in_one_place_appears_everywhere(fullness, blocks):
    table = characterize_grains(blocks, (50, 40, 30))
    assert table["fullness"].tolist() == [1.0, 7 / 8]

    assert candidate_families("fullness") == (("beta", "normal"), (0.0, 1.0))
    sample = pd.DataFrame({"fullness": [0.5, 0.6, 0.9]})
    assert marginal_histograms(sample).axes[0].get_xlabel() == "Fullness $f$"
    best = {"family": "beta", "parameters": {"a": 1.0, "b": 2.0}}
    fits = {"characteristics": {"fullness": {"best": "beta", "candidates": [best]}}}
    assert display_rows(table_1(fits))[0][0] == "Fullness"
    scores = compare_statistics(table, table.assign(fullness=0.5))
    assert scores["mean"]["fullness"]["error"] == pytest.approx(15 / 16 - 0.5)
    assert "elongation:fullness" in scores["correlation"]
    means = pd.DataFrame(
        {"characteristic": ["fullness"], "source": "segmented", "mean": 0.5, "std": 0.1}
    )
    assert truth_comparison(means).axes[0].get_xlabel() == "Fullness $f$"
    exported = ExportedParticle(blocks, (50, 40, 30), table).values["fullness"]
    assert exported[1:].tolist() == table["fullness"].tolist()
    assert EXPORTED["fullness"].export_name == "Fullness"
    schemas.grain_table(table)
    with pytest.raises(InputError, match=r"fullness is outside .*\n.*grain 9"):
        schemas.grain_table(table.assign(fullness=[1.0, 1.5]))


def test_a_registered_function_sees_what_was_measured_before(blocks):
    ratio = Descriptor("surface_per_volume", "Surface per volume")
    register_descriptor(ratio, lambda grain: grain["surface_area_nm2"] / grain["volume_nm3"])
    try:
        table = characterize_grains(blocks, (50, 40, 30))
    finally:
        forget_descriptor("surface_per_volume")
    assert (table["surface_per_volume"] == table.surface_area_nm2 / table.volume_nm3).all()


def test_a_function_that_fails_is_named_with_its_grain(blocks):
    register_descriptor(Descriptor("broken", "Broken"), lambda grain: 1 / (grain.label - 9))
    try:
        with pytest.raises(ComputationError, match=r"'broken' failed\n.*grain 9") as refused:
            characterize_grains(blocks, (50, 40, 30))
    finally:
        forget_descriptor("broken")
    assert "ZeroDivisionError" in str(refused.value)


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        (Descriptor("sphericity", "Sphericity"), "registered already"),
        (Descriptor("two words", "Two words"), "not possible"),
        (Descriptor("narrow", "Narrow", limits=(1.0, 1.0)), "limits"),
        (Descriptor("narrow", "Narrow", support=(1.0, 0.0)), "support"),
    ],
)
def test_an_impossible_declaration_is_refused(declared, says):
    with pytest.raises(SettingsError, match=says):
        register_descriptor(declared)


def test_what_the_program_measures_cannot_be_forgotten():
    with pytest.raises(SettingsError, match="sphericity"):
        forget_descriptor("sphericity")


def test_an_installed_package_announces_its_descriptors(tmp_path):
    (tmp_path / "mine.py").write_text(
        textwrap.dedent("""
        from electrode_grains.descriptors import Descriptor, register_descriptor

        def register():
            register_descriptor(
                Descriptor("twice", "Twice", families=("normal",)),
                lambda grain: 2.0 * grain["voxel_count"],
            )
        """)
    )
    announced = tmp_path / "mine-1.0.dist-info"
    announced.mkdir()
    (announced / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (announced / "entry_points.txt").write_text(
        "[electrode_grains.descriptors]\nmine = mine:register\n"
    )
    program = (
        "import numpy as np; from electrode_grains.morphometry import characterize_grains as c; "
        "from electrode_grains.descriptors import MODELLED; "
        "print(c(np.ones((3, 3, 3), int), (1, 1, 1))['twice'].tolist(), list(MODELLED)[-1])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {program}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert finished.stdout.split() == ["[54.0]", "twice"]
