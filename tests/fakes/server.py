"""A small real HTTP/1.1 server on a loopback socket, whose answers can be made to go wrong.

`Server(handler)` runs in a thread of its own. What goes wrong is a `Fault`: delayed, cut before or
after the request was taken, another answer than the true one, half an answer. Faults are scripted
(the next n requests that match) or random (a rate each, from a seed), from Python or by
`POST /_faults`. `forward(upstream)` is a handler too: any real server can be put behind the faults.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

import httpx

# ---------------------------------------------------------------- requests and answers


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as an object; a form's fields where it is a form; {} where it is neither."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/json"):
            value = json.loads(self.body or b"{}")
            return value if isinstance(value, dict) else {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Response:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    headers = {"content-type": "application/json; charset=utf-8", **(headers or {})}
    return Response(status, json.dumps(value, ensure_ascii=False).encode(), headers)


def page(text: str, status: int = 200) -> Response:
    """An HTML answer."""
    return Response(status, text.encode(), {"content-type": "text/html; charset=utf-8"})


Handler = Callable[[Request], Response | Awaitable[Response]]

# ---------------------------------------------------------------- what can go wrong


@dataclass(frozen=True)
class Fault:
    """`taken`: the request is carried out all the same. `sent`: how much of the answer leaves."""

    taken: bool
    response: Response | None = None  # instead of the true one
    sent: str = "whole"  # whole | half | none
    delay: float = 0.0  # seconds before the answer

    @property
    def untaken(self) -> Fault:
        return replace(self, taken=False)


_NO_FAULT = Fault(True)
CUT_BEFORE = Fault(False, sent="none")
CUT_AFTER = Fault(True, sent="none")
HALF = Fault(True, sent="half")
EMPTY = Fault(True, Response(200))
HTML_200 = Fault(True, page("<html><body>欢迎使用本网络</body></html>"))
HTML_502 = Fault(True, page("<html><h1>502 Bad Gateway</h1></html>", 502))
ERROR_500 = Fault(True, reply({"error": "Something went wrong"}, 500))
EMPTY_500 = Fault(True, Response(500))
BUSY_503 = Fault(True, reply({"error": "Try again"}, 503))
NONSENSE = Fault(True, reply({"ok": 1}))

FAULTS: Mapping[str, Fault] = {
    "cut_before": CUT_BEFORE,
    "cut_after": CUT_AFTER,
    "half": HALF,
    "empty": EMPTY,
    "html_200": HTML_200,
    "html_502": HTML_502,
    "html_502_before": HTML_502.untaken,
    "error_500": ERROR_500,
    "error_500_before": ERROR_500.untaken,
    "busy_503": BUSY_503,
    "busy_503_before": BUSY_503.untaken,
    "nonsense": NONSENSE,
}

# How platforms say how long to wait: seconds from now → headers (seen live, see docs/adapters.md).
WAIT_FORMS: Mapping[str, Callable[[int], dict[str, str]]] = {
    "seconds": lambda s: {"retry-after": str(s)},
    "date": lambda s: {"retry-after": format_datetime(_in(s), usegmt=True)},
    "epoch": lambda s: {"ratelimit-reset": str(int(_in(s).timestamp()))},
    "iso": lambda s: {"x-ratelimit-reset": _in(s).isoformat().replace("+00:00", "Z")},
    "none": lambda s: {},
}


def _in(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def limited(form: str = "seconds", seconds: int = 5) -> Fault:
    """429, with its wait in one of WAIT_FORMS."""
    return Fault(False, reply({"error": "Too many requests"}, 429, WAIT_FORMS[form](seconds)))


def named(name: str) -> Fault:
    """One of FAULTS; or "delay:0.2"; or "limited:seconds:5"."""
    kind, *rest = name.split(":")
    if kind == "delay":
        return Fault(True, delay=float(rest[0]))
    if kind == "limited":
        return limited(rest[0], int(rest[1]))
    return FAULTS[name]


@dataclass
class _Rule:
    method: str
    path: re.Pattern[str]
    left: int
    pick: Callable[[], Fault | None]


class Faults:
    """Which requests go wrong, and how. The first rule that matches decides."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def script(self, fault: Fault, method: str = "", path: str = "", times: int = 1) -> None:
        """The next `times` requests of `method` whose path matches go wrong; "" is any."""
        self._add(_Rule(method, re.compile(path), times, lambda: fault))

    def random(
        self, rates: Mapping[str, float], seed: int = 0, method: str = "POST", path: str = ""
    ) -> None:
        """Of all matching requests from now on, each `named` fault strikes at its rate (0 to 1)."""
        dice, faults, weights = random.Random(seed), [*map(named, rates), None], [*rates.values()]
        weights.append(max(0.0, 1 - sum(weights)))
        pick = lambda: dice.choices(faults, weights)[0]  # noqa: E731
        self._add(_Rule(method, re.compile(path), 1 << 60, pick))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def _add(self, rule: _Rule) -> None:
        with self._lock:
            self._rules.append(rule)

    def strike(self, request: Request) -> Fault | None:
        if not self._rules:
            return None
        with self._lock:
            for rule in self._rules:
                if rule.method in ("", request.method) and rule.path.search(request.path):
                    rule.left -= 1
                    if not rule.left:
                        self._rules.remove(rule)
                    return rule.pick()
        return None

    def control(self, order: Mapping[str, Any]) -> None:
        """{"clear": true}, {"fault": name, "times": n, "method": …, "path": …} or
        {"rates": {name: rate}, "seed": n, "method": …, "path": …}."""
        where = {k: order[k] for k in ("method", "path") if k in order}
        if order.get("clear"):
            self.clear()
        if "fault" in order:
            self.script(named(order["fault"]), times=order.get("times", 1), **where)
        if "rates" in order:
            self.random(order["rates"], order.get("seed", 0), **where)


# ---------------------------------------------------------------- the server


class Server:
    """Serves `handler` on 127.0.0.1 from a thread of its own; a context manager."""

    def __init__(self, handler: Handler, port: int = 0, keep_alive: bool = True) -> None:
        self.handler, self.keep_alive = handler, keep_alive
        self.faults = Faults()
        self.connections: set[_Connection] = set()
        self.requests = 0
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake", daemon=True)
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Server:
        self._thread.start()
        self._ready.wait(10)
        return self

    def stop(self) -> None:
        """Closes the socket and every connection. Further calls do nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        listening = self._loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self._port, backlog=1024
        )
        server = self._loop.run_until_complete(listening)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._wind_up(server))
            self._loop.close()

    async def _wind_up(self, server: asyncio.Server) -> None:
        # No more is accepted, and what was is made a connection before the listener closes: asyncio
        # leaves a socket open that it accepted for a listener closed since (Server._attach).
        self._loop.remove_reader(server.sockets[0].fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(self.handler, Forward):
            await self.handler.aclose()
        await asyncio.sleep(0)

    def answer(self, request: Request) -> Response | Awaitable[Response]:
        if request.path == "/_faults":
            self.faults.control(request.json)
            return reply({})
        try:
            return self.handler(request)
        except Exception:  # a mistake in a fake must be seen in the test that met it
            return Response(500, traceback.format_exc().encode())


class _Connection(asyncio.Protocol):
    """One connection: requests in order, one answer before the next request is read."""

    transport: asyncio.Transport
    job: asyncio.Future[None]

    def __init__(self, server: Server) -> None:
        self.server, self.buffer, self.busy = server, bytearray(), False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._next()

    def _next(self) -> None:
        while not self.busy and (request := self._request()):
            self.server.requests += 1
            fault = None if request.path[:2] == "/_" else self.server.faults.strike(request)
            fault = fault or _NO_FAULT
            response = self.server.answer(request) if fault.taken else Response(503)
            if isinstance(response, Response) and not fault.delay:
                self._write(request, fault.response or response, fault.sent)
            else:
                self.busy = True
                self.job = asyncio.ensure_future(self._slowly(request, response, fault))

    async def _slowly(
        self, request: Request, response: Response | Awaitable[Response], fault: Fault
    ) -> None:
        if not isinstance(response, Response):
            response = await response
        await asyncio.sleep(fault.delay)
        self._write(request, fault.response or response, fault.sent)
        self.busy = False
        self._next()

    def _request(self) -> Request | None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        whole = end + 4 + int(headers.get("content-length", 0))
        if len(self.buffer) < whole:
            return None
        body = bytes(self.buffer[end + 4 : whole])
        del self.buffer[:whole]
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        return Request(method, path, query, headers, body)

    def _write(self, request: Request, response: Response, sent: str) -> None:
        if sent == "none":
            self.transport.abort()
            return
        stay = self.server.keep_alive and request.headers.get("connection") != "close"
        body = response.body
        if sent == "half":
            stay, body = False, body[: len(body) // 2]
        self.transport.write(_head(response, stay) + body)
        if not stay:
            self.transport.close()


def _head(response: Response, stay: bool) -> bytes:
    headers = {
        "date": formatdate(time.time(), usegmt=True),
        "content-length": str(len(response.body)),
        "connection": "keep-alive" if stay else "close",
        **response.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reason = HTTPStatus(response.status).phrase
    return f"HTTP/1.1 {response.status} {reason}\r\n{lines}\r\n".encode("latin-1")


# ---------------------------------------------------------------- in front of another server

_HOP = ("host", "connection", "content-length", "transfer-encoding", "content-encoding", "date")


class Forward:
    """A handler that passes everything on to `upstream`, so that a real server can be disturbed."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, request: Request) -> Response:
        self._client = self._client or httpx.AsyncClient(
            trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0)
        )
        answer = await self._client.request(
            request.method,
            f"{self.upstream}{request.path}" + (f"?{request.query}" if request.query else ""),
            headers=_kept(list(request.headers.items())),
            content=request.body,
        )
        return Response(answer.status_code, answer.content, _kept(answer.headers.multi_items()))

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _kept(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in _HOP}
