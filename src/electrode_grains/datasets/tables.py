"""Tables of the report: CSV for programs, Markdown for notes, LaTeX for the manuscript."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview


class ReportTableDataset(AbstractDataset[pd.DataFrame, pd.DataFrame]):
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

        self._base.parent.mkdir(parents=True, exist_ok=True)
        data.to_csv(self._file(".csv"), index=False)
        self._file(".md").write_text(to_markdown(data), encoding="utf-8")
        self._file(".tex").write_text(to_latex(data), encoding="utf-8")

    def preview(self) -> TablePreview:
        """Rows for the side panel of Kedro-Viz."""
        table: dict[str, Any] = self.load().astype(str).to_dict(orient="split")
        return TablePreview(table)

    def _exists(self) -> bool:
        return self._file(".csv").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._base)}
