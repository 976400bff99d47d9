"""The grains of a stack that nobody has labelled, as the embedded network sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from electrode_grains import alignment, boundary, ebsd, grains
from electrode_grains.commands.console import progress
from electrode_grains.crystal import LaueGroup
from electrode_grains.ebsd.pseudo_cube import find_pseudo_symmetry, hexagonal_constants
from electrode_grains.volumes import as_volume

if TYPE_CHECKING:
    import xarray as xr

LARGEST_WINDOW = (64, 128, 128)  # voxels (z, y, x), which take a minute on two cores
UNCHOSEN = (0.005, 0.475)  # depth of minima, boundary score: those of a run without labels


def first_look(
    stack: xr.Dataset, laue: LaueGroup, slice_spacing_nm: float | None
) -> NDArray[np.int32]:
    """Segment the middle of a stack with the network that comes along, by default settings.

    Parameters
    ----------
    stack : xr.Dataset
        As `ebsd.inspect_scans` returns it.
    laue : LaueGroup
    slice_spacing_nm : float or None

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Grains, 0 outside of the window of `LARGEST_WINDOW` voxels in the middle.

    Raises
    ------
    UserError
        If the stack cannot be aligned or holds no grain.
    """
    from electrode_grains.pipelines.boundary_model.nodes import build_contrast

    shape = stack["image_quality"].shape
    window = tuple(
        slice((size - least) // 2, (size - least) // 2 + least)
        for size, least in zip(shape, map(min, shape, LARGEST_WINDOW), strict=True)
    )
    part = stack.isel(dict(zip("zyx", window, strict=True)))
    dy, dx = part.attrs["step_nm"]
    spacing = (slice_spacing_nm or dy, dy, dx)
    part.attrs["spacing_nm"] = spacing
    quality, orientations = _aligned(part, laue)
    field = ebsd.OrientationField.from_channels(orientations.to_numpy(), laue_group=laue)
    indexed = bool(field.known.any())
    pseudo = find_pseudo_symmetry(field, hexagonal_constants(part.attrs["phases"]))
    index = ebsd.ScanIndex.of_stack(part, field, pseudo if indexed else None)
    seen = boundary.ContrastSettings(laue_group=laue)
    contrast = build_contrast(
        as_volume(quality, spacing, "image_quality_volume"),
        orientations,
        index,
        seen if indexed else seen.replace(channels=("image_quality",)),
    )
    network = boundary.embedded_network(contrast["channel"].to_numpy().tolist())
    with progress("tiles predicted") as report_progress:
        probability = boundary.predict_class_probabilities(
            network, contrast.to_numpy(), report_progress=report_progress
        )
    uses_pseudo = index.uses_pseudo_symmetry("auto")
    settings = grains.SegmentationSettings(
        laue_group=laue, pseudo_symmetry="on" if uses_pseudo else "off"
    ).with_choice(*UNCHOSEN)
    labels = np.zeros(shape, np.int32)
    labels[window] = grains.segment_grains(
        probability,
        settings=settings,
        orientations=field if indexed else None,
        measured=np.isfinite(quality),
    )
    return labels


def _aligned(stack: xr.Dataset, laue: LaueGroup) -> tuple[NDArray[np.float32], xr.DataArray]:
    """Image quality and orientations, moved as a run would move them."""
    from electrode_grains.pipelines.preprocessing.nodes import align_orientations

    quality, channels = stack["image_quality"].to_numpy(), ebsd.stack_orientations(stack, laue)
    orientations = as_volume(
        channels, stack.attrs["spacing_nm"], "orientation_volume", ebsd.ORIENTATION_CHANNELS
    )
    is_volume = stack.attrs["slice_spacing_nm"] and not stack.attrs["has_depths"]
    if len(quality) == 1 or is_volume:
        return quality, orientations
    with progress("slices registered") as report_progress:
        transforms = alignment.estimate_transforms(
            quality,
            alignment.AlignmentSettings(strict=False),
            lattice=alignment.LatticeField.of_channels(channels, ebsd.laue_group(laue)),
            progress=report_progress,
        )
    quality = alignment.apply_transforms(quality, transforms, order=1)
    return quality.astype(np.float32), align_orientations(orientations, transforms)
