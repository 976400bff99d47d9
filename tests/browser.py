"""A headless Chromium, driven over its DevTools socket with nothing but `websockets`."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def find_chromium() -> str | None:
    """Path of a Chromium, or None; the variable CHROMIUM names another one."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, EXECUTABLES)), None)


class Browser:
    """One page in a browser of its own, which ends with the context.

    Collects what the page writes to its console as errors, what it throws, and the
    addresses that it asks for.
    """

    def __init__(self, width: int = 1300, height: int = 900) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.loaded = False
        self._size = width, height
        self._number = 0
        self._session: str | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Browser:
        with self._closing as closing:  # nothing stays behind if a step of the start fails
            folder = closing.enter_context(
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # Chromium still writes
            )
            executable = find_chromium()
            assert executable is not None
            process = subprocess.Popen(
                [executable, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            closing.callback(process.wait, timeout=30)
            closing.callback(process.terminate)
            address = self._address(Path(folder) / "DevToolsActivePort")
            self._socket = closing.enter_context(
                connect(address, max_size=None, ping_interval=None)
            )
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self._call(f"{domain}.enable")
            self.resize(*self._size)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @staticmethod
    def _address(told: Path, patience: float = 60) -> str:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            lines = told.read_text().split() if told.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.05)
        raise TimeoutError("Chromium did not open its DevTools socket")

    def _call(self, method: str, patience: float = 120, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=patience))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                thrown = details.get("exception", {}).get("description")
                self.errors.append(thrown or details["text"])
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "assert"):
                self.errors.append(" ".join(str(a.get("value", a)) for a in told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.errors.append(told["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Page.loadEventFired":
                self.loaded = True

    def open(self, address: str) -> None:
        """Go to an address and wait for its load event."""
        self.loaded = False
        self._call("Page.navigate", url=address)
        end = time.monotonic() + 120
        while not self.loaded and time.monotonic() < end:
            self.evaluate("1")
            time.sleep(0.02)

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression, awaited where it is a promise."""
        result = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"]["description"])
        return result["result"].get("value")

    def wait(self, condition: str, patience: float = 90) -> float:
        """Wait until a JavaScript condition holds; return the seconds that took."""
        start = time.monotonic()
        while time.monotonic() < start + patience:
            if self.evaluate(f"Boolean({condition})"):
                return time.monotonic() - start
            time.sleep(0.05)
        raise TimeoutError(f"{condition} did not come true; errors: {self.errors}")

    def click(self, x: float, y: float) -> None:
        """Move the mouse to a place of the window and click."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def resize(self, width: int, height: int) -> None:
        """Give the window another size in pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def prefer(self, scheme: str) -> None:
        """Ask for the light or the dark colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path | str, selector: str | None = None) -> None:
        """Write what the window shows, or one element of the page, as PNG."""
        options: dict[str, Any] = {"format": "png"}
        if selector:
            box = self.evaluate(
                f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
                ".getBoundingClientRect(); return {x: b.x + scrollX, y: b.y + scrollY,"
                " width: b.width, height: b.height, scale: 1}; })()"
            )
            options |= {"clip": box, "captureBeyondViewport": True}
        shown = self._call("Page.captureScreenshot", **options)
        Path(path).write_bytes(base64.b64decode(shown["data"]))

    def spoken(self) -> list[tuple[str, str]]:
        """Role and name of each element, as a screen reader is told."""
        self._call("Accessibility.enable")
        nodes = self._call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "").strip())
            for node in nodes
            if not node["ignored"]
        ]

    def print_pdf(self, path: Path | str) -> None:
        """Write the page as it would be printed."""
        printed = self._call("Page.printToPDF", printBackground=True)
        Path(path).write_bytes(base64.b64decode(printed["data"]))
