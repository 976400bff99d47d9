"""Work on the label volumes of blocks: tables of labels, volumes in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import (
    BlockExecutor,
    BlockSource,
    BlockTarget,
    Box,
    divide,
    write_blocks,
)
from electrode_grains.blocks.boxes import Shape

Integers = NDArray[np.int64]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Relabelled:
    """A label volume whose labels are exchanged by a table while it is read.

    Attributes
    ----------
    source : BlockSource of int32
    table : ndarray of int32, shape (n + 1,)
        Label for each label of the source.
    """

    source: BlockSource
    table: NDArray[np.int32]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along z, y, x."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """int32."""
        return self.table.dtype

    def __getitem__(self, box: Any) -> NDArray[np.int32]:
        exchanged: NDArray[np.int32] = self.table[self.source[box]]
        return exchanged


@dataclass(frozen=True)
class BlockWork:
    """Who computes the blocks of a volume, and where volumes in between lie.

    Attributes
    ----------
    executor : BlockExecutor
    edge : int
        Voxels of a block along each axis.
    scratch : callable
        Makes an empty volume of int32 by a name.
    shape : (int, int, int)
        Of the volume.
    prefix : str
        Of names.
    """

    executor: BlockExecutor
    edge: int
    scratch: Callable[[str], BlockTarget]
    shape: Shape
    prefix: str = ""

    @property
    def boxes(self) -> list[Box]:
        """Blocks, in the order of their first voxels."""
        return divide(self.shape, self.edge)

    def over(
        self, function: Callable[..., Result], arguments: Callable[[Box], tuple[Any, ...]]
    ) -> Iterator[Result]:
        """Call a function with the arguments of each block."""
        return self.executor.map(function, [arguments(box) for box in self.boxes])

    def write(
        self,
        name: str,
        function: Callable[..., NDArray[Any]],
        arguments: Callable[[Box], tuple[Any, ...]],
    ) -> BlockSource:
        """Write a volume in between, block by block."""
        target = self.scratch(name)
        return self.settled(target, self.write_to(target, function, arguments))

    def write_to(
        self,
        target: BlockTarget,
        function: Callable[..., NDArray[Any]],
        arguments: Callable[[Box], tuple[Any, ...]],
    ) -> str:
        """Write a volume block by block; its digest."""
        return write_blocks(
            self.executor, target, function, [(box, arguments(box)) for box in self.boxes]
        )

    @staticmethod
    def settled(target: BlockTarget, digest: str) -> BlockSource:
        """A volume that was written, with the digest of its content where it can carry one."""
        carry: Callable[[str], BlockSource] | None = getattr(target, "with_content", None)
        return target if carry is None else carry(digest)


def identity(count: int) -> NDArray[np.int32]:
    """Table that leaves labels as they are."""
    return np.arange(count + 1, dtype=np.int32)


def renumbered(groups: NDArray[Any], firsts: Integers) -> NDArray[np.int32]:
    """Number groups from 1 by the first voxels of their members; 0 stays 0.

    Examples
    --------
    >>> renumbered(np.array([0, 7, 5, 7]), np.array([0, 20, 3, 10]))
    array([0, 2, 1, 2], dtype=int32)
    """
    first = np.full(int(groups.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, groups, firsts)
    present = np.unique(groups)
    present = present[present > 0]
    table = np.zeros(first.size, np.int32)
    table[present[np.argsort(first[present])]] = np.arange(1, present.size + 1)
    numbered: NDArray[np.int32] = table[groups]
    return numbered
