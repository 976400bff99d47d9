"""The table of faults names tests that exist."""

import re


def rows(project):
    text = (project / "docs" / "reliability.md").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]


def test_the_table_of_faults_is_numbered_and_long_enough(project):
    numbers = [int(row.split("|")[1]) for row in rows(project)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 70


def test_every_test_of_the_table_of_faults_exists(project):
    existing = {
        name
        for file in (project / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    }
    named = [re.findall(r"`(test_\w+)`", row) for row in rows(project)]
    assert all(named)
    assert {name for names in named for name in names} - existing == set()
