"""`electrode-grains init --labels`: a project that starts from a grain map."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import numpy as np

from electrode_grains import grain_maps
from electrode_grains.commands.console import echo
from electrode_grains.commands.new_project import NewProject, refuse_unnameable
from electrode_grains.commands.outputs import copied_raw
from electrode_grains.crystal import LAUE_GROUPS, LaueGroup, check_laue_group
from electrode_grains.errors import SettingsError

STEPS = (
    "`kedro run` measures the grains, fits distributions and writes the report.",
    "`electrode-grains report` opens it; `electrode-grains export` writes for other programs.",
)


def create_from_labels(
    folder: Path,
    source: Path,
    spacing: str | None,
    laue_group: str | None,
    name: str | None,
    material: str | None,
    *,
    copy: bool = False,
) -> None:
    """Read a grain map, write a project around it, and say what to do next."""
    refuse_unnameable(source, inside=copy)
    given = parse_spacing(spacing)
    grain_map = grain_maps.read_grain_map(source).with_spacing(given, str(source))
    group = _laue_group(grain_map, laue_group)
    dz, dy, dx = grain_map.spacing_nm or (0.0, 0.0, 0.0)
    depth, rows, columns = grain_map.labels.shape
    count = len(np.unique(grain_map.labels[grain_map.labels > 0]))
    facts = (
        f"{count} grains in {depth} x {rows} x {columns} voxels (z, y, x) of "
        f"{dz:g} x {dy:g} x {dx:g} nm, "
        f"{'with' if grain_map.orientations is not None else 'without'} orientations"
    )
    place = copied_raw(folder, source, source.name) if copy else source.as_posix()
    NewProject(
        folder=folder,
        name=name or folder.resolve().name,
        material=material or grain_map.material or "unknown",
        facts=facts,
        places={"grain map": place},
        steps=STEPS,
        configured_globals={"data_root": "data", "grain_map": place, "laue_group": group},
        parameters={"grain_map": {"spacing_nm": list(given)}} if given else {},
        declared={"starts_from": '"grain_map"'},
    ).write()
    echo(f"{folder}: {facts}")
    echo(f"  voxel size {'given' if given else 'from the file'}")
    echo(f"  Laue group {group} ({_origin(grain_map, laue_group)})")
    for note in grain_map.notes:
        echo(f"  note: {note}")
    echo(f"\nNext:\n  cd {quote(str(folder))}\n  kedro run")


def parse_spacing(text: str | None) -> tuple[float, float, float] | None:
    """Voxel size of an option `DZ,DY,DX` in nm; None where it was not given."""
    if text is None:
        return None
    try:
        dz, dy, dx = (float(part) for part in text.split(","))
    except ValueError:
        dz = dy = dx = 0.0
    if not all(0 < step < float("inf") for step in (dz, dy, dx)):
        raise SettingsError(
            "--spacing is no voxel size",
            found=text,
            expected="three positive numbers in nm, dz,dy,dx, such as 50,50,50",
        )
    return grain_maps.GrainMapSettings.checked(spacing_nm=(dz, dy, dx)).spacing_nm


def _laue_group(grain_map: grain_maps.GrainMap, given: str | None) -> LaueGroup:
    if given is not None:
        return check_laue_group(given)
    if grain_map.laue_group is not None:
        return check_laue_group(grain_map.laue_group)
    if grain_map.orientations is not None:
        raise SettingsError(
            "the Laue group of the crystal is not stored in the file",
            expected=", ".join(LAUE_GROUPS),
            remedy="give it with --laue-group",
        )
    return "-1"


def _origin(grain_map: grain_maps.GrainMap, given: str | None) -> str:
    if given is not None:
        return "given"
    return "from the file" if grain_map.laue_group else "no symmetry: there are no orientations"
