"""The board on a real socket: uvicorn in a thread, for its own tests and its adapter's."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from bot import web
from bot.config import BoardPart, Config, UnitPart, WebPart
from bot.db import Database
from bot.office import Office
from bot.web import board
from bot.web.shield import Shield
from bot.workdays import Clock


def make_office(
    root: Path,
    migrated: Path,
    public_url: str = "http://127.0.0.1:8000",
    clock: Clock | None = None,
    **rules: Any,
) -> Office:
    """An office of an invented county under `root`; `migrated`: the store to copy; `rules`: [board]."""
    config = Config(
        path=root / "config.toml",
        web=WebPart(public_url=public_url),
        board=BoardPart(**{"title": "云澜县政务公开栏", **rules}),
        units={"office": UnitPart(name="云澜县人民政府办公室")},
    )
    shutil.copy(migrated, root / "gongkai.db")
    return Office(config, Database(str(root / "gongkai.db"), clock))


def make_token(office: Office) -> str:
    """The token of a board made just now."""
    with office.db.write() as conn:
        token = board.ensure_board(conn, office.db.now(conn))
    assert token is not None
    return token


def make_app(office: Office) -> ASGIApp:
    """The board behind the console's shield, with nothing else."""
    app = FastAPI(openapi_url=None)
    app.include_router(board.router(office))
    app.mount("/static", StaticFiles(directory=Path(web.__file__).parent / "static"))
    return Shield(app, office.config.language, _fault)


def _fault(request: Request, status: int, reference: str) -> Response:
    return PlainTextResponse(reference, status)


class Stage:
    """An application that is put on when it is wanted: one server for many tests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@contextmanager
def staging() -> Iterator[Stage]:
    """An empty stage on a socket of its own."""
    with listening() as taken:
        stage = Stage(address(taken))
        with serving(stage, taken):
            yield stage


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket of 127.0.0.1 on a port nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken


def address(taken: socket.socket) -> str:
    return f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def serving(app: ASGIApp, taken: socket.socket) -> Iterator[None]:
    """Serve `app` on the socket while the block lasts."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        thread.join(10)
