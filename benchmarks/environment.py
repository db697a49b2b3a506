"""The peers' own environment: made once, and again when ``peers.txt`` changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "peers.txt"


def python(build: Path) -> Path:
    """The interpreter of the peers' environment ``build/peers``, installed where it is missing or out of date.

    The environment ends with the packages of the running one, so that peers use the very same torch, NumPy and OpenCV.
    """
    folder = build / "peers"
    interpreter = folder / "bin" / "python"
    ours = sysconfig.get_path("purelib")
    wanted = f"{sys.version}\n{ours}\n{REQUIREMENTS.read_text()}"
    stamp = folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    print(f"installing the peers into {folder} ...", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True, symlinks=True)
    pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
    packages = subprocess.check_output(
        [str(interpreter), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    (Path(packages.strip()) / "zz_posenb.pth").write_text(f"{ours}\n")
    stamp.write_text(wanted)
    return interpreter


class Peers:
    """A running ``peers.py``."""

    def __init__(self, interpreter: Path, threads: int) -> None:
        self._process = subprocess.Popen(
            [str(interpreter), str(HERE / "peers.py"), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            # albumentations asks the network for a newer version otherwise
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "NO_ALBUMENTATIONS_UPDATE": "1"},
        )
        self.versions: dict[str, str] = self._read()

    def seconds(self, case: str, seconds: float) -> float:
        """Seconds a call of a case.

        Raises:
            RuntimeError: where the peer failed, with its message.
        """
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"case": case, "seconds": seconds}) + "\n")
        answer = self._read()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return float(answer["seconds"])

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peers' process ended with status {self._process.wait()}; see its messages above")
        return dict(json.loads(line))
