"""`electrode-grains export`: results for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from electrode_grains.commands import Command
from electrode_grains.commands.project import project_options

NAMES = ("vti", "tif", "dream3d", "csv", "vtp", "ply", "stl", "vtu")


@click.command(cls=Command, short_help="Write grains for ParaView, ImageJ, DREAM.3D, meshes.")
@project_options
@click.option("--format", "formats", type=click.Choice([*NAMES, "all"]), multiple=True,
              help="May be given several times [default: vti tif dream3d csv ply].")  # fmt: skip
@click.option("--smoothing", default=10, show_default=True, type=click.IntRange(min=0),
              help="Smoothing steps of surfaces; 0 leaves voxel faces.")  # fmt: skip
@click.option("--force", is_flag=True, help="Take results as they are, outdated or not.")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              help="Folder [default: data/08_reporting/exports].")  # fmt: skip
def command(
    project: Path | None,
    env: str | None,
    formats: Sequence[str],
    smoothing: int,
    force: bool,
    output: Path | None,
) -> None:
    """Write the grains in the formats of other programs.

    \b
    vti      voxels with grain values, for ParaView
    tif      label stack with voxel size, for ImageJ
    dream3d  voxels, orientations, grain values, for DREAM.3D 6
    csv      grain table
    vtp      interfaces between grains, for ParaView
    ply      interfaces between grains, for mesh programs
    stl      closed surface of each grain, one file per grain
    vtu      one hexahedron per voxel, for finite elements (large)

    Volumes are kept as OME-Zarr already, which napari and Fiji open. Lengths are nm, but um in
    tif and dream3d.
    """
    from kedro.framework.project import pipelines

    from electrode_grains.commands.console import echo, progress
    from electrode_grains.commands.outputs import output_folder
    from electrode_grains.commands.project import open_project
    from electrode_grains.exports import FORMATS, write_exports
    from electrode_grains.pipelines.export.nodes import gather_particle
    from electrode_grains.pipelines.export.pipeline import INPUTS

    opened = open_project(project, env)
    steps = {"grain_label_volume": "segmentation", "grain_table": "characterization"}
    opened.check(INPUTS, force=force)
    # A project that starts from a grain map has no scans.
    made = pipelines["export"].inputs()
    loaded: dict[str, Any] = {
        name: opened.load(name, steps.get(name, "preprocessing")) if name in made else None
        for name in INPUTS
    }
    particle = gather_particle(**loaded, parameters=opened.config["parameters"])
    chosen = NAMES if "all" in formats else formats or (*NAMES[:4], "ply")
    folder = output or opened.file_of("exported_particle")
    names = [FORMATS[name][1] for name in chosen]
    with output_folder(folder, names), progress("writing") as report_progress:
        written = write_exports(particle, folder, chosen, smoothing, report_progress)
    for path in written.values():
        files = [path] if path.is_file() else list(path.iterdir())
        size = sum(file.stat().st_size for file in files) / 1e6
        echo(f"{path} ({f'{len(files)} files, ' if path.is_dir() else ''}{size:.1f} MB)")
