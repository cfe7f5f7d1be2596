"""Real processes that begin their work at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def together(code: str, *arguments: tuple[str, ...]) -> Iterator[list[subprocess.Popen[str]]]:
    """One process for each tuple of arguments, running `code`: imports, then the line BEGIN, then
    what it does once all have come that far. They are waited for at the end of the block."""
    waiting = code.replace("BEGIN", "print('ready', flush=True); sys.stdin.read()")
    at_work = [
        subprocess.Popen(
            [sys.executable, "-c", waiting, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for more in arguments
    ]
    for process in at_work:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in at_work:
        assert process.stdin
        process.stdin.close()
    try:
        yield at_work
    finally:
        for process in at_work:
            process.wait(60)
            assert process.stdout
            process.stdout.close()
