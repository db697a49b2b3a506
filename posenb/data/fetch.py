"""Fetching data sets: downloads that resume, and unpacking that trusts nothing in an archive."""

from __future__ import annotations

import errno
import http.client
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, Literal, Self

from filelock import FileLock
from tqdm import tqdm

from posenb.errors import DataError

MIB, GIB = 2**20, 2**30
_CHUNK = 256 * 1024
_STAMP = ".unpacked-by-posenb"
# told from a network's errors, because no retry mends them
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of ``path`` (``path.lock`` beside it; its folder is made) against other processes.

    Raises DataError where the folder cannot be made or written to.
    """
    lock = FileLock(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise DataError(f"cannot write in {path.parent}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write; it becomes ``path`` when the block ends well, and is removed when it does not.

    To be used under ``locked``. Raises DataError for any OSError of the block, such as a full disk.
    """
    temporary = path.with_name(f"{path.name}.partial")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    progress: bool = True,
    *,
    retries: int = 3,
    timeout: float = 30.0,
    pause: float = 1.0,
) -> Path:
    """Download ``url`` to ``target``, going on from where an earlier call stopped; a target that exists is kept.

    Bytes gather in ``target.part``, which becomes ``target`` when it is whole. ``target.part.tag`` keeps the
    server's tag of the file, so that the halves of two different files are never joined.

    Args:
        progress: show a bar, on terminals only.
        retries: how many tries in a row may fail without a new byte.
        timeout: seconds of silence after which a connection counts as broken.
        pause: seconds before the first retry; doubled for each further one.

    Raises:
        DataError: the server refuses, stays silent or goes away, or the disk is too small.
    """
    with locked(target):
        if target.exists():
            return target
        part = Path(f"{target}.part")
        furthest, failures = _size(part), 0
        while True:
            try:
                _transfer(url, part, progress, timeout)
                break
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
                    raise DataError(f"cannot write {part}: {error.strerror}; mend that and run again") from error
                lasting = (
                    isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code not in (408, 429)
                )
                failures = 0 if _size(part) > furthest else failures + 1
                furthest = max(furthest, _size(part))
                if lasting or failures > retries:
                    reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
                    raise DataError(
                        f"cannot download {url} ({reason}): "
                        f"get {target.name} in another way and put it into {target.parent}"
                    ) from error
                time.sleep(pause * 2 ** max(failures - 1, 0))
        part.replace(target)
        _tag_file(part).unlink(missing_ok=True)
        return target


def _transfer(url: str, part: Path, progress: bool, timeout: float) -> None:
    """Make ``part`` whole over one connection. Raises ConnectionError where that ends too early."""
    tag = _tag_file(part)
    have = _size(part) if tag.exists() else 0
    headers = {"User-Agent": "posenb", "Accept-Encoding": "identity"}
    if have:
        # a server whose file has changed answers If-Range with the whole new file
        headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text()}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if have and error.code == 416:  # nothing after what we have: whole already, or not the same file
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise ConnectionError("the server's file is another one than before") from error
        raise
    with response:
        if response.status == 206:
            if not str(response.headers.get("Content-Range")).startswith(f"bytes {have}-"):
                part.unlink(missing_ok=True)
                raise ConnectionError("the server sent another part than asked for")
        else:
            part.unlink(missing_ok=True)
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        _require_space(part.parent, int(length or 0))
        _write_tag(tag, response.headers)
        bar = tqdm(
            total=total,
            initial=have,
            unit="B",
            unit_scale=True,
            desc=part.stem,
            disable=None if progress else True,
        )
        with part.open("ab") as file, bar:
            while chunk := response.read1(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    size = _size(part)
    if total is not None and size != total:
        raise ConnectionError(f"the connection broke after {size:,} of {total:,} bytes")


def _write_tag(tag: Path, headers: http.client.HTTPMessage) -> None:
    """Keep what names this version of the file; without it a later call starts afresh."""
    strong = headers.get("ETag", "")
    value = strong if strong and not strong.startswith("W/") else headers.get("Last-Modified", "")
    if value:
        tag.write_text(value)
    else:
        tag.unlink(missing_ok=True)


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(f"{folder} has {free / GIB:.2f} GiB free and the download needs {needed / GIB:.2f} GiB")


def _tag_file(part: Path) -> Path:
    return Path(f"{part}.tag")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@dataclass(frozen=True)
class _Member:
    """One entry of an archive: its name as stored, its declared size in bytes, and how to read it."""

    name: str
    size: int
    kind: Literal["file", "folder", "other"]
    open: Callable[[], IO[bytes] | None]


# What zipfile, tarfile and the decompressors raise at damaged, encrypted and unknown contents.
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


def unpack(
    archive: Path,
    target: Path,
    *,
    max_bytes: int = 256 * GIB,
    max_files: int = 2_000_000,
    max_ratio: float = 100.0,
) -> Path:
    """Unpack a zip or tar archive (gzip, bzip2, xz too) into the folder ``target`` and return that.

    Contents gather in ``target.partial`` and get their name when they are whole, so a target that exists is whole.
    One that came from this very archive is kept; one from another archive is replaced.

    Args:
        max_bytes, max_files: the most that the contents may come to.
        max_ratio: how many times larger than the archive (or than 1 MiB) the contents may be.

    Raises:
        DataError: the archive is missing, damaged or of another kind; an entry is a link, a device or lies outside
            the target; a limit is passed; the disk is full; or ``target`` is a folder that unpack did not make.
    """
    with locked(target):
        stamp = _stamp(archive)
        if _size(target / _STAMP) and (target / _STAMP).read_text() == stamp:
            return target
        if target.exists() and not (target / _STAMP).exists():
            raise DataError(f"{target} exists and is not ours to replace: move it away")
        gathering = target.with_name(f"{target.name}.partial")
        shutil.rmtree(gathering, ignore_errors=True)
        try:
            gathering.mkdir()
            _copy_all(archive, gathering, max_bytes, max_files, max_ratio)
            (gathering / _STAMP).write_text(stamp)
            shutil.rmtree(target, ignore_errors=True)
            gathering.rename(target)
        except _DAMAGED as error:
            raise DataError(f"{archive} is damaged, cut short or encrypted ({error}): fetch it again") from error
        except OSError as error:
            if error.errno is None:  # gzip's complaint about contents is an OSError too
                raise DataError(f"{archive} is damaged ({error}): fetch it again") from error
            raise DataError(f"cannot unpack {archive} beside {target}: {error.strerror}") from error
        finally:
            shutil.rmtree(gathering, ignore_errors=True)
        return target


def _copy_all(archive: Path, folder: Path, max_bytes: int, max_files: int, max_ratio: float) -> None:
    limit = min(max_bytes, int(max_ratio * max(archive.stat().st_size, MIB)))
    total = 0
    for count, member in enumerate(_members(archive), start=1):
        place = _place(archive, folder, member)
        # declared sizes are enough: both readers stop at them
        total += member.size
        if total > limit or count > max_files:
            raise DataError(
                f"{archive} unpacks to more than {limit:,} bytes or {max_files:,} entries: not what it should be"
            )
        if member.kind == "folder":
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = place.open("xb")
        except FileExistsError:
            raise DataError(f"{archive} holds {member.name!r} twice") from None
        with file:
            source = member.open()
            if source is None:
                raise DataError(f"{archive} holds {member.name!r} without contents")
            with source:
                shutil.copyfileobj(source, file, _CHUNK)


def _place(archive: Path, folder: Path, member: _Member) -> Path:
    """Where an entry goes. Raises DataError for one that is neither file nor folder, or leaves the folder."""
    if member.kind == "other":
        raise DataError(f"{archive} holds {member.name!r}, which is a link or a device: not unpacked")
    name = PureWindowsPath(member.name)  # knows both slashes, drives and shares
    if name.drive or name.root or ".." in name.parts:
        raise DataError(f"{archive} holds {member.name!r}, which leads out of its folder: not unpacked")
    return folder / member.name


def _members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as file:
        zipped = file.read(2) == b"PK"
    if zipped:
        return _zip_members(archive)
    if tarfile.is_tarfile(archive):
        return _tar_members(archive)
    raise DataError(f"{archive} is neither a zip nor a tar archive, or it is damaged: fetch it again")


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            form = stat.S_IFMT(info.external_attr >> 16)
            kind: Literal["file", "folder", "other"] = "file" if form in (0, stat.S_IFREG) else "other"
            if info.is_dir():
                kind = "folder"
            yield _Member(info.filename, info.file_size, kind, partial(file.open, info))


class _Entry(tarfile.TarInfo):
    """An entry of a tar archive that only the end mark, a block of zeros, may end.

    tarfile ends in silence wherever no header follows, so an archive cut short between two entries would look whole.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"no end mark: {error}") from None


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, tarinfo=_Entry) as file:
        for info in file:
            kind: Literal["file", "folder", "other"] = "file" if info.isreg() else "other"
            if info.isdir():
                kind = "folder"
            yield _Member(info.name, info.size, kind, partial(file.extractfile, info))


def _stamp(archive: Path) -> str:
    """What tells one archive from another without reading it. Raises DataError where there is none."""
    if not archive.is_file():
        raise DataError(f"there is no archive {archive}")
    about = archive.stat()
    return re.sub(r"\s", " ", f"{archive.name} {about.st_size} {about.st_mtime_ns}")
