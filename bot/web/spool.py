"""Uploaded tables between two pages: seen first, then taken in.

They may name citizens, so they lie in the data folder where only the office's own user reads, for an
hour at most, and are gone once they were taken in. No backup holds them.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from starlette.datastructures import UploadFile

from bot.errors import NotFound
from bot.office import Office

KEPT = 3600  # seconds
_UNFIT = re.compile(r"[^\w.\-（）() ]")


def keep(office: Office, person: int, upload: UploadFile) -> str:
    """Put a file of this person's away; give the name it is asked for by."""
    sweep(office)
    token = secrets.token_hex(16)
    folder = _folder(office) / f"{person}-{token}"
    folder.mkdir(parents=True, mode=0o700)
    name = _UNFIT.sub("_", Path(upload.filename or "").name).lstrip(".")[-80:] or "table.csv"
    with (folder / name).open("xb") as out:
        shutil.copyfileobj(upload.file, out)
    return token


def find(office: Office, person: int, token: str) -> Path:
    """The file. Raises NotFound for one that was taken in, is too old, or is somebody else's."""
    sweep(office)
    folder = _folder(office) / f"{person}-{token}"
    found = list(folder.iterdir()) if token.isalnum() and folder.is_dir() else []
    if not found:
        raise NotFound("上传的文件已不在：已经导入，或上传后过了一小时。请重新上传")
    return found[0]


def drop(file: Path) -> None:
    shutil.rmtree(file.parent, ignore_errors=True)


def sweep(office: Office) -> None:
    """Remove what nobody came back for."""
    for folder in _folder(office).glob("*"):
        with suppress(FileNotFoundError):  # somebody else was quicker
            if folder.stat().st_mtime < time.time() - KEPT:
                shutil.rmtree(folder, ignore_errors=True)


def _folder(office: Office) -> Path:
    return office.config.place(office.config.data) / "uploads"
