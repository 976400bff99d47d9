"""What memory a run will take, by the shape of its stack, and whether the machine can give it."""

from __future__ import annotations

import logging
import math
from typing import Any

import psutil
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from electrode_grains.errors import RunError, UserError
from electrode_grains.runs.machine import memory_limits
from electrode_grains.runs.store import DatasetStore

logger = logging.getLogger(__name__)

GB = 1e9
# Measured on stacks of 5,000, 72,000 and 1,050,000 voxels: libraries, and what grows with them.
BYTES_PER_VOXEL = 650
# Of one feature of the first level at a voxel of a training window, with the levels below and
# gradients: 149 to 166 for windows of 48 to 80 voxels a side and 8 to 32 features.
BYTES_PER_FEATURE = 170
TRAINING = "params:boundary_model.training"
RESIDENT, RESIDENT_WITH_NETWORK = 0.4 * GB, 0.9 * GB
ADDRESSES, ADDRESSES_WITH_NETWORK = 1.5 * GB, 3.0 * GB


class MemoryCheck:
    """Say what memory a run takes, and refuse one that can never have it."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Estimate before the first step."""
        voxels = voxels_of(pipeline, catalog)
        with_network = "boundary_network" in pipeline.datasets()
        training = training_bytes(pipeline, catalog)
        growing = BYTES_PER_VOXEL * voxels + training
        need = (RESIDENT_WITH_NETWORK if with_network else RESIDENT) + growing
        logger.info("about %.1f GB of memory for %s voxels", need / GB, f"{voxels:,}")
        if training > growing / 2:
            logger.info("%.1f GB of it for windows of the training", training / GB)
        addresses = ADDRESSES_WITH_NETWORK if with_network else ADDRESSES
        for what, limit, remedy in memory_limits():
            wanted = need if what != "address space" else addresses + growing
            if wanted > limit:
                smaller = " and train with smaller windows" if training > growing / 2 else ""
                raise RunError(
                    f"the run does not fit into the {what}",
                    found=f"{limit / GB:.1f} GB",
                    expected=f"at least {wanted / GB:.1f} GB for {voxels:,} voxels",
                    remedy=f"{remedy}, or crop the scans to the particle{smaller}",
                )
        if need > (free := psutil.virtual_memory().available):
            logger.warning("only %.1f GB of memory are free now", free / GB)


def training_bytes(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> int:
    """What the windows of a step of the training take, 0 where a pipeline does not train."""
    if TRAINING not in pipeline.inputs():
        return 0
    settings = catalog.load(TRAINING)
    lattice = 2**settings.depth  # windows are padded to it
    voxels = math.prod(-(-size // lattice) * lattice for size in settings.window_shape)
    features = int(settings.base_width) * int(settings.batch_size)
    return int(BYTES_PER_FEATURE * features * voxels)


def voxels_of(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> int:
    """Voxels of the stack that a pipeline works on, 0 where nothing tells them before it runs."""
    inputs = pipeline.inputs()
    if (virtual := "params:acquisition.particle") in inputs:
        return math.prod(catalog.load(virtual).shape)
    if {"ebsd_scans", "params:preprocessing.stack"} <= inputs and catalog.exists("ebsd_scans"):
        try:
            readers = catalog.load("ebsd_scans")
            options = catalog.load("params:preprocessing.stack").reading_options()
            first = next(iter(readers.values()))(options)
        except UserError:  # the step that reads all of them tells what is wrong
            return 0
        return len(readers) * int(first["image_quality"].size)
    store = DatasetStore(catalog)
    manifests = (store.manifest(name) for name in inputs if store.paths(name))
    shapes = [manifest.schema.get("shape") or [0] for manifest in manifests if manifest is not None]
    return max((math.prod(shape[-3:]) for shape in shapes), default=0)
