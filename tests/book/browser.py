"""Headless Chromium over its DevTools protocol: just enough to ask a page how it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from websocket import WebSocketTimeoutException, create_connection

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


def find_chromium() -> str | None:
    """Where a Chromium is, if anywhere."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One Chromium with one page. Collects what the page complains about and what it asks for."""

    def __init__(self, program: str, profile: Path) -> None:
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = self._port(profile / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=30) as answer:
            page = next(target for target in json.load(answer) if target["type"] == "page")
        self.socket = create_connection(page["webSocketDebuggerUrl"], timeout=60, suppress_origin=True)
        self.number = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def _port(self, file: Path) -> str:
        for _ in range(600):
            if file.exists() and (lines := file.read_text().splitlines()):
                return lines[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("Chromium did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=30)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer; events that come before it are kept."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.events.append(message)

    def open(self, address: str, wait_for: str = "true", quiet: float = 0.5) -> None:
        """Load a page, wait until ``wait_for`` (JavaScript) holds, and until nothing has happened for a moment."""
        self.events.clear()
        self.send("Page.navigate", url=address)
        ready = f"document.readyState === 'complete' && Boolean({wait_for})"
        self.wait(ready)
        self.socket.settimeout(quiet)
        try:
            while True:
                self.events.append(json.loads(self.socket.recv()))
        except WebSocketTimeoutException:
            pass
        finally:
            self.socket.settimeout(60)

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until a JavaScript expression holds."""
        end = time.monotonic() + seconds
        while not self.ask(condition):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.1)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page; None while the page is not there yet."""
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def width(self, pixels: int) -> None:
        """Look through a window of this width, like a phone's where it is narrow."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=pixels, height=900, deviceScaleFactor=1, mobile=pixels < 600
        )

    def _of(self, method: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") == method]

    @property
    def complaints(self) -> list[str]:
        """Errors in the console, exceptions of scripts, resources that did not come."""
        console = [str(p["args"]) for p in self._of("Runtime.consoleAPICalled") if p["type"] in ("error", "assert")]
        thrown = [str(p["exceptionDetails"]) for p in self._of("Runtime.exceptionThrown")]
        logged = [str(p["entry"]) for p in self._of("Log.entryAdded") if p["entry"]["level"] == "error"]
        lost = [str(p) for p in self._of("Network.loadingFailed") if not p.get("canceled")]
        refused = [
            f"{p['response']['status']} {p['response']['url']}"
            for p in self._of("Network.responseReceived")
            if p["response"]["status"] >= 400
        ]
        return console + thrown + logged + lost + refused

    @property
    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        return [p["request"]["url"] for p in self._of("Network.requestWillBeSent")]
