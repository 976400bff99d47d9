"""Hook of MkDocs: a page for each notebook, run on the demo where `make run` has computed it."""

import base64
import logging
import os
import re
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient

PROJECT = Path(__file__).parents[2]
NOTEBOOKS = PROJECT / "notebooks"
RESULTS = PROJECT / "data" / "demo" / "08_reporting" / "report.html"
FOLDER = "notebooks"  # of the pages
PATIENCE = 600  # seconds a cell
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal
WITHOUT = "\n!!! note\n    Without outputs, since these pages were made before `make run`.\n\n"

logger = logging.getLogger("mkdocs.notebooks")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and their pictures."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        is_run = RESULTS.exists()
        if is_run:
            logger.info("running %s", path.name)
            run(notebook, path.parent)
        text, pictures = as_markdown(notebook, path.stem, WITHOUT * (not is_run))
        pages = {f"{FOLDER}/{path.stem}.md": text} | {
            f"{FOLDER}/{name}": content for name, content in pictures.items()
        }
        for name, content in pages.items():
            files.append(File.generated(config, name, content=content))
    return files


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook as its reader would, on the results of the demo."""
    os.environ["KEDRO_ENV"] = "demo"
    NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": folder}}).execute()


def as_markdown(
    notebook: nbformat.NotebookNode, stem: str, note: str = ""
) -> tuple[str, dict[str, bytes]]:
    """Write a notebook as a page, and its pictures by file name.

    A note goes below the title, which is the first line of the first cell.
    """
    title, _, rest = notebook.cells[0].source.partition("\n")
    parts, pictures = [title, note + rest], {}
    for cell in notebook.cells[1:]:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{stem}_{len(pictures)}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![what the cell above draws]({name})")
            elif "text/html" in data:
                parts.append(_one_block(data["text/html"]))
            else:
                shown = COLOUR.sub("", output.get("text") or data.get("text/plain", ""))
                parts.append(f"```text\n{shown.rstrip()}\n```" if shown.strip() else "")
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def _one_block(content: Any) -> str:
    """HTML that Markdown leaves as it is: no empty line ends it."""
    lines = [line for line in str(content).splitlines() if line.strip()]
    return "\n".join(['<div style="overflow-x: auto">', *lines, "</div>"])
