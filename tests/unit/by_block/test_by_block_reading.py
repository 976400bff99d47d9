"""Slices read a few at a time: the bytes of the node that reads them all."""

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block import read_by_block
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.datasets.volume import read_volume
from electrode_grains.ebsd import StackSettings
from electrode_grains.ebsd.ang import write_scan
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.pipelines.preprocessing.nodes import read_stack

SHAPE = (18, 22)  # (y, x)
COUNT = 9  # one more than the slices of a task
PHASE = {
    "id": 1, "material_name": "NMC532", "formula": "LiNi0.5Mn0.3Co0.2O2", "symmetry": "32",
    "lattice_constants": "2.870 2.870 14.260 90.000 90.000 120.000",
}  # fmt: skip
CARBON = {**PHASE, "id": 2, "material_name": "Carbon", "symmetry": "62"}
HEADINGS = "phi1, PHI, phi2, x, y, CI, IQ, Phase index, SEM, FIT, a, b, c, d"
FLIPPED = (0.0, 1.2309594, 0.0)  # about x, by 70.53 degrees: two variants of the pseudo-cube


def scan(number, shape=SHAPE, phases=(PHASE,)):
    """Two crystals, some points of which an indexer confused, and some without solution."""
    rng = np.random.default_rng(number)
    euler = np.empty((*shape, 3), np.float32)
    euler[:, : shape[1] // 2], euler[:, shape[1] // 2 :] = (0.4, 0.9, 0.2), (1.1, 0.3, 2.0)
    euler[rng.random(shape) < 0.1] += np.float32(FLIPPED)
    confidence = rng.uniform(0.01, 1, shape).astype(np.float32)
    confidence[rng.random(shape) < 0.1] = 0
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), rng.uniform(50, 300, shape).astype(np.float32)),
            "confidence_index": (("y", "x"), confidence),
            "euler_angles": (("y", "x", "angle"), euler),
            "phase": (("y", "x"), rng.integers(1, len(phases) + 1, shape).astype(np.int16)),
        },
        attrs={"step_nm": (40.0, 40.0), "phases": phases, "source": f"s{number}", "notes": ()},
    )


def ang(folder, numbers=range(COUNT), edit=lambda number, text: text, **of_scan):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        file = folder / f"slice_{number:03d}.ang"
        write_scan(scan(number, **of_scan), file)
        file.write_bytes(edit(number, file.read_text(encoding="utf-8")).encode("latin-1"))
    return folder


def wide(number, text):
    """Rows of 14 columns with other headings: CI before IQ."""
    rows = []
    for row in text.splitlines():
        words = row.split()
        if row.startswith("# XSTEP"):
            row += f"\n# COLUMN_COUNT: 14\n# COLUMN_HEADERS: {HEADINGS}"
        elif not row.startswith("#"):
            words[5], words[6] = words[6], words[5]
            row = "  ".join([*words[:8], "12", "1.1", "7.0", "8.0", "9.0", "10.0"])
        rows.append(row)
    return "\n".join(rows) + "\n"


def of_windows(number, text):
    return text.replace("electrode-grains", "Müller").replace("\n", "\r\n")


def images(folder):
    folder.mkdir()
    for number in range(COUNT):
        grey = np.random.default_rng(number).integers(1, 255, SHAPE, dtype=np.uint8)
        Image.fromarray(grey).save(folder / f"S{number}.png")
    return folder


def phases_in_another_order(folder):
    ang(folder, phases=(PHASE, CARBON))
    other = ({**PHASE, "id": 2}, {**CARBON, "id": 1})
    return ang(folder, [3], phases=other)


def windows_of_two_sizes(folder):
    ang(folder)
    return ang(folder, [2, 5], shape=(SHAPE[0] + 2, SHAPE[1] - 1))


def copied(folder):
    ang(folder)
    (folder / "slice_004.ang").write_bytes((folder / "slice_003.ang").read_bytes())
    return folder


def at_depths(folder):
    ang(folder, [0, 1, 2, 3, 4])
    rows = "\n".join(f"slice_{n:03d},{depth}" for n, depth in enumerate((0, 50, 160, 300, 352)))
    (folder / "depths.csv").write_text("slice,z_nm\n" + rows + "\n")
    return folder


CASES = {
    "as written": (ang, {}),
    "of Windows": (lambda folder: ang(folder, edit=of_windows), {}),
    "14 columns": (lambda folder: ang(folder, edit=wide), {}),
    "one slice": (lambda folder: ang(folder, [7]), {}),
    "a lost slice": (lambda folder: ang(folder, [3, 4, 6, 7]), {"missing_slices": (5,)}),
    "the first lost, falling": (
        lambda folder: ang(folder, [2, 3, 5]), {"missing_slices": (4,), "slice_order": "falling"},
    ),
    "images": (images, {"step_nm": 40.0}),
    "phases": (phases_in_another_order, {}),
    "cut": (windows_of_two_sizes, {"crop": "common"}),
    "a copy": (copied, {}),
    "depths": (at_depths, {"slice_spacing_nm": None}),
    "another symmetry": (ang, {"laue_group": "m-3m"}),
    "given operators": (
        ang, {"laue_group": "4/m", "pseudo_symmetry_operators": ((1.0, 0.0, 0.0, 180.0),)},
    ),
}  # fmt: skip


def stacked(folder, settings):
    """The stack of a run."""
    return read_stack(ScanFolderDataset(path=str(folder)).load(), settings)


def same_as_in_core(made, folder, settings, tmp_path):
    quality, crystals, index = stacked(folder, settings)
    for path, expected in ((made.image_quality, quality), (made.orientations, crystals)):
        found = read_volume(path)
        assert found.to_numpy().tobytes() == expected.to_numpy().tobytes()
        assert found.dtype == expected.dtype
        assert found.identical(expected)
    assert made.scan_index == index
    run = ResultDataset(
        filepath=str(tmp_path / "index.json"), model="electrode_grains.ebsd.ScanIndex"
    )
    run.save(index)
    written = (made.image_quality.parent / "scan_index.json").read_bytes()
    assert written == (tmp_path / "index.json").read_bytes()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:the voxels")
def test_stacks_and_index_are_those_of_a_run(case, tmp_path):
    make, options = CASES[case]
    settings = StackSettings(**options)
    folder = make(tmp_path / "scans")
    made = read_by_block(
        folder, tmp_path / "out", stack=settings, compute=ExecutorSettings(block_edge=16)
    )
    same_as_in_core(made, folder, settings, tmp_path)


@pytest.mark.parametrize(
    "compute",
    [
        ExecutorSettings(block_edge=8),  # slice by slice
        ExecutorSettings(executor="threads", n_workers=2, block_edge=11),
        ExecutorSettings(executor="dask", n_workers=2, block_edge=12),
        ExecutorSettings(),
    ],
    ids=lambda compute: f"{compute.executor}-{compute.block_edge}",
)
def test_results_do_not_depend_on_who_computes_which_slices(compute, tmp_path):
    folder, settings = ang(tmp_path / "scans"), StackSettings()
    made = read_by_block(folder, tmp_path / "out", stack=settings, compute=compute)
    same_as_in_core(made, folder, settings, tmp_path)
    assert made.scan_index.pseudo_symmetry.found


def test_scans_in_memory_are_stacked_too(tmp_path):
    scans = {f"slice_{number}": scan(number) for number in (2, 3, 1)}
    made = read_by_block(scans, tmp_path / "out")
    assert read_volume(made.image_quality).identical(read_stack(scans, StackSettings())[0])


def test_a_second_call_reads_no_file_again_unless_one_has_changed(tmp_path, monkeypatch):
    folder, out = ang(tmp_path / "scans"), tmp_path / "out"
    first = read_by_block(folder, out)
    again = read_by_block(folder, out)
    assert (again.computed, again.kept) == (0, first.computed)
    assert again.scan_index == first.scan_index

    ang(folder, [4], edit=of_windows)  # other bytes of the same scan
    write_scan(scan(77), folder / "slice_005.ang")
    other = read_by_block(folder, out)
    assert other.computed > 0
    same_as_in_core(other, folder, StackSettings(), tmp_path)


def test_a_damaged_scratch_file_is_read_again(tmp_path):
    folder, out = ang(tmp_path / "scans"), tmp_path / "out"
    read_by_block(folder, out)
    file = next((out / "scratch").rglob("*.npz"))
    file.write_bytes(file.read_bytes()[:300])
    same_as_in_core(read_by_block(folder, out), folder, StackSettings(), tmp_path)


def refusal(call):
    with pytest.raises((InputError, SettingsError)) as caught:
        call()
    return str(caught.value)


def test_a_folder_without_scans_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_by_block(tmp_path / "scans", tmp_path / "out")


def hole(folder):
    return ang(folder, [1, 2, 4])


def damaged(folder):
    ang(folder)
    file = folder / "slice_003.ang"
    file.write_bytes(file.read_bytes()[:-40])
    return folder


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (windows_of_two_sizes, {}),
        (hole, {}),
        (damaged, {}),
        (images, {}),
        (ang, {"first_slice": 3}),
        (ang, {"slice_spacing_nm": 50000.0}),
        (ang, {"missing_slices": (4,)}),
    ],
)
def test_what_a_run_refuses_is_refused_with_the_same_words(make, options, tmp_path):
    folder, settings = make(tmp_path / "scans"), StackSettings(**options)
    words = refusal(lambda: stacked(folder, settings))
    assert refusal(lambda: read_by_block(folder, tmp_path / "out", stack=settings)) == words
    assert not (tmp_path / "out" / "scan_index.json").exists()
