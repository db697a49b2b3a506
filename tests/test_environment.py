"""pyproject.toml, requirements.lock and environment.yml say the same, and what they install imports anywhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import posenb
from posenb import chapters, doctor

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(lines: list[str]) -> dict[tuple[str, str], str]:
    """(name, marker) -> version of ``name==version ; marker`` lines."""
    found = {}
    for line in lines:
        requirement = Requirement(line)
        (one,) = requirement.specifier
        assert one.operator == "==", line
        found[canonicalize_name(requirement.name), str(requirement.marker or "")] = one.version
    return found


def locked() -> dict[tuple[str, str], str]:
    text = (ROOT / "requirements.lock").read_text()
    return pins([line.removesuffix("\\").strip() for line in text.splitlines() if re.match(r"[a-zA-Z0-9]", line)])


def conda() -> tuple[list[str], list[str]]:
    """What conda installs, and what pip installs within it."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return [part for part in listed if isinstance(part, str)], next(p["pip"] for p in listed if isinstance(p, dict))


def test_every_dependency_is_locked_within_its_range() -> None:
    extras = PROJECT["optional-dependencies"]
    lock = locked()
    for line in [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]:
        wanted = Requirement(line)
        versions = [pin for (name, _), pin in lock.items() if name == canonicalize_name(wanted.name)]
        assert versions, f"{wanted.name} is not in requirements.lock: run `make lock`"
        for one in versions:
            assert wanted.specifier.contains(one, prereleases=True), f"{wanted} against the locked {one}: `make lock`"


def test_conda_gets_the_same_versions() -> None:
    by_conda, by_pip = conda()
    assert by_pip[-1] == "-e ."
    assert pins(by_pip[:-1]) == locked()
    python = next(part for part in by_conda if part.startswith("python")).split("=")[-1]
    assert Requirement("python" + PROJECT["requires-python"]).specifier.contains(python)


def test_every_locked_line_has_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text()
    for block in re.split(r"\n(?=[a-zA-Z0-9])", text)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_this_environment_is_the_locked_one() -> None:
    for name in ("torch", "torchvision", "numpy", "opencv-python-headless", "jupyter-book", "papermill", "jupytext"):
        allowed = {pin for (locked_name, _), pin in locked().items() if locked_name == name}
        assert version(name).split("+")[0] in allowed, f"{name} {version(name)}: run make, which installs the lock"


def test_no_committed_file_names_a_package_index() -> None:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("this is no git checkout: the tracked files are not known")
    # written apart, so that this file may be tracked
    forbidden = re.compile(
        "pypi" + r"\.org|files\.python" + r"hosted|--(extra-)?index" + r"-url|download\.py" + "torch"
    )
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".png", ".pt", ".zip", ".mat") or not path.is_file():
            continue
        match = forbidden.search(path.read_text(encoding="utf-8", errors="replace"))
        assert not match, f"{name} names a package index: {match and match[0]}"


def test_cv2_needs_no_graphics_library() -> None:
    # in a process of its own, whose libraries are then listed
    show = "import cv2; print(cv2.__version__); print(open('/proc/self/maps').read())"
    if not Path("/proc/self/maps").exists():
        pytest.skip("this system does not list the libraries of a process")
    out = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout
    assert int(out.split(".")[0]) >= 5
    graphics = sorted(set(re.findall(r"/usr\S*/(lib(?:GL|EGL|GLX|OpenGL|X11|xcb)\.so\S*)", out)))
    assert graphics == [], "cv2 loads libraries that a machine without a screen lacks"


def test_torch_and_torchvision_fit() -> None:
    assert doctor.check_pair() == []
    assert tuple(map(int, version("torch").split(".")[:2])) >= (2, 11)


def test_the_doctor_finds_nothing_here() -> None:
    assert doctor.check_versions(imports=False) == []


def test_a_torch_that_torchvision_was_not_built_for_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess(
        [], 1, "", "Traceback\nRuntimeError: operator torchvision::nms does not exist\n"
    )
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: failed)
    (line,) = doctor.check_pair()
    assert "nms does not exist" in line and "pip install" in line and "\n" not in line


def test_an_old_package_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "_installed", lambda name: {"torch": "2.4.1+cpu", "opencv-python": "4.14.0.94"}.get(name)
    )
    lines = doctor.check_versions(imports=False)
    assert [line.split()[0] for line in lines] == ["torch", "torchvision", "opencv-python"]
    assert all("pip install" in line for line in lines)


@pytest.mark.parametrize(
    ("book", "package", "fits"), [("0.1.0", "0.1.7", True), ("0.1.0", "0.2.0", False), ("0.1.0", "1.1.0", False)]
)
def test_a_chapter_says_when_it_is_of_another_version(book: str, package: str, fits: bool) -> None:
    said = doctor.mismatch(book, package)
    assert (said == "") == fits
    assert said.count("\n") == 0


def test_a_matching_chapter_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.check_book(posenb.__version__)
    assert capsys.readouterr().out == ""
    doctor.check_book("9.9.0")
    assert capsys.readouterr().out.count("\n") == 1


def test_versions_agree() -> None:
    assert PROJECT["version"] == posenb.__version__


def test_the_page_on_profiles_says_what_the_code_does() -> None:
    from posenb import profiles

    page = (chapters.root() / "book" / "profiles.md").read_text()
    rows = {cells[0].strip(" `"): [c.strip() for c in cells] for cells in map(_cells, page.splitlines()) if cells}
    for profile, seeds in profiles.SEEDS.items():
        assert rows[profile][3] == str(seeds)
    specs = [profiles.foundations(profile, "body") for profile in profiles.PROFILES]
    assert rows["training pictures (synthetic)"][1:] == [f"{spec.data.train:,}" for spec in specs]
    assert rows["side of a picture, pixels"][1:] == [str(spec.data.size) for spec in specs]
    assert rows["network"][1:] == [spec.network.name for spec in specs]
    steps = next(row for name, row in rows.items() if name.startswith("steps"))[1:]
    assert [text.split()[0] for text in steps] == [f"{spec.budget.steps:,}" for spec in specs]


def _cells(line: str) -> list[str]:
    return line.strip("|").split("|") if line.startswith("|") and not line.startswith("|---") else []


def test_the_api_page_has_every_public_module() -> None:
    package = ROOT / "posenb"
    # synthetic's parts are its own business, experiments hold no functions of their own
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in package.rglob("*.py")
        if path.parent.name != "synthetic" or path.stem == "__init__"
    } - {"posenb.experiments"}
    listed = set(re.findall(r"automodule:: (\S+)", (ROOT / "book" / "api.md").read_text()))
    assert {name for name in modules if not name.split(".")[-1].startswith("_")} == listed
