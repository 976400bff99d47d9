"""States of a training in progress, so that a killed run goes on where it was."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.datasets.network import read_tensors, read_weights, write_weights
from electrode_grains.datasets.results import read_json
from electrode_grains.errors import InputError
from electrode_grains.runs import changed_files, file_digests
from electrode_grains.runs.writing import atomic_write

if TYPE_CHECKING:
    from torch import Tensor

    from electrode_grains.boundary import TrainingState, TrainingStates

logger = logging.getLogger(__name__)

FINGERPRINT = "fingerprint.txt"
STATE = "state.json"
DIGESTS = "digests.json"
PARTS = "parts"
KEPT = 2


class FolderStates:
    """States of one training, a folder for each; what another training left there is not used.

    A state's folder is also a network (weights and settings) that a training can start from.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self.fingerprint = fingerprint

    def latest(self) -> TrainingState | None:
        """Newest complete state of this training."""
        for folder in reversed(self._found()):
            try:
                state = read_state(folder)
            except InputError as problem:
                logger.warning("%s is passed over: %s", folder, problem.message)
                continue
            if state.fingerprint == self.fingerprint:
                return state
            logger.info("%s belongs to a training with other data or settings", folder)
            return None
        return None

    def save(self, state: TrainingState) -> None:
        """Write a state in one step, then remove all but the newest two."""
        others = [folder for folder in self._found() if self._owner(folder) != self.fingerprint]
        target = self._folder / f"epoch_{state.epochs_done:05d}"
        with atomic_write(target) as (partial,):
            write_state(state, partial)
        for folder in {*others, *self._found()[:-KEPT]} - {target}:
            shutil.rmtree(folder)

    def clear(self) -> None:
        """Remove all states."""
        for folder in self._found():
            shutil.rmtree(folder)

    def part(self, name: str, fingerprint: str) -> FolderStates:
        """States of another training that belongs to this one, such as a fold."""
        return FolderStates(self._folder / PARTS / name, fingerprint)

    def clear_parts(self) -> None:
        """Remove all states of trainings that belong to this one."""
        shutil.rmtree(self._folder / PARTS, ignore_errors=True)

    def _found(self) -> list[Path]:
        return sorted(self._folder.glob("epoch_*"))

    def _owner(self, folder: Path) -> str:
        try:
            return str(read_json(folder / STATE)["fingerprint"])
        except (InputError, OSError):
            return ""  # a damaged state belongs to nobody


class CheckpointDataset(AtomicDataset["TrainingStates", FolderStates]):
    """Opens the place where a training keeps its states; saving names the training."""

    kind = "training that was begun"

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> FolderStates:
        """Open the states of the training that was named last."""
        self._refuse_missing()
        return FolderStates(self._path, (self._path / FINGERPRINT).read_text(encoding="utf-8"))

    def save(self, data: TrainingStates) -> None:
        """Name the training; states that exist already stay."""
        with atomic_write(self._path / FINGERPRINT) as (partial,):
            partial.write_text(data.fingerprint, encoding="utf-8")

    def paths(self) -> tuple[Path, ...]:
        """The file with the name of the training: states come and go while it runs."""
        return (self._path / FINGERPRINT,)

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


def write_state(state: TrainingState, folder: Path) -> None:
    """Write a state without pickle: tensors as safetensors, all else as JSON."""
    from safetensors.torch import save_file

    write_weights(state.weights, state.network_settings, folder)
    moments = {
        f"{index}.{name}": tensor.detach().cpu().contiguous()
        for index, values in state.optimizer["state"].items()
        for name, tensor in values.items()
    }
    save_file(moments, folder / "optimizer.safetensors")
    if state.best_weights:
        save_file(state.best_weights, folder / "best.safetensors")
    rest = {
        "epochs_done": state.epochs_done,
        "best_epoch": state.best_epoch,
        "fingerprint": state.fingerprint,
        "history": state.history,
        "param_groups": state.optimizer["param_groups"],
    }
    (folder / STATE).write_text(json.dumps(rest), encoding="utf-8")
    digests = file_digests(folder.iterdir())
    (folder / DIGESTS).write_text(json.dumps(digests), encoding="utf-8")


def read_state(folder: Path) -> TrainingState:
    """Read what `write_state` wrote.

    Raises
    ------
    InputError
        If a file is missing, cut off, or holds something else.
    """
    recorded = read_json(folder / DIGESTS) if (folder / DIGESTS).exists() else {}
    found = file_digests(file for file in folder.iterdir() if file.name != DIGESTS)
    if changed := changed_files(recorded, found):
        raise InputError(
            "the state of a training is damaged", where=str(folder), found=", ".join(changed)
        )
    try:
        return _read_state(folder)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "the state of a training is damaged", where=str(folder), found=repr(error)
        ) from None


def _read_state(folder: Path) -> TrainingState:
    from electrode_grains.boundary import TrainingState

    weights, network_settings = read_weights(folder)
    rest = read_json(folder / STATE)
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in read_tensors(folder / "optimizer.safetensors").items():
        index, name = key.split(".")
        moments.setdefault(int(index), {})[name] = tensor
    groups = [{**group, "betas": tuple(group["betas"])} for group in rest.pop("param_groups")]
    best = folder / "best.safetensors"
    return TrainingState(
        weights=weights,
        network_settings=network_settings,
        optimizer={"state": moments, "param_groups": groups},
        best_weights=read_tensors(best) if best.exists() else {},
        **rest,
    )
