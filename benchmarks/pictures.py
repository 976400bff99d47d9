"""Make the pictures of README and docs that show the demo, from its results.

`make pictures`, after `make run`: a slice, a suspect, the top of the report, the flow in
kedro-viz. A Chromium is needed; the variable CHROMIUM names one.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

PROJECT = Path(__file__).parents[1]
sys.path.append(str(PROJECT / "tests"))

from browser import Browser  # noqa: E402

RESULTS = PROJECT / "data" / "demo" / "08_reporting"
DOCS = PROJECT / "docs" / "images"
COLOURS = 128
PATIENCE = 240  # seconds
PORT = 4142
# What kedro-viz shows to who opens it first.
GREETINGS = """
    document.querySelectorAll('.feature-hints').forEach((part) => part.remove());
    [...document.querySelectorAll('button')].filter((part) => part.textContent === 'Dismiss')
        .forEach((part) => part.click());
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keep(RESULTS / "figures" / "figure_5.png", "slice", 1100)
        keep(suspect(folder), "suspect")
        with Browser(1280, 1420) as browser:
            browser.open((RESULTS / "report.html").as_uri())
            browser.wait("document.querySelector('#particle')?.dataset.ready")
            browser.screenshot(folder / "report.png")
        keep(folder / "report.png", "report", 1000)
        keep(flow(folder / "flow.png"), "kedro_viz", 1200)


def suspect(folder: Path) -> Path:
    """Picture of the first suspect, as `proofread` draws it."""
    script = "from electrode_grains.commands import main; main()"
    words = ("proofread", "--count", "1", "--pictures", str(folder / "suspects"), "--env", "demo")
    subprocess.run([sys.executable, "-c", script, *words], cwd=PROJECT, check=True)
    return next((folder / "suspects").glob("suspect_*.png"))


def flow(target: Path) -> Path:
    """Picture of the flow as `electrode-grains flow` shows it."""
    words = ("-m", "electrode_grains", "flow", "--env", "demo", "--port", str(PORT))
    with subprocess.Popen([sys.executable, *words], cwd=PROJECT, stdout=subprocess.DEVNULL) as page:
        try:
            end = time.monotonic() + PATIENCE
            while not is_served() and time.monotonic() < end:
                time.sleep(0.5)
            with Browser(1500, 860) as browser:
                browser.open(f"http://127.0.0.1:{PORT}/?pid=__default__")
                browser.prefer("light")
                browser.wait("document.querySelectorAll('.pipeline-node').length > 5")
                time.sleep(3)  # it moves into place
                browser.evaluate(GREETINGS)
                time.sleep(1)
                browser.screenshot(target)
        finally:
            page.terminate()
    return target


def is_served() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


def keep(source: Path, name: str, width: int | None = None) -> None:
    """Write a picture into the docs, small."""
    with Image.open(source) as picture:
        shown = picture.convert("RGB")
    if width is not None:
        height = round(shown.height * width / shown.width)
        shown = shown.resize((width, height), Image.Resampling.LANCZOS)
    shown.quantize(COLOURS).save(DOCS / f"{name}.png", optimize=True)
    print(f"{name}.png {shown.width} x {shown.height}")


if __name__ == "__main__":
    main()
