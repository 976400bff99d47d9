"""`electrode-grains export`: results for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from electrode_grains import exports
from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, progress, size_text
from electrode_grains.commands.outputs import output_folder
from electrode_grains.commands.project import Project, open_project, project_options

DATASET = "exported_particle"
STEPS = {
    "grain_label_volume": "segmentation",
    "grain_table": "characterization",
    "image_quality_volume": "preprocessing",
    "corrected_orientation_volume": "segmentation",
    "scan_index": "preprocessing",
}
NAMES = ("vti", "tif", "dream3d", "xdmf", "tesr", "csv", "vtp", "msh", "stl", "vtu", "tet")


@click.command(cls=Command)
@project_options
@click.option("--format", "formats", type=click.Choice([*NAMES, "all"]), multiple=True,
              help="May be given several times [default: those of the catalog].")  # fmt: skip
@click.option("--smoothing", type=click.IntRange(min=0),
              help="Of surfaces; 0 leaves voxel faces [default: as in the catalog].")  # fmt: skip
@click.option("--force", is_flag=True, help="Take results as they are, outdated or not.")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False),
              help="Folder [default: data/08_reporting/exports].")  # fmt: skip
def command(
    project: Path | None,
    env: str | None,
    formats: Sequence[str],
    smoothing: int | None,
    force: bool,
    output: Path | None,
) -> None:
    """Write the grains in the formats of other programs.

    \b
    vti      voxels with grain values, for ParaView
    tif      label stack with voxel size, for ImageJ
    dream3d  voxels, orientations, grain values, for DREAM.3D 6
    xdmf     beside dream3d, so that ParaView opens it
    tesr     voxels and mean orientations, for Neper
    csv      grain table
    vtp      interfaces between grains, for ParaView
    msh      interfaces between grains, for Gmsh and meshio
    stl      closed surface of each grain, one file per grain
    vtu      one hexahedron per voxel, for finite elements (large)
    tet      tetrahedra that follow the grains, for VTK, Gmsh and Abaqus (large)

    Volumes are kept as OME-Zarr already, which napari and Fiji open. Lengths are nm, but um in
    tif, dream3d and tesr. Without -o it is kedro run --pipelines export with other formats.
    """
    opened = open_project(project, env)
    options = dict(opened.config["catalog"][DATASET])
    if formats:
        options["formats"] = list(NAMES if "all" in formats else dict.fromkeys(formats))
    if smoothing is not None:
        options["smoothing_steps"] = smoothing
    folder = opened.file_of(DATASET)
    if output is None or output.resolve() == folder.resolve():
        # where kedro run --pipelines export writes too
        entries, runtime = {DATASET: options}, {"force": force}
        opened.run("export", runtime_params=runtime, entry_options=entries, by_code=False)
    else:
        folder = output
        _write(opened, folder, options, force=force)
    for path in (folder / exports.FORMATS[name][1] for name in options["formats"]):
        files = [path] if path.is_file() else list(path.iterdir())
        size = size_text(sum(file.stat().st_size for file in files))
        echo(f"{path} ({f'{len(files)} files, ' if path.is_dir() else ''}{size})")


def _write(project: Project, folder: Path, options: dict[str, Any], *, force: bool) -> None:
    """Write into any other folder."""
    from electrode_grains.pipelines.export.nodes import gather_particle
    from electrode_grains.pipelines.export.pipeline import INPUTS

    # A project that starts from a grain map has no scans.
    made = project.pipelines["export"].inputs()
    results = project.load_all({name: STEPS[name] for name in INPUTS if name in made}, force=force)
    loaded: dict[str, Any] = {name: results.get(name) for name in INPUTS}
    particle = gather_particle(**loaded, parameters=project.config["parameters"])
    files = [exports.FORMATS[name][1] for name in options["formats"]]
    with output_folder(folder, files), progress("writing") as report_progress:
        exports.write_exports(
            particle, folder, options["formats"], options["smoothing_steps"],
            options.get("cohesive", False), report_progress,
        )  # fmt: skip
