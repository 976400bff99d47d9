"""`electrode-grains proofread`: look at suspicious grains and record corrections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from electrode_grains import datasets, ebsd, figures, grains
from electrode_grains.commands import Command, viewer
from electrode_grains.commands.console import echo, show_table
from electrode_grains.commands.outputs import output_folder, written_before
from electrode_grains.commands.project import Project, open_project, project_options
from electrode_grains.commands.viewer import use_viewer
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.runs import one_run
from electrode_grains.volumes import spacing_of

if TYPE_CHECKING:
    import pandas as pd


Voxel = tuple[int, int, int]
EDITS = "segmentation_edits"
RESULTS = {
    "image_quality_volume": "preprocessing",
    "orientation_volume": "preprocessing",
    "scan_index": "preprocessing",
    "class_probability_volume": "boundary_model",
    "grain_label_volume": "segmentation",
    "segmentation_log": "segmentation",
    "suspect_table": "segmentation",
}
SHOWN = 20


class _Voxels(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """Voxels z,y,x, or ranks of suspects #3, joined by slashes."""

    name = "voxels"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        places: list[Voxel | int] = []
        for part in str(value).split("/"):
            try:
                if part.startswith("#"):
                    places.append(int(part[1:]))
                    continue
                z, y, x = (int(number) for number in part.split(","))
            except ValueError:
                self.fail(f"{part!r} is neither a voxel z,y,x nor the rank of a suspect, #3")
            places.append((z, y, x))
        return places


@click.command(cls=Command)
@project_options
@click.option("--remove", type=_Voxels(), multiple=True, metavar="Z,Y,X",
              help="Record: no grain there.")  # fmt: skip
@click.option("--merge", type=_Voxels(), multiple=True, metavar="Z,Y,X/Z,Y,X",
              help="Record: one grain.")  # fmt: skip
@click.option("--split", type=_Voxels(), multiple=True, metavar="Z,Y,X/Z,Y,X",
              help="Record: several grains.")  # fmt: skip
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a picture of each listed suspect there [default: data/08_reporting/suspects].",
)
@click.option("--count", default=SHOWN, show_default=True, help="Suspects to list and draw.")
@click.option(
    "--viewer/--no-viewer",
    default=None,
    help="Open napari, or not [default: where it is installed and a person is there].",
)
def command(
    project: Path | None,
    env: str | None,
    remove: Sequence[Any],
    merge: Sequence[Any],
    split: Sequence[Any],
    pictures: Path | None,
    count: int,
    viewer: bool | None,
) -> None:
    """List the grains that look wrong and record corrections.

    An edit names voxels z,y,x, or suspects by rank, and is appended to data/01_raw/edits.yml
    after it was tried; every run replays the file. In napari voxels are marked by clicking.

    \b
    electrode-grains proofread
    electrode-grains proofread --remove 12,40,51 --split '20,10,10/20,18,12'
    electrode-grains proofread --merge '#3/12,44,55'
    kedro run --pipelines segmentation,characterization,modelling,reporting
    """
    opened = open_project(project, env)
    results = opened.load_all(RESULTS, disregard=[EDITS])  # newer edits are replayed
    session = EditSession(opened, results)
    suspects = results["suspect_table"]
    asked = [
        (action, _resolved(places, suspects))
        for action, given in (("remove", remove), ("merge", merge), ("split", split))
        for places in given
    ]
    if asked:
        session.try_all(asked)
        for action, voxels in asked:
            session.record(action, voxels)
            echo(f"recorded: {action} at {voxels}")
        _say_how_to_go_on(session, opened)
        return
    listed = suspects.head(count)
    show_table(
        f"The {len(listed)} most doubtful of {len(suspects)} suspicious grains",
        ("rank", "grain", "z,y,x", "voxels", "suspicion", "reason"),
        [
            (int(row.rank), int(row.label), f"{row.z},{row.y},{row.x}", int(row.voxel_count),
             float(row.suspicion), row.reason)
            for row in listed.itertuples()
        ],
    )  # fmt: skip
    if use_viewer(viewer, exporting=pictures is not None):
        _open_viewer(results, session)
        if session.recorded:
            _say_how_to_go_on(session, opened)
        return
    folder = pictures or opened.file_of("suspect_table").parent / "suspects"
    draw_suspects(results, listed, folder)
    echo(f"\nPictures of them are in {folder}")
    echo("Next: electrode-grains proofread --remove '#1', --merge or --split; see --help")


class EditSession:
    """Labels with all edits so far, and the file that edits are appended to.

    Attributes
    ----------
    labels : ndarray of int, shape (z, y, x)
    file : Path
    recorded : int
        Edits of this session.
    """

    def __init__(self, project: Project, results: Mapping[str, Any]) -> None:

        self.file = project.file_of(EDITS)
        self._data_folder = project.data_folder
        self.recorded = 0
        self._boundary = results["class_probability_volume"][0].to_numpy()
        labels = results["grain_label_volume"].to_numpy()
        manual = project.config["parameters"]["segmentation"]["manual"]["edits"]
        known = [*manual, *project.catalog.load(EDITS)]
        # The labels on disk hold the edits of the last run; later ones are replayed here.
        done = [_edit(entry.action, entry.at) for entry in results["segmentation_log"].edits]
        if _plain(known[: len(done)]) != _plain(done):
            raise InputError(
                "edits that the last run replayed were changed since",
                where=str(self.file),
                expected="those edits, and new ones after them",
                remedy="kedro run --pipelines segmentation replays all of them on new labels",
            )
        self.labels, _ = grains.apply_edits(
            labels, known[len(done) :], self._boundary, outdated="report"
        )

    def try_all(self, asked: Sequence[tuple[str, Sequence[Voxel]]]) -> None:
        """Try several edits in their order, so that all or none are recorded.

        Raises
        ------
        UserError
            If one is not well formed or fits no grain.
        """
        grains.apply_edits(self.labels, [_edit(*each) for each in asked], self._boundary)

    def record(self, action: str, voxels: Sequence[Voxel]) -> NDArray[Any]:
        """Try an edit, append it to the file, return the labels with it.

        Raises
        ------
        UserError
            If it is not well formed or fits no grain; nothing is written then.
        """
        edit = _edit(action, voxels)
        self.labels, _ = grains.apply_edits(self.labels, [edit], self._boundary)
        with one_run(self._data_folder):
            datasets.append_edit(self.file, edit)
        self.recorded += 1
        return self.labels


def _edit(action: str, voxels: Sequence[Voxel]) -> dict[str, Any]:
    return {"action": action, "at": [list(voxel) for voxel in voxels]}


def _plain(edits: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(edits, sort_keys=True)


def draw_suspects(results: Mapping[str, Any], suspects: pd.DataFrame, folder: Path) -> None:
    """Write a picture of each suspect, named by rank and grain."""
    quality = results["image_quality_volume"].to_numpy()
    labels = results["grain_label_volume"].to_numpy()
    colours = _orientation_colours(results)
    rows = suspects[["rank", "label", "z", "y", "x"]].to_dict("records")
    files = {f"suspect_{row['rank']:03d}_grain_{row['label']}.png": row for row in rows}
    with output_folder(folder, list(files)):
        for old in written_before(folder):
            old.unlink()
        for name, row in files.items():
            voxel = (int(row["z"]), int(row["y"]), int(row["x"]))
            picture = figures.suspect_sections(quality, labels, int(row["label"]), voxel, colours)
            Image.fromarray(picture).save(folder / name)


def _orientation_colours(results: Mapping[str, Any]) -> NDArray[np.float64] | None:
    quaternions = results["orientation_volume"].to_numpy()[:4]
    if not np.isfinite(quaternions[0]).any():
        return None
    laue_group = results["scan_index"].laue_group
    return ebsd.ipf_colors(np.moveaxis(quaternions, 0, -1), laue_group)


def _resolved(places: Sequence[Voxel | int], suspects: pd.DataFrame) -> list[Voxel]:
    """Voxels of an edit; a rank stands for the voxel that the table names."""
    voxels: list[Voxel] = []
    for place in places:
        if not isinstance(place, int):
            voxels.append(place)
            continue
        rows = suspects.loc[suspects["rank"] == place, ["z", "y", "x"]].to_numpy(int)
        if not len(rows):
            raise SettingsError(
                "there is no suspect of this rank",
                found=f"#{place}",
                expected=f"#1 to #{len(suspects)}",
            )
        z, y, x = rows[0].tolist()
        voxels.append((z, y, x))
    return voxels


def _say_how_to_go_on(session: EditSession, project: Project) -> None:
    echo(f"\n{session.recorded} edits were appended to {session.file}")
    steps = "segmentation,characterization,modelling,reporting"
    echo(f"Next: {project.run_command(steps)}")


def _open_viewer(results: Mapping[str, Any], session: EditSession) -> None:
    quality, suspects = results["image_quality_volume"], results["suspect_table"]
    if quality.shape != session.labels.shape:
        raise InputError(
            "image quality and grains cover different windows",
            found=f"{quality.shape} and {session.labels.shape}",
            remedy="run the project again from preprocessing on",
        )
    window = viewer.open_window("electrode-grains proofread")
    viewer.show_segmentation(
        window,
        quality.to_numpy(),
        session.labels,
        spacing_of(quality),
        session.record,
        orientation_colours=_orientation_colours(results),
    )
    listed = viewer.suspect_list(window, suspects, spacing_of(quality))
    window.window.add_dock_widget(listed, name="suspects", area="right")
    viewer.run()
