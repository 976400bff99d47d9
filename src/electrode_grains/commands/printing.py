"""A page as a PDF, by whatever browser of the Chromium family is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.runs.writing import atomic_write

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "msedge", "brave-browser"),
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
VARIABLE = "CHROMIUM"
PATIENCE = 180  # seconds
# WebGL without a graphics card, for the picture of the particle.
FLAGS = (
    *("--headless=new", "--no-first-run", "--disable-background-networking", "--use-gl=angle"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-pdf-header-footer"),
    "--virtual-time-budget=60000",
)


def find_browser() -> str:
    """Find a browser that prints; the variable CHROMIUM names another one.

    Raises
    ------
    SettingsError
        If there is none.
    """
    named = os.environ.get(VARIABLE)
    found = [named] if named else [*filter(None, map(shutil.which, BROWSERS)), *PLACES]
    for browser in found:
        if shutil.which(browser):
            return browser
    raise SettingsError(
        "no browser was found that writes a PDF",
        found=named or "none of Chromium, Chrome, Edge",
        remedy=f"name one in the variable {VARIABLE}; or open the report and print it to a file",
    )


def print_page(page: Path, target: Path) -> None:
    """Print an HTML file as a PDF.

    Parameters
    ----------
    page, target : Path

    Raises
    ------
    InputError
        If the browser does not write it.
    SettingsError
        If there is no browser.
    """
    browser = find_browser()
    # A browser that runs as root refuses to shut itself in; the page loads nothing from elsewhere.
    alone = ("--no-sandbox",) if getattr(os, "geteuid", lambda: 1)() == 0 else ()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        atomic_write(target) as (partial,),
    ):
        words = (*FLAGS, *alone, f"--user-data-dir={profile}", f"--print-to-pdf={partial}")
        try:
            done = subprocess.run(
                [browser, *words, page.absolute().as_uri()], capture_output=True, text=True,
                timeout=PATIENCE, check=False,
            )  # fmt: skip
            told = done.stderr.strip()[-300:]
        except subprocess.TimeoutExpired:
            told = f"no answer within {PATIENCE} s"
        if not partial.is_file() or not partial.read_bytes().startswith(b"%PDF"):
            raise InputError(
                "the browser did not write the PDF",
                where=str(page),
                found=told or "nothing",
                remedy="open the report and print it to a file",
            )
