"""The pages of the documentation are all there."""

import re

import pytest
import yaml


class _Loader(yaml.SafeLoader):
    """Takes the tags of MkDocs for plain text."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)


def files_of(entry):
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from files_of(inner)


@pytest.fixture
def configuration(project):
    return yaml.load((project / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)


def is_there(path, project):
    """Whether a page exists, or is made of a notebook that does (docs/extensions)."""
    notebook = project / "notebooks" / f"{path.stem}.ipynb"
    return path.exists() or (path.parent == project / "docs" / "notebooks" and notebook.exists())


def test_every_page_of_the_navigation_is_there(project, configuration):
    pages = list(files_of(configuration["nav"]))
    assert len(pages) > 30
    assert [page for page in pages if not is_there(project / "docs" / page, project)] == []


def test_every_notebook_has_its_page(project, configuration):
    notebooks = {f"notebooks/{path.stem}.md" for path in (project / "notebooks").glob("*.ipynb")}
    assert notebooks <= set(files_of(configuration["nav"]))


def test_what_the_pages_are_built_with_is_there(project):
    text = (project / "mkdocs.yml").read_text(encoding="utf-8")
    extensions = re.findall(r"docs/\S+\.py", text)
    assert extensions
    assert [file for file in extensions if not (project / file).exists()] == []


def test_every_link_between_pages_leads_somewhere(project):
    lost = []
    for page in [project / "README.md", *sorted((project / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not is_there(page.parent / target, project):
                lost.append(f"{page.name}: {target}")
    assert lost == []


def test_every_row_of_the_table_of_faults_has_its_number_and_a_test_that_exists(project):
    page = (project / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| `(test_\w+)` \|$", page, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == len(re.findall(r"^\| \d+ \|", page, flags=re.MULTILINE)) >= 100
    code = "".join(file.read_text("utf-8") for file in (project / "tests").rglob("test_*.py"))
    assert [name for _, name in rows if f"def {name}(" not in code] == []
