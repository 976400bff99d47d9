"""Where and how precisely the network computes: device, threads, number format."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, get_args

import torch

from electrode_grains.boundary.settings import Precision
from electrode_grains.errors import SettingsError
from electrode_grains.threads import available_cores

SMALLEST_BFLOAT16 = 3  # voxels: the width of a convolution
_NOTABLE_SPEEDUP = 1.5  # below it, three digits less are not worth the time gained


@contextmanager
def limited_threads(threads: int | None) -> Iterator[int]:
    """Compute with a number of threads, never more than there are cores.

    Parameters
    ----------
    threads : int or None
        Wish; None keeps what the session has set.

    Yields
    ------
    int
        Number in force inside the block; the former one returns afterwards.

    Notes
    -----
    More threads than cores wait for each other at every convolution and made
    training five to ten times slower.
    """
    before = torch.get_num_threads()
    count = max(1, min(threads or before, available_cores()))
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)


def resolve_device(device: str) -> torch.device:
    """Turn a device name into a device.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1", ..., or "auto": a CUDA device where there is one.

    Returns
    -------
    torch.device
        Usable on this machine.

    Raises
    ------
    SettingsError
        If the name is unknown or the device missing.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise SettingsError(
            "unknown device", found=repr(device), expected="cpu, cuda or auto"
        ) from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise SettingsError(
            "no CUDA device is available",
            found=repr(device),
            remedy="set the device to auto or cpu",
        )
    return chosen


def autocast(precision: Precision, device: torch.device) -> Any:
    """Context in which convolutions run in the chosen number format.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
        "auto" takes bfloat16 where a trial convolution is clearly faster in it.
    device : torch.device
        Where the network lies.

    Returns
    -------
    context manager
        Weights and loss stay float32 in any case.

    Raises
    ------
    SettingsError
        If the precision is unknown.
    """
    if precision not in get_args(Precision):
        raise SettingsError(
            "unknown precision", found=repr(precision), expected=" or ".join(get_args(Precision))
        )
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=_is_reduced(precision, device.type)
    )


def trainable_precision(precision: Precision, device: torch.device, size: int) -> Precision:
    """Number format in which gradients can be trusted.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
    device : torch.device
    size : int
        Least extent of a window at the coarsest level of the network, in its voxels.

    Returns
    -------
    {"float32", "bfloat16", "auto"}
        float32 on a processor where the coarsest level is small: there the gradient of
        bfloat16 weights takes in memory that nothing was written to (oneDNN of PyTorch 2.13).
    """
    return "float32" if device.type == "cpu" and size < SMALLEST_BFLOAT16 else precision


def _is_reduced(precision: Precision, device_type: str) -> bool:
    return precision == "bfloat16" or (precision == "auto" and _bfloat16_is_faster(device_type))


@lru_cache(maxsize=2)
def _bfloat16_is_faster(device_type: str) -> bool:
    """Say whether bfloat16 convolutions are fast here; tried once per process."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    seconds = {}
    layer = torch.nn.Conv3d(32, 32, 3, padding=1)
    window = torch.zeros(1, 32, 16, 32, 32)
    with torch.inference_mode():
        for dtype in (torch.float32, torch.bfloat16):
            layer, window = layer.to(dtype), window.to(dtype)
            layer(window)
            trials = []
            for _ in range(5):
                start = time.perf_counter()
                layer(window)
                trials.append(time.perf_counter() - start)
            seconds[dtype] = min(trials)
    return seconds[torch.float32] > _NOTABLE_SPEEDUP * seconds[torch.bfloat16]


def describe_computing(device: str, precision: Precision, threads: int | None) -> str:
    """Say where and how precisely a network computes here, for a line in the log.

    Examples
    --------
    >>> describe_computing("cpu", "float32", 1)
    'on cpu with 1 of its threads, in float32'
    """
    place = resolve_device(device)
    with limited_threads(threads) as count:
        threads_used = f" with {count} of its threads" if place.type == "cpu" else ""
    reduced = _is_reduced(precision, place.type)
    return f"on {place}{threads_used}, in {'bfloat16' if reduced else 'float32'}"
