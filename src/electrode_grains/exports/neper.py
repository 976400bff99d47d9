"""Particles as raster tessellations (`.tesr`), for Neper."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from electrode_grains.crystal import check_laue_group
from electrode_grains.exports.particle import ExportedParticle

NM_PER_UM = 1000.0
FORMAT = "2.1"
# Since its version 4.10 Neper calls the angles of Bunge, by which the axes of the sample turn into
# those of the crystal, passive; before, active.
DESCRIPTOR = "euler-bunge:passive"


def write_tesr(particle: ExportedParticle, path: Path) -> None:
    """Write labels and mean orientations as a raster tessellation.

    Parameters
    ----------
    particle : ExportedParticle
    path : Path
        File to write or to replace.

    Notes
    -----
    Lengths are micrometres; the centre of the first voxel is the origin of the others, so the
    raster begins half a voxel before it. Cells are numbered without gaps, their ids are the
    labels; outside of the particle there is none. Orientations are left out where a grain has
    none, since Neper wants one for each.
    """
    steps = [step / NM_PER_UM for step in particle.spacing[::-1]]
    angles = np.degrees(particle.mean_euler_angles[1:])
    with path.open("w", encoding="ascii") as file:
        file.write(f"***tesr\n **format\n   {FORMAT}\n **general\n   3\n")
        file.write("   {2} {1} {0}\n".format(*particle.labels.shape))
        file.write("   " + " ".join(f"{step:.9g}" for step in steps) + "\n")
        file.write("  *origin\n   " + " ".join(f"{-step / 2:.9g}" for step in steps) + "\n")
        file.write(f" **cell\n   {len(particle.ids)}\n  *id\n")
        np.savetxt(file, particle.ids, fmt="   %d")
        if np.isfinite(angles).all() and len(angles):
            file.write(f"  *ori\n   {DESCRIPTOR}\n")
            np.savetxt(file, angles, fmt="   %.9f")
        file.write(f"  *crysym\n   {check_laue_group(particle.laue_group)}\n **data\n   ascii\n")
        for layer in particle.feature_ids:
            np.savetxt(file, layer, fmt="%d")
        file.write("***end\n")
