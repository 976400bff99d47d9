"""Figures as PNG for the eye and SVG for the journal; charts for a browser."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro_datasets._typing import ImagePreview, PlotlyPreview

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.runs.writing import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Chart


class FigureDataset(AtomicDataset["Figure", bytes]):
    """A matplotlib figure, saved as PNG and SVG beside each other; loads as PNG bytes.

    Parameters
    ----------
    filepath : str
        Path without suffix.
    dots_per_inch : int
        Resolution of the PNG.
    """

    def __init__(
        self, *, filepath: str, dots_per_inch: int = 300, metadata: dict[str, Any] | None = None
    ) -> None:
        self._png = Path(f"{filepath}.png")
        self._svg = Path(f"{filepath}.svg")
        self._dots_per_inch = dots_per_inch
        self.metadata = metadata

    def load(self) -> bytes:
        """Read the PNG."""
        return self._png.read_bytes()

    def save(self, data: Figure) -> None:
        """Write both files; neither carries a date, so equal figures are equal files."""
        from matplotlib import rc_context

        salt = rc_context({"svg.hashsalt": "electrode-grains"})
        with atomic_write(self._png, self._svg) as (png, svg), salt:
            data.savefig(png, dpi=self._dots_per_inch, format="png", metadata={"Software": None})
            data.savefig(svg, format="svg", metadata={"Date": None})

    def preview(self) -> ImagePreview:
        """PNG for the side panel of Kedro-Viz."""
        return ImagePreview(base64.b64encode(self.load()).decode())

    def paths(self) -> tuple[Path, ...]:
        """PNG and SVG."""
        return (self._png, self._svg)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._png)}


class ChartDataset(AtomicDataset["Chart", "Chart"]):
    """A plotly figure as JSON, which Kedro-Viz draws on its node."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Chart:
        """Read the figure."""
        from plotly.io import from_json

        self._refuse_missing("chart")
        return from_json(self._filepath.read_text(encoding="utf-8"))

    def save(self, data: Chart) -> None:
        """Write the figure in one step."""
        with atomic_write(self._filepath) as (partial,):
            partial.write_text(data.to_json(), encoding="utf-8")

    def preview(self) -> PlotlyPreview:
        """Chart for the side panel of Kedro-Viz."""
        return PlotlyPreview(json.loads(self._filepath.read_text(encoding="utf-8")))

    def paths(self) -> tuple[Path, ...]:
        """The file."""
        return (self._filepath,)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
