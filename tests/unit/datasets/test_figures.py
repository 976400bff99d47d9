"""Figures on the disk: three forms of the same, without a date, with fonts that journals take."""

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure

from electrode_grains.datasets.figures import FigureDataset
from electrode_grains.figures.style import styled


def drawn():
    figure = Figure()
    figure.subplots().set_title(r"$\mu$ of θ")
    return figure


def test_equal_figures_are_equal_files(tmp_path):
    for name in ("first", "second"):
        FigureDataset(filepath=str(tmp_path / name), dots_per_inch=50).save(drawn())

    for suffix in (".png", ".svg", ".pdf"):
        one, other = (tmp_path / f"{name}{suffix}" for name in ("first", "second"))
        assert one.read_bytes() == other.read_bytes(), suffix


def test_a_style_of_the_user_changes_no_file(tmp_path):
    """As `matplotlibrc` in the folder of a project, or at home, would set it."""
    own = {"lines.linewidth": 9, "font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20,
           "savefig.facecolor": "blue", "svg.fonttype": "none", "axes.grid": True}  # fmt: skip
    sample = np.random.default_rng(1).gamma(4.0, size=200)
    draw = styled(lambda: drawn_histogram(sample))
    FigureDataset(filepath=str(tmp_path / "plain"), dots_per_inch=50).save(draw())
    with rc_context(own):
        FigureDataset(filepath=str(tmp_path / "styled"), dots_per_inch=50).save(draw())
        assert rcParams["font.size"] == 30

    for suffix in (".png", ".svg", ".pdf"):
        one, other = (tmp_path / f"{name}{suffix}" for name in ("plain", "styled"))
        assert one.read_bytes() == other.read_bytes(), suffix


def drawn_histogram(sample):
    figure = Figure()
    axes = figure.subplots()
    axes.hist(sample)
    axes.plot([0, 1], [0, 1], label="a line")
    axes.legend()
    return figure


def test_letters_of_the_pdf_are_type_42(tmp_path):
    """Journals refuse Type 3, matplotlib's default."""
    FigureDataset(filepath=str(tmp_path / "figure")).save(drawn())
    content = (tmp_path / "figure.pdf").read_bytes()

    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content
    assert b"/CIDFontType2" in content
