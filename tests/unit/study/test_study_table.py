"""The table of particles, and what of it is refused before anything runs."""

import pytest
import yaml
from click.testing import CliRunner

from electrode_grains.commands import main
from electrode_grains.commands.study_table import check_settings, open_study, read_particles
from electrode_grains.errors import InputError, SettingsError


@pytest.fixture
def study(tmp_path):
    """A folder with two folders of scans, and a function that writes the table."""
    for name in ("a", "b"):
        (tmp_path / "scans" / name).mkdir(parents=True)
    (tmp_path / "study.yml").write_text("name: test\n")

    def write(text, settings=None):
        (tmp_path / "particles.csv").write_text(text, "utf-8")
        if settings is not None:
            (tmp_path / "study.yml").write_text(yaml.safe_dump(settings))
        return tmp_path

    return write


def problems(folder):
    with pytest.raises(InputError) as refused:
        read_particles(folder / "particles.csv")
    return refused.value.found


def test_a_row_has_data_settings_and_groups(study):
    folder = study(
        "id,scans,slice_spacing_nm,segmentation.grains.minima_depth,batch\n"
        "p1,scans/a,50,0.02,fresh\n"
        "\n"
        "p2,scans/b,50,,aged\n"
    )
    first, second = read_particles(folder / "particles.csv")
    assert first.source == {"scans": str(folder / "scans" / "a"), "slice_spacing_nm": "50"}
    assert first.settings == {"segmentation": {"grains": {"minima_depth": 0.02}}}
    assert second.settings == {}
    assert (first.groups, second.groups) == ({"batch": "fresh"}, {"batch": "aged"})
    assert (first.line, second.line) == (2, 4)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_tables_of_spreadsheets_are_read(study, separator):
    text = "\ufeffid,scans,batch\np1,scans/a,x\n".replace(",", separator)
    assert [each.name for each in read_particles(study(text) / "particles.csv")] == ["p1"]


def test_all_bad_rows_are_named_at_once(study):
    found = problems(
        study(
            "id,scans,slice_spacing_nm\n"
            "p1,scans/a,50\n"
            "P1,scans/b,50\n"
            "p3,scans/missing,50\n"
            "p/4,scans/a,50\n"
            "con,scans/a,50\n"
            "p6,scans/a,minus\n"
            "p7,,50\n"
            "p8,scans/a,50,60\n"
        )
    )
    for row, reason in (
        (3, "is that of row 2"), (4, "does not exist"), (5, "cannot name a folder"),
        (6, "cannot name a folder"), (7, "no positive number"), (8, "either from scans"),
        (9, "4 cells below 3 columns"),
    ):  # fmt: skip
        assert any(f"row {row}:" in line and reason in line for line in found.splitlines()), row
    assert len(found.splitlines()) == 7


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("id,scan", "neither scans nor grain_map"),
        ("id,scans,lables", "did you mean labels"),
        ("id,scans,scans", "there twice"),
        ("scans", "names no id"),
    ],
)
def test_a_misspelt_column_does_not_become_a_group(study, header, reason):
    assert reason in problems(study(f"{header}\np1,scans/a,x\n"))


def test_an_empty_table_is_refused(study):
    with pytest.raises(InputError, match="names no particle"):
        read_particles(study("id,scans\n") / "particles.csv")


def test_misspelt_and_impossible_settings_are_refused_with_their_rows(study):
    folder = study(
        "id,scans,segmentation.grains.minima_dept,segmentation.grains.minima_depth\n"
        "p1,scans/a,,0.01\n"
        "p2,scans/a,0.02,\n"
        "p3,scans/b,,-3\n"
    )
    with pytest.raises(InputError, match="nothing was run") as refused:
        check_settings(open_study(folder))
    lines = refused.value.found.splitlines()
    assert len(lines) == 2
    assert "row 3: p2" in lines[0]
    assert "minima_depth" in lines[0]
    assert "row 4: p3" in lines[1]
    assert "-3" in lines[1]


def test_settings_of_the_study_are_checked(study):
    folder = study("id,scans\np1,scans/a\n", {"name": "x", "settings": {"segmentatoin": {}}})
    with pytest.raises(SettingsError, match="segmentatoin"):
        check_settings(open_study(folder))
    folder = study("id,scans\np1,scans/a\n", {"nmae": "x"})
    with pytest.raises(SettingsError, match="did you mean name"):
        open_study(folder)


def test_what_init_writes_is_a_study_with_the_defaults(tmp_path):
    done = CliRunner().invoke(main, ["study", "init", str(tmp_path / "s")])
    assert done.exit_code == 0, done.output
    (tmp_path / "scans").mkdir()
    table = tmp_path / "s" / "particles.csv"
    table.write_text(table.read_text() + "p1,../scans,,50,,x\n")
    opened = open_study(tmp_path / "s")
    assert opened.settings == type(opened.settings)(name="s")
    again = CliRunner().invoke(main, ["study", "init", str(tmp_path / "s")])
    assert again.exit_code == 2
    assert "nothing is overwritten" in again.output


def test_a_scheduler_that_is_not_there_is_refused(study, monkeypatch):
    monkeypatch.setattr("electrode_grains.executors.dask_client.CONNECT_SECONDS", 1)
    folder = study("id,scans\np1,scans/a\n")
    done = CliRunner().invoke(
        main, ["study", "run", "--study", str(folder), "--scheduler", "tcp://127.0.0.1:1"]
    )
    assert done.exit_code == 2, done.output
    assert "the scheduler cannot be reached" in done.output
    assert not (folder / "particles").exists()
