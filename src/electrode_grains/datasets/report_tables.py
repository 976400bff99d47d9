"""Tables of the report; apart from others, whose code must not reach the figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from kedro_datasets._typing import TablePreview

from electrode_grains.datasets.atomic import FileDataset
from electrode_grains.datasets.tables import spreadsheet_safe, table_preview
from electrode_grains.figures.table_text import to_latex, to_markdown


class ReportTableDataset(FileDataset[pd.DataFrame, pd.DataFrame]):
    """A small table as CSV, Markdown and LaTeX beside each other; loads from the CSV."""

    kind = "table"
    suffixes = (".csv", ".md", ".tex")

    def _read(self, path: Path) -> pd.DataFrame:
        return pd.read_csv(path)

    def _write(self, data: pd.DataFrame, *paths: Path) -> None:
        csv, markdown, latex = paths
        spreadsheet_safe(data).to_csv(csv, index=False)
        markdown.write_text(to_markdown(data), encoding="utf-8")
        latex.write_text(to_latex(data), encoding="utf-8")

    def preview(self) -> TablePreview:
        """Rows for the side panel of Kedro-Viz."""
        return table_preview(self.load())
