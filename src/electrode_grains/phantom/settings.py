"""Settings of virtual particles and of their acquisition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from electrode_grains.base import Length, Settings, setting
from electrode_grains.ebsd.frames import FramePreset
from electrode_grains.tessellation import ArchitectureModel, ArchitectureSettings


class ParticleSettings(Settings):
    """Window and grains of a virtual particle."""

    FORMER_NAMES: ClassVar[Mapping[str, str]] = {
        name: f"joined_cells.{name}" for name in ArchitectureSettings.model_fields
    }

    shape: tuple[int, int, int] = setting((64, 128, 128), "voxels (z, y, x) of the window")
    spacing_nm: tuple[Length, Length, Length] = setting(
        (50.0, 50.0, 50.0), "voxel size (dz, dy, dx), the step of the paper", unit="nm"
    )
    grains: ArchitectureModel = ArchitectureModel()
    joined_cells: ArchitectureSettings | None = setting(
        None, "joined Laguerre cells instead of these grains, with their own settings"
    )
    radial_texture: float = setting(
        0.0, "share of the grains whose c axis points to the centre of the particle", ge=0, le=1
    )
    low_angle_share: float = setting(
        0.04, "share of the grains whose lattice is 2 to 9 degrees from a neighbour's", ge=0, le=0.5
    )
    special_share: float = setting(
        0.02,
        "share of the grains whose lattice is another of the pseudo-cube's of a neighbour: a twin",
        ge=0,
        le=0.5,
    )
    seed: int = setting(20, "of the particle", ge=0)

    @property
    def architecture(self) -> ArchitectureModel | ArchitectureSettings:
        """What the grains are made by."""
        return self.joined_cells or self.grains


class AcquisitionSettings(Settings):
    """Imperfections of milling, scanning and annotating."""

    annotated_slices: tuple[int, ...] = setting(
        (14, 25, 38, 49), "slices (from 0) that are annotated"
    )
    annotation_error: float = setting(
        0.0, "0: no error; 1: lines displaced by two pixels, every tenth missed", ge=0, le=1
    )
    noise: float = setting(1.0, "factor of the noise of the image quality", ge=0)
    misindexed_share: float = setting(
        0.04,
        "wrong orientations: half of it inside grains, up to 4.5 times at boundaries",
        ge=0,
        le=1,
    )
    flipped_share: float = setting(
        0.1, "share of the points whose c axis is another of the pseudo-cube's", ge=0, le=1
    )
    unindexed_share: float = setting(
        0.02, "share of the points without an orientation, more of them at boundaries", ge=0, le=1
    )
    patch_px: float = setting(
        3.0,
        "Gaussian smoothing of fields whose extremes are patches of such points; 0: single ones",
        unit="pixels",
        ge=0,
    )
    weak_boundary_degrees: float = setting(
        10.0,
        "misorientation under the symmetry of the pseudo-cube from which on a boundary has its "
        "full contrast; 0: every boundary has",
        unit="degrees",
        ge=0,
    )
    drift_px: float = setting(
        1.0, "standard deviation of the shift of a slice", unit="pixels", ge=0
    )
    wander_px: float = setting(
        0.0, "standard deviation of the steps by which the stage wanders", unit="pixels", ge=0
    )
    jump_px: float = setting(
        5.0,
        "jump of the stage between two slices of the middle half of the stack",
        unit="pixels",
        ge=0,
    )
    rotation_degrees: float = setting(
        0.3, "standard deviation of the rotation of a slice", unit="degrees", ge=0
    )
    thickness_jitter: float = setting(
        0.15, "standard deviation of the depth of a slice, as a share of the slice spacing", ge=0
    )
    lost_slices: tuple[int, ...] = setting(
        (), "slices (from 0) that are milled away unscanned; name them in preprocessing.stack too"
    )
    information_depth_nm: Length = setting(
        40.0, "depth below the surface within which 1 - 1/e of the signal arises", unit="nm", ge=0
    )
    curtaining: float = setting(0.05, "relative contrast of the stripes that milling leaves", ge=0)
    brightness_drift: float = setting(
        0.06, "relative change of brightness from slice to slice", ge=0
    )
    shadow: float = setting(
        0.3, "share of the image quality that the wall of the trench takes at most", ge=0, le=1
    )
    equivalent_angles: bool = setting(
        True, "whether a point has any of the six equivalent triples of Euler angles"
    )


class ScanSettings(AcquisitionSettings):
    """The same with the frames of the files and the seed of all random draws."""

    frames: FramePreset = setting(
        "edax_2", "frames of Euler angles and map that the files have, see preprocessing.stack"
    )
    seed: int = setting(21, "of the acquisition", ge=0)
