"""Figures on the disk: three forms of the same, without a date, with fonts that journals take."""

from matplotlib.figure import Figure

from electrode_grains.datasets.figures import FigureDataset


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


def test_letters_of_the_pdf_are_type_42(tmp_path):
    """Journals refuse Type 3, matplotlib's default."""
    FigureDataset(filepath=str(tmp_path / "figure")).save(drawn())
    content = (tmp_path / "figure.pdf").read_bytes()

    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content
    assert b"/CIDFontType2" in content
