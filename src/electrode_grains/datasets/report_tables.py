"""Tables of the report; apart from others, whose code must not reach the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets._typing import TablePreview

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.datasets.tables import spreadsheet_safe, table_preview
from electrode_grains.runs.writing import atomic_write


class ReportTableDataset(AtomicDataset[pd.DataFrame, pd.DataFrame]):
    """A small table in three formats beside each other; loads from the CSV.

    Parameters
    ----------
    filepath : str
        Path without suffix.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._base = Path(filepath)
        self.metadata = metadata

    def _file(self, suffix: str) -> Path:
        return self._base.with_name(self._base.name + suffix)

    def load(self) -> pd.DataFrame:
        """Read the CSV."""
        return pd.read_csv(self._file(".csv"))

    def save(self, data: pd.DataFrame) -> None:
        """Write all three formats."""
        from electrode_grains.figures.tables import to_latex, to_markdown

        with atomic_write(*self.paths()) as (csv, markdown, latex):
            spreadsheet_safe(data).to_csv(csv, index=False)
            markdown.write_text(to_markdown(data), encoding="utf-8")
            latex.write_text(to_latex(data), encoding="utf-8")

    def preview(self) -> TablePreview:
        """Rows for the side panel of Kedro-Viz."""
        return table_preview(self.load())

    def paths(self) -> tuple[Path, ...]:
        """CSV, Markdown and LaTeX."""
        return tuple(map(self._file, (".csv", ".md", ".tex")))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._base)}
