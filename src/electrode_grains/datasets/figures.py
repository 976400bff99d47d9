"""Figures as PNG for the eye, PDF and SVG for the journal; charts for a browser."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro_datasets._typing import ImagePreview, PlotlyPreview

from electrode_grains.datasets.atomic import FileDataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Chart


class FigureDataset(FileDataset["Figure", bytes]):
    """A matplotlib figure, saved as PNG, SVG and PDF beside each other; loads as PNG bytes.

    Parameters
    ----------
    filepath : str
        Path without suffix.
    dots_per_inch : int
        Resolution of the PNG.
    metadata : dict, optional
        For Kedro-Viz.
    """

    kind = "figure"
    suffixes = (".png", ".svg", ".pdf")

    def __init__(
        self, *, filepath: str, dots_per_inch: int = 300, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._dots_per_inch = dots_per_inch

    def _read(self, path: Path) -> bytes:
        return path.read_bytes()

    def _write(self, data: Figure, *paths: Path) -> None:
        """Write the files; none carries a date, so equal figures are equal files."""
        from electrode_grains.figures.style import own_style

        png, svg, pdf = paths
        with own_style({"svg.hashsalt": "electrode-grains", "pdf.fonttype": 42}):
            data.savefig(png, dpi=self._dots_per_inch, format="png", metadata={"Software": None})
            data.savefig(svg, format="svg", metadata={"Date": None})
            data.savefig(pdf, format="pdf", metadata={"CreationDate": None})

    def preview(self) -> ImagePreview:
        """PNG for the side panel of Kedro-Viz."""
        return ImagePreview(base64.b64encode(self.load()).decode())


class ChartDataset(FileDataset["Chart", "Chart"]):
    """A plotly figure as JSON, which Kedro-Viz draws on its node."""

    kind = "chart"

    def _read(self, path: Path) -> Chart:
        from plotly.io import from_json

        return from_json(path.read_text(encoding="utf-8"))

    def _write(self, data: Chart, *paths: Path) -> None:
        # Plotly's own order of keys changes where a figure went through another process.
        ordered = json.dumps(json.loads(data.to_json()), sort_keys=True)
        paths[0].write_text(ordered, encoding="utf-8")

    def preview(self) -> PlotlyPreview:
        """Chart for the side panel of Kedro-Viz."""
        return PlotlyPreview(json.loads(self._filepath.read_text(encoding="utf-8")))
