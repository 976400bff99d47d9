"""Volumes in blocks: boxes, and who computes them."""

from electrode_grains.blocks.boxes import BlockSource, BlockTarget, Box, divide, read_padded
from electrode_grains.blocks.executor import (
    BlockExecutor,
    SerialExecutor,
    ThreadExecutor,
    write_blocks,
)
from electrode_grains.blocks.settings import ExecutorSettings

__all__ = [
    "BlockExecutor",
    "BlockSource",
    "BlockTarget",
    "Box",
    "ExecutorSettings",
    "SerialExecutor",
    "ThreadExecutor",
    "divide",
    "read_padded",
    "write_blocks",
]
