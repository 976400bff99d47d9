"""Recorded manual edits of a segmentation, replayed after every run.

An edit names voxels, never labels: voxels keep their meaning when labels change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.labelling import checked_labels
from electrode_grains.grains.results import JsonResult

Voxel = tuple[int, int, int]
Edit = Mapping[str, Any]
ACTIONS = ("remove", "merge", "split")


class EditEntry(JsonResult):
    """Outcome of one edit.

    Attributes
    ----------
    number : int
        Position in the list, from 1.
    action : str
        "remove", "merge" or "split".
    at : tuple of (int, int, int)
        Voxels (z, y, x).
    applied : bool
    labels_before, labels_after : tuple of int
        Labels at the voxels.
    voxels_changed : int
    reason : str
        Why the edit was not applied; empty where it was.
    """

    number: int
    action: str
    at: tuple[Voxel, ...]
    applied: bool
    labels_before: tuple[int, ...]
    labels_after: tuple[int, ...]
    voxels_changed: int
    reason: str = ""


class _NotApplicableError(Exception):
    """The edit is well formed and does not fit the labels."""


def apply_edits(
    labels: NDArray[Any],
    edits: Sequence[Edit],
    boundary: NDArray[np.floating] | None = None,
    *,
    outdated: Literal["refuse", "report"] = "refuse",
) -> tuple[NDArray[Any], tuple[EditEntry, ...]]:
    """Replay manual edits in their order.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Any ids, 0 is no grain.
    edits : sequence of mappings
        `{"action": "remove", "at": [z, y, x]}` sets the grain at a voxel to 0;
        `{"action": "merge", "at": [[z, y, x], [z, y, x], ...]}` joins the grains at the
        voxels under the label of the first;
        `{"action": "split", "at": [[z, y, x], [z, y, x], ...]}` divides the grain that
        holds all the voxels among them: the first keeps the label.
    boundary : ndarray of float, shape (z, y, x), optional
        Probability of a grain boundary. A split follows its ridges, from the given voxels
        as markers; without it every voxel goes to the nearest one within the grain.
    outdated : {"refuse", "report"}
        What to do with an edit that does not fit the labels any more, such as removing
        where there is no grain: raise, or leave it out and say so in the log.

    Returns
    -------
    edited : ndarray of int, shape (z, y, x)
        A copy in the type of `labels`; new labels follow the greatest one.
    log : tuple of EditEntry
        One for each edit.

    Raises
    ------
    SettingsError
        If an edit is not well formed, or names a voxel outside the volume.
    InputError
        If an edit does not fit the labels and `outdated` is "refuse".

    Examples
    --------
    >>> labels = np.array([[[4, 4, 7, 7, 0, 9]]])
    >>> edits = [{"action": "merge", "at": [[0, 0, 2], [0, 0, 0]]},
    ...          {"action": "remove", "at": [0, 0, 5]}]
    >>> edited, log = apply_edits(labels, edits)
    >>> edited.tolist(), log[0].voxels_changed
    ([[[7, 7, 7, 7, 0, 0]]], 2)
    """
    edited = checked_labels(labels).copy()
    if boundary is not None and np.shape(boundary) != edited.shape:
        raise InputError(
            "labels and boundary probability have different shapes",
            found=f"{edited.shape} and {np.shape(boundary)}",
        )
    if outdated not in ("refuse", "report"):
        raise SettingsError(
            "unknown treatment of outdated edits",
            found=repr(outdated),
            expected="refuse or report",
        )
    planned = [_read(edit, number, edited.shape) for number, edit in enumerate(edits, start=1)]
    log = []
    greatest = int(edited.max())  # ever used: the label of a removed grain is not given again
    for number, (action, voxels) in enumerate(planned, start=1):
        before = _labels_at(edited, voxels)
        entry = EditEntry(
            number=number, action=action, at=voxels, applied=False, labels_before=before,
            labels_after=before, voxels_changed=0,
        )  # fmt: skip
        try:
            changed = _apply(edited, action, voxels, before, boundary, greatest)
        except _NotApplicableError as reason:
            if outdated == "refuse":
                raise InputError(
                    f"edit {number} ({action}) does not fit the segmentation any more",
                    where=f"voxels {list(voxels)} (z, y, x)",
                    found=str(reason),
                    remedy="correct or delete this edit",
                ) from None
            log.append(entry.model_copy(update={"reason": str(reason)}))
            continue
        after = _labels_at(edited, voxels)
        greatest = max(greatest, *after)
        applied = {"applied": True, "labels_after": after, "voxels_changed": changed}
        log.append(entry.model_copy(update=applied))
    return edited, tuple(log)


def _read(edit: Edit, number: int, shape: tuple[int, ...]) -> tuple[str, tuple[Voxel, ...]]:
    """Check the form of an edit before anything is applied."""
    if not isinstance(edit, Mapping) or set(edit) != {"action", "at"}:
        raise SettingsError(
            f"edit {number} cannot be read",
            found=repr(edit),
            expected="a mapping with the keys action and at",
        )
    action = edit["action"]
    if action not in ACTIONS:
        raise SettingsError(
            f"edit {number} has an unknown action", found=repr(action), expected=", ".join(ACTIONS)
        )
    try:
        given = np.asarray(edit["at"])
        whole = given.dtype.kind in "iu"
    except ValueError:  # rows of different lengths
        whole = False
    if whole and action == "remove" and given.ndim == 1:
        given = given[None]
    fewest = 1 if action == "remove" else 2
    if not whole or given.ndim != 2 or given.shape[1] != 3 or len(given) < fewest:
        raise SettingsError(
            f"edit {number} ({action}) does not name its voxels",
            found=repr(edit["at"]),
            expected="[z, y, x]" if fewest == 1 else "[[z, y, x], [z, y, x], ...], two or more",
        )
    if (given < 0).any() or (given >= np.array(shape)).any():
        raise SettingsError(
            f"edit {number} ({action}) names a voxel outside the volume",
            found=str(given.tolist()),
            expected=f"within the shape {shape} (z, y, x)",
        )
    return action, tuple((int(z), int(y), int(x)) for z, y, x in given)


def _labels_at(labels: NDArray[Any], voxels: Sequence[Voxel]) -> tuple[int, ...]:
    return tuple(int(labels[voxel]) for voxel in voxels)


def _apply(
    labels: NDArray[Any],
    action: str,
    voxels: tuple[Voxel, ...],
    before: tuple[int, ...],
    boundary: NDArray[np.floating] | None,
    greatest: int,
) -> int:
    """Change the labels in place; returns the number of voxels changed."""
    empty = [voxel for voxel, label in zip(voxels, before, strict=True) if label == 0]
    if empty:
        raise _NotApplicableError(f"no grain at {empty}")
    if action == "remove":
        chosen = np.isin(labels, before)
        labels[chosen] = 0
        return int(chosen.sum())
    if action == "merge":
        others = set(before[1:]) - {before[0]}
        if not others:
            raise _NotApplicableError(f"all voxels are in grain {before[0]} already")
        chosen = np.isin(labels, list(others))
        labels[chosen] = before[0]
        return int(chosen.sum())
    if len(set(before)) > 1:
        raise _NotApplicableError(f"the voxels are in different grains: {list(before)}")
    if len(set(voxels)) < len(voxels):
        raise _NotApplicableError("a voxel is named twice")
    return _split(labels, voxels, before[0], boundary, greatest)


def _split(
    labels: NDArray[Any],
    voxels: tuple[Voxel, ...],
    label: int,
    boundary: NDArray[np.floating] | None,
    greatest: int,
) -> int:
    grain = labels == label
    where = np.argwhere(grain)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    inside = grain[box]
    markers = np.zeros(inside.shape, np.int32)
    for number, voxel in enumerate(voxels, start=1):
        markers[tuple(np.array(voxel) - low)] = number
    landscape = np.zeros(inside.shape) if boundary is None else np.asarray(boundary)[box]
    if not np.isfinite(landscape[inside]).all():
        raise InputError(
            f"the boundary probability is not finite in grain {label}, which is to be split"
        )
    landscape = np.where(inside, landscape, 0.0)  # what is outside must not disturb the flood
    parts: NDArray[np.int32] = watershed(  # type: ignore[no-untyped-call]
        landscape, markers, mask=inside
    )
    if greatest + len(voxels) - 1 > np.iinfo(labels.dtype).max:
        raise InputError(
            "no label is left for the parts of a split",
            found=f"label {greatest} of {labels.dtype}",
            remedy="renumber the labels first",
        )
    new = np.array([label, label, *range(greatest + 1, greatest + len(voxels))], labels.dtype)
    view = labels[box]
    # A piece of the grain that no voxel reaches keeps the label.
    view[inside] = new[parts[inside]]
    return int((parts > 1).sum())
