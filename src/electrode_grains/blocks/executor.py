"""Who computes blocks: this process one after another, its threads, or workers elsewhere.

The domain hands over a function and the arguments of each call, and gets results in their order.
A function is pure: what it returns depends on its arguments alone, so that a call whose worker was
lost is made again elsewhere, and a result that is kept can take the place of the call.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks.boxes import BlockTarget, Box
from electrode_grains.errors import SettingsError

Result = TypeVar("Result")
Task = tuple[Any, ...]
AHEAD = 2  # calls for each worker that wait, so that results do not pile up


class BlockExecutor(Protocol):
    """Computes independent calls.

    Attributes
    ----------
    shares_memory : bool
        Whether calls see the arrays of the caller, and not copies.
    """

    shares_memory: bool

    def map(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Call a function of a module with each tuple of arguments; results in their order."""
        ...


class SerialExecutor:
    """One call after another.

    Examples
    --------
    >>> list(SerialExecutor().map(pow, [(2, 3), (3, 2)]))
    [8, 9]
    """

    shares_memory = True

    def map(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Call the function when its result is asked for."""
        return (function(*arguments) for arguments in tasks)


class ThreadExecutor:
    """Several calls at a time in threads of this process.

    Parameters
    ----------
    n_workers : int

    Examples
    --------
    >>> list(ThreadExecutor(2).map(pow, [(2, 3), (3, 2), (2, 2)]))
    [8, 9, 4]
    """

    shares_memory = True

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers

    def map(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Keep all threads at work, and few results waiting."""
        with ThreadPoolExecutor(self.n_workers) as pool:
            yield from in_order(
                (pool.submit(function, *arguments) for arguments in tasks),
                AHEAD * self.n_workers,
                Future.result,
            )


def in_order(
    futures: Iterable[Any], ahead: int, result_of: Callable[[Any], Result]
) -> Iterator[Result]:
    """Results of calls in their order; at most `ahead` calls are begun beyond the one awaited."""
    begun: deque[Any] = deque()
    try:
        for future in futures:
            begun.append(future)
            if len(begun) > ahead:
                yield result_of(begun.popleft())
        while begun:
            yield result_of(begun.popleft())
    finally:
        for future in begun:
            future.cancel()


def write_blocks(
    executor: BlockExecutor,
    target: BlockTarget,
    function: Callable[..., NDArray[Any]],
    tasks: Sequence[tuple[Box, Task]],
) -> str:
    """Compute blocks and write them where they belong, each by whoever computes it.

    Parameters
    ----------
    executor : BlockExecutor
    target : BlockTarget
        Blocks must not share chunks of a file.
    function : callable
        Returns the voxels of one block.
    tasks : sequence of (box, arguments)

    Returns
    -------
    str
        SHA-256 of what was written: of the digests of the blocks, in their order.

    Raises
    ------
    SettingsError
        If the target is an array of this process, which the workers do not see.
    """
    check_reach(executor, target)
    digests = executor.map(write_block, [(target, box, function, each) for box, each in tasks])
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def write_block(
    target: BlockTarget, box: Box, function: Callable[..., NDArray[Any]], arguments: Task
) -> str:
    """Compute a block and write it; returns the SHA-256 of its bytes."""
    values = np.ascontiguousarray(function(*arguments), target.dtype)
    target[box] = values
    return hashlib.sha256(values.tobytes()).hexdigest()


def check_reach(executor: BlockExecutor, *volumes: Any) -> None:
    """Refuse arrays of this process where workers are others: each would get a copy of all.

    Raises
    ------
    SettingsError
        Naming the first such array.
    """
    for volume in volumes:
        if isinstance(volume, np.ndarray) and not executor.shares_memory:
            raise SettingsError(
                "workers of another process do not see arrays of this one",
                found=f"an array of shape {volume.shape}",
                expected="a zarr array on a disk that all workers see",
                remedy="write the volume as zarr first, or choose executor threads",
            )
