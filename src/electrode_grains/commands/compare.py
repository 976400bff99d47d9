"""`electrode-grains compare`: in which characteristics do two particles differ."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
import yaml

from electrode_grains import datasets
from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, show_table
from electrode_grains.commands.outputs import refuse_existing
from electrode_grains.commands.project import Project, find_project, open_project, project_options
from electrode_grains.descriptors import DESCRIPTORS
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.runs import Manifest, changed_files, file_digests, manifest_path
from electrode_grains.runs.writing import atomic_write
from electrode_grains.shipped import packaged_configuration

if TYPE_CHECKING:
    import pandas as pd


DATASET = "grain_table"
TABLE = Path("07_model_output") / "grain_table.parquet"
SHOWN = ("value_first", "value_second", "effect", "effect_low", "effect_high",
         "adjusted_p_value")  # fmt: skip


@click.command(cls=Command)
@click.argument("first", type=click.Path(path_type=Path, exists=True), metavar="A")
@click.argument("second", type=click.Path(path_type=Path, exists=True), metavar="B")
@project_options
@click.option("--replicates", type=click.IntRange(min=19),
              help="Permutations, resamples [default: setting modelling.comparison].")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the table there too: .csv or .parquet.")  # fmt: skip
@click.option("--replace", is_flag=True, help="With -o: replace a file of that name.")
@click.option("--force", is_flag=True, help="Take the tables as they are, outdated or not.")
def command(
    first: Path,
    second: Path,
    project: Path | None,
    env: str | None,
    replicates: int | None,
    output: Path | None,
    replace: bool,
    force: bool,
) -> None:
    """Compare the grains of the particles A and B.

    A and B are projects, data folders, or files grain_table.parquet; a table in a project has to
    be up to date. Marginals are compared
    by the probability that a grain of B exceeds one of A (0.5 for equal particles), pairs by
    the difference of Kendall's tau, both with 95 % intervals; p-values are by permutation and
    adjusted for their number. Which grains count is a setting of the project around you, or
    else of the package.
    """
    if output is not None and output.suffix not in (".csv", ".parquet"):
        raise SettingsError(
            "the table can be written as CSV or Parquet", found=output.name,
            expected=".csv or .parquet",
        )  # fmt: skip
    if output is not None:
        refuse_existing(output, replace=replace)
    names, files = _named(first, second)
    for file in dict.fromkeys(files):
        _refuse_untrusted(file, project or Path.cwd(), env, force=force)
    before = [file_digests([file]) for file in files]
    compared = compare_tables(dict(zip(names, files, strict=True)), project, env, replicates)
    if [file_digests([file]) for file in files] != before:
        raise InputError(
            "a grain table was changed while it was compared",
            found=" or ".join(map(str, files)),
            remedy="wait for the run that writes it, then give the same command again",
        )
    for index, name in enumerate(names):
        sizes = compared[f"sample_size_{('first', 'second')[index]}"]
        echo(f"{name}: {sizes.min()} grains, {files[index]}")
    show_table(
        "\nB against A",
        ("", "A", "B", "effect", "from", "to", "adjusted p"),
        [
            [_in_words(row["subject"]), *(row[name] for name in SHOWN)]
            for _, row in compared.iterrows()
        ],
    )
    different = int((compared["adjusted_p_value"] < 0.05).sum())
    echo(f"\n{different} of {len(compared)} comparisons differ at the 5 % level")
    echo("A, B: mean, of a pair (~) Kendall's tau; effect: probability that a grain of B exceeds")
    echo("one of A, .5 if equal; of a pair tau of B less that of A; from, to: its 95 % interval")
    if output is not None:
        with atomic_write(output) as (partial,):
            if output.suffix == ".csv":
                datasets.spreadsheet_safe(compared).to_csv(partial, index=False)
            else:
                compared.to_parquet(partial, index=False)


def _in_words(subject: str) -> str:
    """Name a column, or two joined by a tilde, as prose does, with the unit."""
    known = (DESCRIPTORS.get(name) for name in subject.split(" ~ "))
    titles = [column.plain_axis if column else "" for column in known]
    return " ~ ".join(titles) if all(titles) else subject


def compare_tables(
    files: dict[str, Path],
    project: Path | None = None,
    env: str | None = None,
    replicates: int | None = None,
) -> pd.DataFrame:
    """Run the comparison of the pipeline on grain tables by name."""
    import pandas as pd

    from electrode_grains.pipelines.modelling.nodes import compare_particles
    from electrode_grains.pipelines.modelling.settings import (
        ComparisonSettings,
        PairSettings,
        SampleSettings,
    )

    settings = _modelling_settings(project, env)
    comparison = ComparisonSettings(**settings["comparison"])
    if replicates is not None:
        comparison = comparison.model_copy(update={"replicates": replicates})
    return compare_particles(
        {name: partial(pd.read_parquet, file) for name, file in files.items()},
        SampleSettings(**settings["sample"]),
        PairSettings(**settings["pairs"]),
        comparison,
    )


def _modelling_settings(project: Path | None, env: str | None) -> dict[str, Any]:
    """Settings of the project, or those that come with the package outside of any."""
    try:
        return dict(open_project(project, env).config["parameters"]["modelling"])
    except InputError:
        if project is not None or env is not None:
            raise

    file = packaged_configuration() / "base" / "parameters_modelling.yml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8"))["modelling"])


def _named(*places: Path) -> tuple[list[str], list[Path]]:
    """Names of the particles in an order that keeps A before B, and their tables."""
    files = [_table_of(place) for place in places]
    names = [(place.stem if place.is_file() else place.resolve().name) for place in places]
    # The comparison orders particles by name; the letters keep the order that was asked for.
    return [f"{letter} {name}" for letter, name in zip("AB", names, strict=True)], files


def _table_of(place: Path) -> Path:
    candidates = [place, place / TABLE, place / "data" / TABLE]
    for file in candidates:
        if file.is_file():
            return file
    raise InputError(
        "there is no grain table",
        where=str(place),
        expected=" or ".join(map(str, candidates[1:])),
        remedy=f"cd {quote(str(place))} && kedro run"
        if (place / "conf").is_dir()
        else "name the folder of a project that was run, its data folder, or a grain table",
    )


def _refuse_untrusted(file: Path, around: Path, env: str | None, *, force: bool) -> None:
    """Refuse a table that `kedro run` would refuse as an input; without manifest it is a user's."""
    manifest = Manifest.read(manifest_path(DATASET, file))
    if manifest is None or force:
        return
    if (owner := _owner(file, around, env)) is not None:
        owner.check([DATASET])
    elif changed := changed_files(manifest.files, file_digests([file])):
        raise InputError(
            "the grain table cannot be trusted",
            where=str(file),
            found=", ".join(changed),
            expected="the table that the last run wrote",
            remedy="run characterization again, or name a copy of the table in another folder",
        )


def _owner(file: Path, around: Path, env: str | None) -> Project | None:
    """The project that keeps its grain table in a file: the one around the file, or a given one."""
    for start in (file.parent, around):
        with suppress(InputError):  # no project there
            folder = find_project(start)
            conf = (folder / "conf").iterdir()
            for environment in (env, *sorted(each.name for each in conf if each.is_dir())):
                with suppress(SettingsError):  # of an environment that is another's
                    opened = open_project(folder, environment)
                    if opened.file_of(DATASET).resolve() == file.resolve():
                        return opened
    return None
