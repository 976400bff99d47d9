"""`electrode-grains init --sections`: a project that starts from plane sections."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

import numpy as np
import xarray as xr

from electrode_grains.commands.console import echo
from electrode_grains.commands.init_labels import parse_spacing
from electrode_grains.commands.new_project import NewProject, refuse_unnameable
from electrode_grains.commands.outputs import copied_raw
from electrode_grains.crystal import LaueGroup, check_laue_group, laue_group_of_tsl_symmetry
from electrode_grains.datasets.sections import read_sections
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.errors import InputError
from electrode_grains.generation import shells_of, square_pixel
from electrode_grains.grain_maps import GrainMap, read_grain_map
from electrode_grains.volumes import as_volume, spacing_of

SHELL = "data/01_raw/outer_shell_volume.ome.zarr"
STEPS = (
    "`kedro run` measures the profiles, finds grains in space with such sections, and makes a "
    "virtual particle of them.",
    "The results are in `data/07_model_output/section_model.json` and "
    "`data/08_reporting/section_comparison.parquet`, the figure in `data/08_reporting/figures/`.",
)


def create_from_sections(
    folder: Path,
    source: Path,
    pixel_nm: float | None,
    laue_group: str | None,
    name: str | None,
    material: str | None,
    *,
    copy: bool = False,
    shell: xr.DataArray | None = None,
) -> None:
    """Read plane sections, write a project around them, and say what to do next."""
    refuse_unnameable(source, inside=copy)
    found = read_sections(source)
    maps = {n: each for n, each in found.items() if isinstance(each, GrainMap)}
    scans = {n: each for n, each in found.items() if isinstance(each, xr.Dataset)}
    spacings = [each.spacing_nm and each.spacing_nm[1:] for each in maps.values()]
    spacings += [scan.attrs["step_nm"] for scan in scans.values()]
    pixel = square_pixel(spacings, [*maps, *scans], pixel_nm)
    group = check_laue_group(laue_group or _laue_group(scans) or "-3m")
    count = sum(len(each.labels) for each in maps.values()) + len(scans)
    planes = [plane for each in maps.values() for plane in each.labels]
    labelled = sum(len(np.unique(plane[plane > 0])) for plane in planes)
    facts = f"{count} section{'s' if count > 1 else ''} with pixels of {pixel:g} nm"
    place = (
        copied_raw(folder, source, "sections" if source.is_dir() else source.name)
        if copy
        else source.as_posix()
    )
    parameters = {"sections": {"pixel_nm": pixel_nm}} if pixel_nm else {}
    NewProject(
        folder=folder,
        name=name or folder.resolve().name,
        material=material or "unknown",
        facts=facts,
        places={"sections": place},
        steps=STEPS,
        configured_globals={"data_root": "data", "grain_sections": place, "laue_group": group},
        parameters=parameters,
        declared={"starts_from": '"sections"'},
    ).write()
    if shell is not None:
        VolumeDataset(filepath=str(folder / SHELL)).save(shell)
    echo(f"{folder}: {facts}")
    if shell is not None:
        lengths = " x ".join(
            f"{n * step / 1000:.3g}" for n, step in zip(shell.shape, spacing_of(shell), strict=True)
        )
        echo(f"  outer shell from a volume of {lengths} um (z, y, x), kept in {SHELL}")
    if maps:
        echo(f"  {labelled} labels in {len(maps)} files of labels")
    if scans:
        echo(f"  {len(scans)} EBSD maps, Laue group {group}")
    echo(f"\nNext:\n  cd {quote(str(folder))}\n  kedro run")


def outer_shell(source: Path, spacing: str | None) -> xr.DataArray:
    """Read the volume of a particle, as a grain map is read; label 0 lies outside.

    Raises
    ------
    InputError
        If it shows no surface, or its voxel size is not known.
    """
    given = parse_spacing(spacing)
    found = read_grain_map(source).with_spacing(given, str(source))
    assert found.spacing_nm is not None
    inside = found.labels > 0
    shells, reason = shells_of([inside], found.spacing_nm, 1)
    if shells is None:
        raise InputError("the volume gives no outer shell", where=str(source), found=reason)
    return as_volume(inside.astype(np.uint8), found.spacing_nm, "outer_shell")


def _laue_group(scans: Mapping[str, xr.Dataset]) -> LaueGroup | None:
    """Laue group that the first EBSD map with phases names."""
    for scan in scans.values():
        if phases := scan.attrs.get("phases"):
            return laue_group_of_tsl_symmetry(phases[0]["symmetry"])
    return None
