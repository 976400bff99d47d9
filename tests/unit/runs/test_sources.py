"""Which modules a step reaches, and what of them enters its digest."""

import shutil
import subprocess
from importlib.metadata import version
from platform import python_version

import pytest

from electrode_grains.runs.sources import ProjectCode, code_version

FILES = {
    "__init__.py": "",
    "notes.yml": "of the root: no module of it reads this",
    "steps/__init__.py": "from .near import one",
    "steps/near.py": "import rooms.far.deep\nimport json",
    "steps/template.j2": "beside",
    "steps/inner/style.css": "beside, in a folder without code",
    "steps/notes.txt": "of no kind that a package reads",
    "steps/main.py": "def run():\n    from ..shared import it\n    from . import near\n",
    "far/__init__.py": "",
    "far/deep.py": "from ...beyond import nothing",
    "far/alone.py": "import rooms.steps",
    "shared.py": "from rooms.far import missing_name",
    "roomsmate.py": "",
    "rest.py": "schedule.load('rooms.far.alone')\nread('rooms.shared')",
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        (tmp_path / "rooms" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rooms" / name).write_text(text)
    return tmp_path / "rooms"


@pytest.mark.parametrize(
    ("module", "reached"),
    [
        ("steps.near", "steps steps.near far far.deep"),
        ("steps.main", "steps steps.near steps.main shared far far.deep"),
        ("far.deep", "far far.deep"),  # what lies above the package is no module of it
        ("far.alone", "far far.alone far.deep steps steps.near"),
        ("shared", "shared far"),
        ("rest", "rest far far.alone far.deep steps steps.near"),  # `read` is no call of a loader
    ],
)
def test_a_module_reaches_what_it_imports_and_the_packages_it_lies_in(package, module, reached):
    found = ProjectCode("rooms", package).reached_modules([f"rooms.{module}"])
    assert found == {"rooms", *(f"rooms.{name}" for name in reached.split())}


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("rooms", "__init__.py"),
        ("rooms.steps", "steps/__init__.py"),
        ("rooms.steps.near", "steps/near.py"),
        ("rooms.roomsmate", "roomsmate.py"),
        ("rooms.steps.missing", None),
        ("roomsmate", None),
        ("json", None),
        ("json.rooms.steps", None),
    ],
)
def test_modules_of_the_package_have_a_source(package, module, file):
    assert ProjectCode("rooms", package).source(module) == (file and package / file)


def digest_with(package, tmp_path, module, changed=None, name=None):
    """Digest of a copy in which one file is changed or renamed: sources are read once each."""
    copy = tmp_path / f"copy {changed} {name}" / "rooms"
    shutil.copytree(package, copy)
    if changed is not None and name is None:
        (copy / changed).write_text((copy / changed).read_text() + "\n# changed\n")
    if name is not None:
        (copy / changed).rename(copy / name)
    return ProjectCode("rooms", copy).digest([f"rooms.{module}"])


def test_the_digest_is_of_the_modules_that_are_reached_and_of_what_lies_beside_a_package(
    package, tmp_path
):
    before = digest_with(package, tmp_path, "steps.near")
    counts = {
        file for file in FILES if digest_with(package, tmp_path, "steps.near", file) != before
    }
    assert counts == {
        "__init__.py", "steps/__init__.py", "steps/near.py", "steps/template.j2",
        "steps/inner/style.css", "far/__init__.py", "far/deep.py",
    }  # fmt: skip
    assert len(before) == 40
    moved = digest_with(package, tmp_path, "steps.near", "steps/template.j2", "steps/other.j2")
    assert moved != before


def test_versions_are_those_that_are_installed():
    code = ProjectCode.of("electrode_grains", ["numpy", "no-such-library"])
    assert code.library_versions() == {
        "python": python_version(), "numpy": version("numpy"), "no-such-library": "not installed",
    }  # fmt: skip
    assert code.source("electrode_grains.runs.sources").name == "sources.py"
    for name in ("no_such_package", "this"):  # none, and a module that is no package
        with pytest.raises(ModuleNotFoundError, match=f"{name} is no installed package"):
            ProjectCode.of(name)


def test_a_folder_without_git_has_no_commit(tmp_path):
    assert code_version(tmp_path) == {"git.commit": "not a git checkout"}
    assert code_version(tmp_path / "missing") == {"git.commit": "not a git checkout"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git makes the commit")
def test_a_checkout_tells_its_commit_and_whether_it_was_changed(tmp_path):
    def git(*words):
        own = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
        done = subprocess.run(
            ["git", *own, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert code_version(tmp_path) == {"git.commit": commit, "git.dirty": "False"}
    (tmp_path / "new.py").write_text("")
    assert code_version(tmp_path) == {"git.commit": commit, "git.dirty": "True"}
