"""The wheel, installed beside nothing but its dependencies, works as a library and a program."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
LIBRARY = """
import numpy as np
from electrode_grains.distributions import fit_marginal
from electrode_grains.grains import segment_grains
from electrode_grains.morphometry import characterize_grains

z, y, x = np.mgrid[:24, :24, :40]
r = np.minimum(*(np.sqrt((z - 12) ** 2 + (y - 12) ** 2 + (x - at) ** 2) for at in (11, 27)))
probability = np.stack([(r >= 7) & (r < 9), r < 7, r >= 9]).astype(np.float32)
labels = segment_grains(probability, minima_depth=0.05, background_threshold=0.5)
print(len(characterize_grains(labels, spacing=(50, 50, 50))))
print(fit_marginal(np.random.default_rng(0).beta(20, 4, 200), "beta").outcome)
import electrode_grains
print(electrode_grains.__file__)
"""


def run(*words, cwd):
    environment = {**os.environ, "COLUMNS": "240"}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(project, tmp_path_factory):
    """Folder of the programs of an environment that holds the wheel and none of the sources."""
    pytest.importorskip("setuptools", minversion="77")
    sources, environment = (tmp_path_factory.mktemp(name) for name in ("sources", "environment"))
    for name in ("src", "conf"):
        shutil.copytree(project / name, sources / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(project / name, sources)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", "dist", ".", cwd=sources)
    venv.create(environment)
    (wheel,) = (sources / "dist").glob("*.whl")
    python = environment / "bin" / "python"
    run(*pip, "--python", python, "install", "--no-deps", wheel, cwd=environment)
    packages = run(python, "-c", "import sysconfig as s; print(s.get_path('purelib'))", cwd="/")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    Path(packages.strip(), "borrowed.pth").write_text("\n".join(borrowed))
    return environment / "bin"


def test_a_wheel_segments_measures_and_fits(installed, tmp_path):
    grains, outcome, file = run(installed / "python", "-c", LIBRARY, cwd=tmp_path).split()
    assert (grains, outcome) == ("2", "converged")
    assert Path(file).is_relative_to(installed.parent)


def test_the_program_of_a_wheel_makes_a_project_and_says_little(installed, tmp_path):
    program = installed / "electrode-grains"
    assert "segmentation.grains.minima_depth" in run(program, "settings", cwd=tmp_path)
    printed = run(program, "demo", "--shape", "16,48,48", "particle", cwd=tmp_path)
    assert "Saving data" not in printed  # Kedro's own log
    assert len(list((tmp_path / "particle").rglob("*.ang"))) == 16
    assert "No problem found" in run(program, "check", cwd=tmp_path / "particle")
