"""Tables of the report; apart from others, whose code must not reach the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets._typing import TablePreview

from electrode_grains.datasets.atomic import FileDataset
from electrode_grains.datasets.tables import spreadsheet_safe, table_preview
from electrode_grains.figures.table_text import to_latex, to_markdown
from electrode_grains.figures.tables import TABLE_CAPTIONS


class ReportTableDataset(FileDataset[pd.DataFrame, pd.DataFrame]):
    """A small table as CSV, Markdown and LaTeX beside each other; loads from the CSV.

    Parameters
    ----------
    filepath : str
        Without suffix.
    number : str
        Of the table in the paper, which gives the LaTeX file its caption and label.
    metadata : dict, optional
        For Kedro-Viz.
    """

    kind = "table"
    suffixes = (".csv", ".md", ".tex")

    def __init__(
        self, *, filepath: str, number: str = "", metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._number = str(number)

    def _read(self, path: Path) -> pd.DataFrame:
        return pd.read_csv(path)

    def _write(self, data: pd.DataFrame, *paths: Path) -> None:
        csv, markdown, latex = paths
        spreadsheet_safe(data).to_csv(csv, index=False)
        markdown.write_text(to_markdown(data), encoding="utf-8")
        caption = TABLE_CAPTIONS.get(self._number, "")
        latex.write_text(to_latex(data, caption, f"tab:{self._filepath.name}"), encoding="utf-8")

    def preview(self) -> TablePreview:
        """Rows for the side panel of Kedro-Viz."""
        return table_preview(self.load())
