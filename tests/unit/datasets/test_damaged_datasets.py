"""Damaged annotations, edits, volumes, tables and states: the truth, or a refusal, no traceback."""

import pickle
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from damaged_files import mutants, places_of_refusals
from electrode_grains.boundary import TrainingState
from electrode_grains.datasets.checkpoints import FolderStates, read_state
from electrode_grains.datasets.edits import EditsDataset
from electrode_grains.datasets.folders import AnnotationFolderDataset
from electrode_grains.datasets.network import WEIGHTS, read_tensors
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.errors import InputError
from electrode_grains.volumes import as_volume

CHANCE = np.random.default_rng(8)
CLASSES = CHANCE.integers(0, 4, (30, 40)).astype(np.uint8)
VOLUME = as_volume(CHANCE.integers(0, 99, (9, 10, 11)).astype(np.int32), (50, 20, 10), "v")
EDITS = [{"action": "remove", "at": [1, 2, 3]}, {"action": "merge", "at": [[1, 2, 3], [4, 5, 6]]}]


def state(epochs=1, fingerprint="same"):
    weight = torch.arange(600.0).reshape(20, 30) * epochs
    return TrainingState(
        weights={"w": weight},
        network_settings={"depth": 1},
        optimizer={
            "state": {0: {"exp_avg": weight}},
            "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0]}],
        },
        best_weights={},
        epochs_done=epochs,
        best_epoch=0,
        history=[{"loss": 1.0}],
        fingerprint=fingerprint,
    )


def write_annotation(folder):
    AnnotationFolderDataset(path=str(folder)).save({"s_1": CLASSES})


def write_edits(folder):
    folder.mkdir()
    (folder / "edits.yml").write_text(yaml.safe_dump(EDITS))


def write_volume(folder):
    VolumeDataset(filepath=str(folder / "v")).save(VOLUME)


def write_states(folder):
    FolderStates(folder, "same").save(state())


def read_annotation(folder):
    return (
        AnnotationFolderDataset(path=str(folder))
        .load.__wrapped__(AnnotationFolderDataset(path=str(folder)))["s_1"]
        .tolist()
    )


def read_edits(folder):
    dataset = EditsDataset(filepath=str(folder / "edits.yml"))
    return dataset.load.__wrapped__(dataset)


def read_voxels(folder):
    volume = read_volume(folder / "v")
    return volume.to_numpy().tolist(), volume.attrs["spacing_nm"], volume.name


def read_states(folder):
    found = read_state(folder / "epoch_00001")
    return found.weights["w"].tolist(), found.optimizer["state"][0]["exp_avg"].tolist()


KINDS = {
    "annotation": (write_annotation, read_annotation),
    "volume": (write_volume, read_voxels),
    "states": (write_states, read_states),
    "edits": (write_edits, read_edits),
}
# Text that a person writes and a volume's metadata carry no checksum: other values in them are
# legal files. In a run the manifest guards the volume.
LEGAL = {"edits", "zarr.json"}


def mutate(content, chance):
    content = bytearray(content)
    kind = chance.randrange(4)
    place = chance.randrange(max(len(content), 1))
    if kind == 0 and content:
        content[place] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del content[place:]
    elif kind == 2:
        content[place:place] = chance.randbytes(chance.randrange(1, 9))
    else:
        del content[place : place + chance.randrange(1, 40)]
    return bytes(content)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [150, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_mutant_of_any_dataset_is_the_truth_or_refused(tmp_path, kind, count):
    write, read = KINDS[kind]
    write(tmp_path / "data")
    truth = read(tmp_path / "data")
    files = sorted(file for file in (tmp_path / "data").rglob("*") if file.is_file())

    def check(file):
        found = read(tmp_path / "data")
        if kind not in LEGAL and file.name not in LEGAL:
            assert found == truth, file

    places = places_of_refusals(mutants(files, mutate, random.Random(2), count), check)
    assert len(places) > count / 10
    assert all(places)
    assert read(tmp_path / "data") == truth


def test_a_damaged_state_is_passed_over_for_the_one_before(tmp_path, caplog):
    states = FolderStates(tmp_path, "same")
    for epochs in (1, 2):
        states.save(state(epochs))
    weights = tmp_path / "epoch_00002" / WEIGHTS
    damaged = bytearray(weights.read_bytes())
    damaged[-5] ^= 1  # one bit of one weight, in a format without checksums
    weights.write_bytes(damaged)
    assert states.latest().epochs_done == 1
    assert "is passed over" in caplog.text
    shutil.rmtree(tmp_path / "epoch_00001")
    assert states.latest() is None


def test_yaml_that_names_python_objects_runs_nothing(tmp_path):
    victim = tmp_path / "victim"
    file = tmp_path / "edits.yml"
    file.write_text(f"!!python/object/apply:os.mkdir ['{victim}']\n")
    with pytest.raises(InputError, match="not YAML"):
        read_edits(tmp_path)
    assert not victim.exists()


class Mine:
    def __reduce__(self):
        return (Path.mkdir, (Path("mined"),))


def test_damaged_or_pickled_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in (b"", b"{}", pickle.dumps(Mine()), b"\xff" * 8 + b"{}", b"\x02" + b"\0" * 7):
        (tmp_path / WEIGHTS).write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            read_tensors(tmp_path / WEIGHTS)
    assert not (tmp_path / "mined").exists()


def test_no_module_unpickles_or_loads_unsafe_yaml(project):
    unsafe = re.compile(
        r"\bpickle\b.*load|import pickle|torch\.load|[^.]eval\("
        r"|yaml\.(unsafe_)?load\((?!.*SafeLoader)"
    )
    guilty = [
        f"{file.name}: {line.strip()}"
        for file in (project / "src").rglob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if unsafe.search(line) and "weights_only=True" not in line and "read_csv" not in line
    ]
    assert guilty == []
