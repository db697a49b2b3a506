"""Is this a machine that the book runs on? Each problem in one line that says what to do."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from posenb import __version__

_PYTHON = (3, 11)
_OLDEST = {"torch": (2, 11), "torchvision": (0, 26), "opencv-python": (5,)}


def check_versions(imports: bool = True) -> list[str]:
    """What is wrong with the installed versions, a line each; nothing where all is well.

    ``imports`` proves that torch fits torchvision and that OpenCV loads, in processes of their own: seconds.
    """
    problems = []
    if sys.version_info < _PYTHON:
        problems.append(
            f"posenb needs Python 3.11 or newer, this is {sys.version.split()[0]}: choose another with PYTHON="
        )
    installed = {name: _installed(name) for name in _OLDEST}
    for name, found in installed.items():
        oldest = ".".join(map(str, _OLDEST[name]))
        if found is None or _numbers(found) < _OLDEST[name]:
            problems.append(f"{name} is {found or 'missing'}: python -m pip install '{name}>={oldest}'")
    if imports and installed["torch"] and installed["torchvision"]:
        problems += check_pair()
    if imports and installed["opencv-python"]:
        problems += check_opencv()
    if problem := _checkout_differs():
        problems.append(problem)
    return problems


def check_pair() -> list[str]:
    """Torch and torchvision must be built for each other: a CPU-only torch beside the index's torchvision is not."""
    if not (problem := _import_problem("torchvision")):
        return []
    return [
        f"torch {_installed('torch')} and torchvision {_installed('torchvision')} do not fit together ({problem}): "
        "python -m pip install --force-reinstall torch torchvision"
    ]


def check_opencv() -> list[str]:
    """The wheel with windows needs the system's libGL, which bare machines lack; the headless wheel does not."""
    if not (problem := _import_problem("cv2")):
        return []
    return [
        f"OpenCV cannot be imported ({problem}): python -m pip uninstall -y opencv-python && "
        "python -m pip install --force-reinstall --no-deps 'opencv-python-headless>=5'"
    ]


def _import_problem(module: str) -> str:
    """The last line of what a new process says when it imports a module; empty where it can."""
    loading = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, text=True)
    if loading.returncode == 0:
        return ""
    return next(iter(loading.stderr.strip().splitlines()[-1:]), f"import {module} failed")


def check_book(written_for: str) -> None:
    """Print one line where a chapter was written for another version of the package; nothing where they match.

    Versions match when they agree up to the last number: 0.1.0 and 0.1.7 do, 0.1.0 and 0.2.0 do not.
    """
    if problem := mismatch(written_for, __version__):
        print(problem)


def mismatch(written_for: str, installed: str) -> str:
    """The line that :func:`check_book` prints for a pair of versions; empty where they match."""
    series = ".".join(written_for.split(".")[:2])
    if installed.split(".")[:2] == written_for.split(".")[:2]:
        return ""
    return (
        f"This chapter was written for posenb {series}.x, you have {installed}: "
        f'results may differ. Install the one that fits: python -m pip install "posenb=={series}.*"'
    )


def _checkout_differs() -> str:
    """Where Python finds posenb in a checkout whose version is not the one that was installed."""
    project = Path(__file__).parents[1] / "pyproject.toml"
    found = _installed("posenb")
    if not project.exists() or found is None:
        return ""
    written = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    if written == found == __version__:
        return ""
    return f"this checkout is posenb {written}, installed is {found}: python -m pip install --no-deps -e ."


def _installed(name: str) -> str | None:
    # the same module comes with windows and without
    for one in (name, f"{name}-headless") if name == "opencv-python" else (name,):
        with suppress(PackageNotFoundError):
            return version(one)
    return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0])[:3])
