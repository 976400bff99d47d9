"""The tables of the documentation are those of the measurements that are kept."""

import json

import pytest
from benchmarks.measurements import records, tables
from benchmarks.measurements.__main__ import main
from benchmarks.measurements.rows import ROWS

PAGE = "before\n<!-- measurements: flips -->\nedited by hand\n<!-- end -->\nafter\n"


def test_no_table_of_the_documentation_was_edited_by_hand():
    assert [page.name for page in tables.pages()] == ["measurements.md", "segmentation.md"]
    for page in tables.pages():
        text = page.read_text(encoding="utf-8")
        assert tables.with_tables(text) == text, f"{page.name}: make measurements writes its tables"


def test_every_measurement_that_is_kept_has_its_row_and_says_when_where_and_of_what():
    assert {file.stem for file in records.KEPT.glob("*.json")} <= set(ROWS)
    for row in ROWS.values():
        record = row.record()
        if record is not None:
            assert set(record) == {
                "schema_version", "date", "machine", "seeds", "code", "processor_seconds",
                "wall_seconds", "numbers",
            }  # fmt: skip


def test_every_table_has_its_place_in_the_documentation():
    named = {
        name for page in tables.pages() for _, name, _ in tables.MARK.findall(page.read_text())
    }
    assert named == set(tables.TABLES)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(records, "WORK", tmp_path / "work")
    return tmp_path


def made(kept, numbers, seeds=(1,)):
    row = records.Row("one", "a row", lambda _: numbers, ("electrode_grains.text",), seeds)
    row.make()
    return row


def test_a_row_is_old_where_code_or_seeds_changed_since(kept):
    row = made(kept, {"F1": 0.5})
    assert row.record()["numbers"] == {"F1": 0.5}
    assert row.reason_to_measure() is None
    other = records.Row("one", "a row", row.measure, ("electrode_grains.memory",), (1,))
    assert other.reason_to_measure().startswith("older than the code")
    reseeded = records.Row("one", "a row", row.measure, row.code, (2,))
    assert reseeded.reason_to_measure().startswith("measured with other seeds")
    unknown = records.Row("two", "a row", row.measure, row.code, (1,))
    assert unknown.reason_to_measure() == "not measured"


def test_a_number_that_is_none_is_not_kept_and_the_one_before_stays(kept):
    before = made(kept, {"F1": 0.5}).record()
    with pytest.raises(ValueError, match="nan"):
        made(kept, {"F1": float("nan")})
    assert json.loads((kept / "kept" / "one.json").read_text()) == before


def test_a_page_gets_the_rows_that_are_kept_and_keeps_the_rest(kept):
    numbers = {
        "grains": 130.0, "F1 auto": 0.894, "F1 on": 0.894, "F1 off": 0.5,
        "F1 on, twins united": 0.93, "decided": 1.0, "right of these": 0.99,
        "of one lattice": 0.97, "right of those": 1.0, "right of all": 0.9951,
    }  # fmt: skip
    row = ROWS["flips-3-0.4"]
    records.Row(row.key, row.title, lambda _: numbers, row.code, row.seeds).make()
    text = tables.with_tables(PAGE)
    assert text.startswith("before\n")
    assert text.endswith("<!-- end -->\nafter\n")
    date = row.record()["date"]
    shown = ".894 | .894 | .500 | .930 | 1.000 | .990 | .970 | 1.000 | .995"
    assert f"| .4; patches | 130 | {shown} | {date} |" in text
    assert "edited by hand" not in text
    assert tables.with_tables(text) == text


def test_check_names_the_rows_that_are_not_of_this_code(kept, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["measurements", "--check"])
    assert main() == 1
    printed = capsys.readouterr().out
    assert "demo: not measured" in printed
    assert f"0 of {len(ROWS)} rows" in printed


def test_only_what_python_does_makes_a_row_old(tmp_path):
    texts = {
        "plain": "def f(x):\n    return x + 1\n",
        "told": (
            '"""A module."""\n\ndef f(x):  # a comment\n    """Add one."""\n    return (x + 1)\n'
        ),
        "other": "def f(x):\n    return x + 2\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    plain, told, other = (records._meaning(tmp_path / name) for name in texts)
    assert plain == told != other
