"""Settings of work by block."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from electrode_grains.base import Settings, setting
from electrode_grains.errors import SettingsError

BYTES_PER_VOXEL = 60
"""Peak of the steps that work by block, for each voxel of a block with what it reads around."""


class ExecutorSettings(Settings):
    """Who computes the blocks of a large volume."""

    HALO: ClassVar[int] = 2

    executor: Literal["serial", "threads", "dask"] = setting(
        "serial", "one block after another, several in threads, or on workers of dask"
    )
    scheduler_address: str | None = setting(
        None, "of a running dask scheduler, such as tcp://host:8786; null: this machine"
    )
    n_workers: int | None = setting(
        None, "blocks at once on this machine; null: the cores of this process", ge=1
    )
    memory_limit: float | None = setting(
        None, "of a worker, which refuses blocks that need more; null: no limit", unit="GB", gt=0
    )
    scratch_folder: str | None = setting(
        None, "for volumes between steps, which all workers see; null: the temporary folder"
    )
    block_edge: int = setting(256, "of a block along each axis", unit="voxels", ge=8)

    @model_validator(mode="after")
    def _address_needs_dask(self) -> Self:
        if self.scheduler_address is not None and self.executor != "dask":
            raise ValueError("scheduler_address is that of dask: set executor to dask")
        return self

    def check_memory(self, itemsize: int = 4, halo: int = HALO) -> None:
        """Refuse a limit below what one block needs.

        Parameters
        ----------
        itemsize : int
            Bytes of a voxel of the volume.
        halo : int
            Voxels that a block reads around itself.

        Raises
        ------
        SettingsError
            With the largest block that fits.
        """
        if self.memory_limit is None:
            return
        each = BYTES_PER_VOXEL + itemsize
        needed = (self.block_edge + 2 * halo) ** 3 * each / 1e9
        if needed > self.memory_limit:
            fitting = int(np.cbrt(self.memory_limit * 1e9 / each)) - 2 * halo
            raise SettingsError(
                "a worker's memory does not hold one block",
                where="compute.memory_limit",
                found=f"{self.memory_limit:g} GB, and {needed:.2g} GB for a block of "
                f"{self.block_edge} voxels along each axis",
                expected=f"{needed:.2g} GB or more",
                remedy=f"give workers more memory, or set compute.block_edge to at most "
                f"{max(fitting, 0)}",
            )
