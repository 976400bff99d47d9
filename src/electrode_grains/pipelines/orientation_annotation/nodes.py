"""Nodes of the orientation_annotation pipeline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd import (
    annotate_from_orientations,
    is_scan,
    orientations_of_stack,
    stack_scans,
)
from electrode_grains.ebsd.pseudo_cube import (
    counts_as_one,
    find_pseudo_symmetry,
    hexagonal_constants,
    variants_as_one,
)
from electrode_grains.ebsd.slice_choice import Scan
from electrode_grains.pipelines.orientation_annotation.settings import (
    OrientationAnnotationSettings,
    StackSettings,
)


def annotate_slices(
    ebsd_scans: Mapping[str, Scan], stack: StackSettings, settings: OrientationAnnotationSettings
) -> dict[str, NDArray[np.uint8]]:
    """Annotate evenly spread slices: boundary where neighbours are misoriented.

    Flips between variants are none where pseudo-symmetry is on.
    """
    scans = stack_scans(
        ebsd_scans,
        slice_spacing_nm=stack.slice_spacing_nm,
        first_slice=stack.first_slice,
        options=stack.reading_options(),
        falling=stack.slice_order == "falling",
    )
    own = [z for z, name in enumerate(scans.attrs["slices"]) if is_scan(name)]
    count = min(settings.slice_count, len(own))
    chosen = np.linspace(0, len(own) - 1, count + 2).round().astype(int)[1:-1]
    field = orientations_of_stack(scans, settings.laue_group, stack.pseudo_symmetry_operators)
    constants = stack.lattice_constants or hexagonal_constants(scans.attrs["phases"])
    finding = find_pseudo_symmetry(field, constants, stack.pseudo_cubic_tolerance)
    if counts_as_one(finding, settings.pseudo_symmetry):
        field = variants_as_one(field)
    return {
        scans.attrs["slices"][own[index]]: annotate_from_orientations(
            field.quaternions[own[index]],
            scans["confidence_index"].isel(z=own[index]).to_numpy() >= settings.minimum_confidence,
            field.symmetry,
            np.radians(settings.misorientation_degrees),
        )
        for index in chosen
    }
