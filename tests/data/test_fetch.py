"""Downloads that break and resume, against a real HTTP server; archives that mean harm."""

from __future__ import annotations

import errno
import gzip
import io
import os
import resource
import shutil
import stat
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posenb.data import fetch
from posenb.errors import DataError, UserError

CONTENTS = np.random.default_rng(0).bytes(3_000_000)


class Server(ThreadingHTTPServer):
    """Serves CONTENTS, with the faults that a test sets."""

    contents = CONTENTS
    tag = '"first"'
    ranges = True
    sends_length = True
    break_after: list[int]  # bytes after which each next connection breaks
    status = 200
    asked: list[str | None]  # the Range header of each request

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        same = self.headers.get("If-Range") in (None, server.tag)
        if wanted and server.ranges and same:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.contents):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.contents)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(server.contents) - 1}/{len(server.contents)}")
        else:
            self.send_response(200)
        if server.tag:
            self.send_header("ETag", server.tag)
        if server.sends_length:
            self.send_header("Content-Length", str(len(server.contents) - start))
        self.end_headers()
        body = server.contents[start:]
        self.wfile.write(body[: server.break_after.pop(0)] if server.break_after else body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.break_after, server.asked = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def get(server: Server, target: Path, **options: Any) -> Path:
    return fetch.download(f"http://127.0.0.1:{server.server_port}/set.zip", target, pause=0.01, timeout=5, **options)


def left(folder: Path) -> set[str]:
    """What lies in a folder, but for locks."""
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_download(server: Server, tmp_path: Path) -> None:
    target = get(server, tmp_path / "new" / "set.zip")
    assert target.read_bytes() == CONTENTS
    assert left(target.parent) == {"set.zip"}
    get(server, target)
    assert len(server.asked) == 1, "a file that is there is not fetched again"


def test_download_without_length(server: Server, tmp_path: Path) -> None:
    server.sends_length = False
    assert get(server, tmp_path / "set.zip").read_bytes() == CONTENTS


def test_broken_connections_are_resumed(server: Server, tmp_path: Path) -> None:
    server.break_after = [1_000_000, 500_000, 7]
    assert get(server, tmp_path / "set.zip", retries=0).read_bytes() == CONTENTS
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-", "bytes=1500007-"]


def test_a_later_call_resumes(server: Server, tmp_path: Path) -> None:
    server.break_after = [1_000_000, 0]
    with pytest.raises(DataError, match=r"broke after 1,000,000 of 3,000,000 bytes.*put it into"):
        get(server, tmp_path / "set.zip", retries=0)
    assert left(tmp_path) == {"set.zip.part", "set.zip.part.tag"}
    assert get(server, tmp_path / "set.zip").read_bytes() == CONTENTS
    assert server.asked[-1] == "bytes=1000000-"


def test_a_changed_file_is_not_joined_to_the_old_half(server: Server, tmp_path: Path) -> None:
    server.break_after = [1_000_000]
    with pytest.raises(DataError):
        get(server, tmp_path / "set.zip", retries=-1)
    server.contents, server.tag = CONTENTS[::-1], '"second"'
    assert get(server, tmp_path / "set.zip").read_bytes() == CONTENTS[::-1]


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_strong_tag_it_starts_afresh(server: Server, tmp_path: Path, tag: str) -> None:
    server.tag, server.break_after = tag, [1_000_000]
    assert get(server, tmp_path / "set.zip").read_bytes() == CONTENTS
    assert server.asked == [None, None]


def test_server_that_ignores_range(server: Server, tmp_path: Path) -> None:
    server.ranges, server.break_after = False, [1_000_000]
    assert get(server, tmp_path / "set.zip").read_bytes() == CONTENTS
    assert server.asked == [None, "bytes=1000000-"]


def test_server_that_always_breaks_at_the_same_place(server: Server, tmp_path: Path) -> None:
    server.ranges, server.break_after = False, [1_000_000] * 20
    with pytest.raises(DataError, match="broke after"):
        get(server, tmp_path / "set.zip", retries=2)
    assert len(server.asked) == 4


def test_killed_between_the_last_byte_and_the_rename(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENTS)
    (tmp_path / "set.zip.part.tag").write_text(server.tag)
    assert get(server, tmp_path / "set.zip").read_bytes() == CONTENTS
    assert server.asked == ["bytes=3000000-"]


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 3)])
def test_refusals_are_one_line(server: Server, tmp_path: Path, status: int, tries: int) -> None:
    server.status = status
    with pytest.raises(UserError, match=rf"HTTP Error {status}.*put it into") as caught:
        get(server, tmp_path / "set.zip", retries=2)
    assert "\n" not in str(caught.value)
    assert len(server.asked) == tries


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Connection refused.*put it into"):
        fetch.download("http://127.0.0.1:9/set.zip", tmp_path / "set.zip", retries=1, pause=0.01)


def test_disk_too_small(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DataError, match="GiB free"):
        get(server, tmp_path / "set.zip")
    assert left(tmp_path) == set()


def test_disk_fills_while_downloading(server: Server, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (1_000_000, limits[1])
    )  # a file that cannot grow stands for the full disk
    try:
        with pytest.raises(DataError, match=r"cannot write .*set.zip.part: File too large; mend that and run again"):
            get(server, tmp_path / "set.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(server.asked) == 1
    assert get(server, tmp_path / "set.zip").read_bytes() == CONTENTS
    assert server.asked[1] == "bytes=1000000-"


def test_two_downloads_at_once(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        for target in pool.map(lambda _: get(server, tmp_path / "set.zip"), range(4)):
            assert target.read_bytes() == CONTENTS
    assert len(server.asked) == 1


FILES = {"set/one.txt": b"one", "set/deep/two.bin": CONTENTS[:50_000], "three": b""}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, contents in files.items():
            file.writestr(name, contents)
    return path


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, contents in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(contents)
            file.addfile(info, io.BytesIO(contents))
    return path


def unpacked(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != fetch._STAMP)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("form", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_unpack(tmp_path: Path, form: str) -> None:
    archive = make_zip(tmp_path / "a", FILES) if form == "zip" else make_tar(tmp_path / "a", FILES, form)
    assert unpacked(fetch.unpack(archive, tmp_path / "out")) == FILES
    assert left(tmp_path) == {"a", "out"}


def refused(archive: Path, match: str, **limits: Any) -> None:
    """The archive is refused in one line, and leaves nothing behind."""
    before = left(archive.parent)
    with pytest.raises(DataError, match=match) as caught:
        fetch.unpack(archive, archive.parent / "out", **limits)
    assert "\n" not in str(caught.value)
    assert left(archive.parent) == before
    assert not (archive.parent.parent / "evil").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/tmp/posenb-evil", "..\\evil", "C:\\evil", "\\\\host\\evil\\x"]
)
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_names_that_lead_out(tmp_path: Path, make: Any, name: str) -> None:
    refused(make(tmp_path / "a", {"fine": b"1", name: b"2"}), "leads out of its folder")
    assert not Path("/tmp/posenb-evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "../evil"
        file.addfile(info)
    refused(tmp_path / "a.tar", "link or a device")


def test_links_in_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "../evil")
    refused(tmp_path / "a.zip", "link or a device")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_bombs(tmp_path: Path, make: Any) -> None:
    bomb = make(tmp_path / "bomb", {"zeros": bytes(150 * fetch.MIB)})
    refused(bomb, "more than")
    small = make(tmp_path / "small", FILES)
    refused(small, "more than 40,000 bytes", max_bytes=40_000)
    refused(small, "2 entries", max_files=2)


def test_same_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file, pytest.warns(UserWarning):
        file.writestr("one", "1")
        file.writestr("one", "2")
    refused(tmp_path / "a.zip", "'one' twice")


@pytest.mark.parametrize("form", ["zip", "w", "w:gz", "w:xz"])
@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.8])
def test_truncated(tmp_path: Path, form: str, part: float) -> None:
    whole = {"one": CONTENTS[:20_000], "two": CONTENTS[20_000:60_000]}
    archive = make_zip(tmp_path / "a", whole) if form == "zip" else make_tar(tmp_path / "a", whole, form)
    archive.write_bytes(archive.read_bytes()[: int(part * archive.stat().st_size)])
    refused(archive, "damaged")


def cut_tar(path: Path, size: int, form: str) -> Path:
    """A tar archive of FILES of which only the first bytes are left, then compressed as a whole."""
    contents = make_tar(path, FILES, "w").read_bytes()[:size]
    path.write_bytes(gzip.compress(contents) if form == "gz" else contents)
    return path


HEADER, FIRST = tarfile.BLOCKSIZE, 2 * tarfile.BLOCKSIZE  # where the first entry's contents begin, and it ends


@pytest.mark.parametrize("form", ["tar", "gz"])
@pytest.mark.parametrize("size", [FIRST, FIRST + 100, FIRST + HEADER + 50_000 + 176])
def test_a_tar_cut_between_its_entries(tmp_path: Path, form: str, size: int) -> None:
    refused(cut_tar(tmp_path / "a", size, form), "damaged, cut short .*no end mark")


def test_a_tar_with_a_damaged_header_in_its_middle(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a", FILES, "w")
    contents = bytearray(archive.read_bytes())
    contents[FIRST + 5] ^= 1
    archive.write_bytes(contents)
    refused(archive, "damaged, cut short .*no end mark")


def test_one_block_of_zeros_is_an_end_mark(tmp_path: Path) -> None:
    size = FIRST + HEADER + 50_176 + HEADER  # the third entry is empty
    assert unpacked(fetch.unpack(cut_tar(tmp_path / "a", size + HEADER, "tar"), tmp_path / "out")) == FILES


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_every_layout(tmp_path: Path, layout: int) -> None:
    name = "/".join(["deep" * 10] * 4) + "/ü.txt"
    with tarfile.open(tmp_path / "a.tar", "w", format=layout) as file:
        info = tarfile.TarInfo(name)
        info.size = 3
        file.addfile(info, io.BytesIO(b"one"))
    assert unpacked(fetch.unpack(tmp_path / "a.tar", tmp_path / "out")) == {name: b"one"}


@pytest.mark.skipif(not shutil.which("tar"), reason="needs tar")
@pytest.mark.parametrize("options", ["-cf", "-czf", "-b1 -cf", "--format=ustar -cf", "--format=posix -cf"])
def test_what_tar_itself_writes(tmp_path: Path, options: str) -> None:
    for name, contents in FILES.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    subprocess.run(["tar", *options.split(), tmp_path / "a", "-C", tmp_path / "in", "set", "three"], check=True)
    assert unpacked(fetch.unpack(tmp_path / "a", tmp_path / "out")) == FILES


def test_flipped_byte(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"one": CONTENTS[:20_000]})
    contents = bytearray(archive.read_bytes())
    contents[10_000] ^= 1
    archive.write_bytes(contents)
    refused(archive, "damaged")


def test_not_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("<html>log in first</html>")
    refused(tmp_path / "a.zip", "neither a zip nor a tar")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"no tar"))
    refused(tmp_path / "a.gz", "neither a zip nor a tar")
    refused(tmp_path / "missing.zip", "there is no archive")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "there is no archive")


def test_encrypted(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"one": b"1"})
    contents = archive.read_bytes()
    for header, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = contents.index(header) + flag
        contents = contents[:at] + b"\x01" + contents[at + 1 :]
    archive.write_bytes(contents)
    refused(archive, "encrypted")


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        refused(archive, "No space left")
    assert unpacked(fetch.unpack(archive, tmp_path / "out")) == FILES


def test_interrupted_and_run_again(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)
    half = tmp_path / "out.partial"  # what a killed process leaves
    half.mkdir()
    (half / "junk").write_text("junk")
    assert unpacked(fetch.unpack(archive, tmp_path / "out")) == FILES
    assert left(tmp_path) == {"a.zip", "out"}


def test_kept_where_it_came_from_the_same_archive_and_replaced_where_not(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)
    made = fetch.unpack(archive, tmp_path / "out").stat().st_ino
    assert fetch.unpack(archive, tmp_path / "out").stat().st_ino == made
    other = make_zip(tmp_path / "b.zip", {"other": b"1"})
    assert unpacked(fetch.unpack(other, tmp_path / "out")) == {"other": b"1"}


def test_a_folder_of_the_users_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="not ours to replace"):
        fetch.unpack(make_zip(tmp_path / "a.zip", FILES), tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").exists()


def test_two_at_once(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", FILES)
    with ThreadPoolExecutor() as pool:
        for folder in pool.map(lambda _: fetch.unpack(archive, tmp_path / "out"), range(4)):
            assert unpacked(folder) == FILES


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write in"):
        fetch.unpack(make_zip(tmp_path / "a.zip", FILES), tmp_path / "file" / "out")


@contextmanager
def failing() -> Iterator[None]:
    with pytest.raises(RuntimeError, match="midway"):
        yield


def test_replacing_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("old")
    with failing(), fetch.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("midway")
    assert path.read_text() == "old"
    with fetch.replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert left(tmp_path) == {"data"}
