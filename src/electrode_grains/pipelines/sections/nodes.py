"""Nodes of the sections pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from electrode_grains import figures, generation
from electrode_grains.ebsd import OrientationField
from electrode_grains.ebsd.orientations import quaternions_from_euler
from electrode_grains.generation import Profiles, SectionModel, Sections
from electrode_grains.grain_maps import GrainMap
from electrode_grains.grains import SegmentationSettings
from electrode_grains.grains.linking import link_points
from electrode_grains.pipelines.sections.settings import SectionSettings
from electrode_grains.tessellation import Placement
from electrode_grains.volumes import as_volume, spacing_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # Kedro looks types up; the library is loaded when something is drawn
    Figure = Any

logger = logging.getLogger(__name__)
PARTICLE = "particle_1"
WHOLE_GRAINS = Placement(protrusion=1.0)


def label_sections(
    grain_sections: Mapping[str, GrainMap | xr.Dataset], settings: SectionSettings
) -> Sections:
    """Take planes of labels as they are, and link the points of EBSD maps to grains."""
    planes: list[NDArray[np.int64]] = []
    names: list[str] = []
    sources: list[int] = []
    spacings: list[tuple[float, float] | None] = []
    for source, (name, found) in enumerate(grain_sections.items()):
        if isinstance(found, GrainMap):
            labels, spacing = found.labels, found.spacing_nm and found.spacing_nm[1:]
        else:
            labels, spacing = _linked(found, settings)[None], found.attrs["step_nm"]
        for z, plane in enumerate(labels):
            if plane.any():
                planes.append(plane)
                names.append(name if len(labels) == 1 else f"{name}, plane {z}")
                sources.append(source)
                spacings.append(spacing)
            else:
                logger.warning("%s shows no grain and is left out", name)
    pixel = generation.square_pixel(spacings, names, settings.pixel_nm)
    return Sections(tuple(planes), tuple(names), tuple(sources), pixel)


def _linked(scan: xr.Dataset, settings: SectionSettings) -> NDArray[np.int64]:
    """Grains of an EBSD map: points linked by small misorientations, enclosed ones filled in."""
    known = scan["confidence_index"].to_numpy() >= 0
    quaternions = quaternions_from_euler(scan["euler_angles"].to_numpy())
    quaternions[~known] = np.nan
    field = OrientationField(quaternions[None], laue_group=settings.laue_group)
    linking = SegmentationSettings(merge_misorientation_degrees=settings.misorientation_degrees)
    return generation.fill_enclosed(link_points(field, settings=linking)[0])


def measure_sections(section_labels: Sections) -> pd.DataFrame:
    """Measure all profiles, at the pixel of the files."""
    table = Profiles.of_planes(
        section_labels.planes, section_labels.pixel_nm, section_labels.sources
    ).table
    return table.assign(section_name=[section_labels.names[n] for n in table["section"]])


def fit_section_model(section_labels: Sections, settings: SectionSettings) -> SectionModel:
    """Find the architecture whose sections have such profiles."""
    model = generation.fit_sections(
        section_labels.planes,
        section_labels.pixel_nm,
        settings,
        sources=section_labels.sources,
        report=lambda text: logger.info("%s", text),
    )
    logger.info(
        "%d profiles at %g nm; deviations of their moments: %.1f (sum of squares in standard "
        "errors)",
        model.target.profile_count,
        model.voxel_nm,
        model.loss,
    )
    return model


def fill_window(
    section_model: SectionModel,
    outer_shell_volume: xr.DataArray | None,
    settings: SectionSettings,
) -> tuple[xr.DataArray, pd.DataFrame]:
    """Fill a window, or a shell, with grains in space, and measure them."""
    edge = section_model.voxel_nm
    body, shape = None, settings.shape
    if outer_shell_volume is not None:
        body, shape = generation.whole_body(
            outer_shell_volume.to_numpy() > 0, spacing_of(outer_shell_volume), edge
        )
        logger.info("a shell in %d x %d x %d voxels is filled, not sections.shape", *shape)
    made = generation.fill_window(
        section_model.architecture,
        shape,
        (edge, edge, edge),
        np.random.default_rng([settings.seed, 1]),
        body=body,
        placement=WHOLE_GRAINS,
    )
    volume = as_volume(made.labels[None], (edge, edge, edge), "virtual_grain_label", [PARTICLE])
    return volume, made.grains.assign(particle=PARTICLE)


def compare_sections(section_model: SectionModel) -> pd.DataFrame:
    """Set the profiles of the sections beside simulated ones, and say what grains are in space."""
    table = generation.tabulate_sections(section_model)
    worst = table.loc[table["deviation"].abs() > 2, "quantity"]
    if len(worst):
        logger.warning(
            "no architecture was found whose sections have this (more than two standard errors "
            "away): %s",
            ", ".join(worst),
        )
    return table


def draw_sections(
    section_labels: Sections,
    section_profile_table: pd.DataFrame,
    virtual_grain_label_volume: xr.DataArray,
    virtual_grain_table: pd.DataFrame,
) -> Figure:
    """Draw a section, one of the virtual particle, and the distributions of both."""
    virtual = virtual_grain_label_volume.to_numpy()[0]
    pixel = spacing_of(virtual_grain_label_volume)[0]
    return figures.sections(
        section_labels.planes[0],
        section_labels.pixel_nm,
        virtual,
        pixel,
        section_profile_table,
        Profiles.of_planes(list(virtual), pixel, [0] * len(virtual)).table,
        virtual_grain_table,
    )
