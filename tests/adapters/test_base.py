"""The one client: what it takes for sent, and what it never lets out; a platform's own wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot.adapters.base import Client, retry_after
from bot.errors import Later, Uncertain
from tests.fakes.server import (
    CUT_AFTER,
    CUT_BEFORE,
    HALF,
    Fault,
    Request,
    Response,
    Server,
    page,
    reply,
)

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 9, 22, 1, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Echo:
    """Tells what it was sent; sets a cookie; counts."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.seen.append(request)
        if request.path == "/moved":
            return Response(302, headers={"location": "/elsewhere"})
        if request.path == "/long":
            return Response(200, b"x" * 3000)
        return reply(
            {"cookie": request.headers.get("cookie", "")}, headers={"set-cookie": "s=1; Path=/"}
        )


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def server(echo: Echo) -> Iterator[Server]:
    with Server(echo) as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client(timeout=1, trust_env=False, limit=2000)
    yield client
    await client.aclose()


async def test_a_cut_is_later_on_a_read_and_uncertain_on_a_write(
    server: Server, client: Client, echo: Echo
) -> None:
    for fault in (CUT_AFTER, HALF, Fault(True, delay=1.3)):
        server.faults.script(fault, times=9)
        with pytest.raises(Later):
            await client.read(server.url)
        with pytest.raises(Uncertain):
            await client.write(server.url)
        server.faults.clear()
    asked = ["GET", "GET", "POST"]  # a write is never sent again by itself
    assert [r.method for r in echo.seen] == [*asked, *asked, "GET", "POST"]


async def test_a_read_survives_a_kept_connection_that_was_closed(
    server: Server, client: Client, echo: Echo
) -> None:
    server.faults.script(CUT_BEFORE)
    assert (await client.read(server.url)).status == 200


async def test_no_connection_is_later_on_both(server: Server, client: Client) -> None:
    server.stop()
    with pytest.raises(Later):
        await client.read(server.url)
    with pytest.raises(Later):
        await client.write(server.url)


async def test_writes_open_their_own_connection_and_reads_share_one(
    server: Server, client: Client
) -> None:
    for _ in range(3):
        await client.read(server.url)
    assert len(server.connections) == 1
    await client.write(server.url)
    await asyncio.sleep(0.05)
    assert len(server.connections) == 1  # the write's is closed again


async def test_a_server_that_closes_after_each_answer_is_no_trouble(client: Client) -> None:
    with Server(Echo(), keep_alive=False) as server:
        for _ in range(10):
            assert (await client.read(server.url)).status == 200


async def test_an_outsider_carries_no_cookies(server: Server, client: Client) -> None:
    await client.read(server.url)
    assert (await client.read(server.url)).json() == {"cookie": ""}


async def test_redirects_are_not_followed(server: Server, client: Client, echo: Echo) -> None:
    assert (await client.write(f"{server.url}/moved")).status == 302
    assert len(echo.seen) == 1


async def test_the_machines_proxy_is_used_where_the_environment_names_one(
    server: Server, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "inside.example")
    by_proxy, direct = Client(timeout=1), Client(timeout=1, trust_env=False)
    assert (await by_proxy.write("http://platform.example/api")).status == 200
    assert echo.seen[0].path.startswith("http:")
    for client, host in ((by_proxy, "inside.example"), (direct, "platform.example")):
        with pytest.raises(Later):  # no such host: it was asked for directly
            await client.write(f"http://{host}/api")
        await client.aclose()
    assert len(echo.seen) == 1


async def test_an_endless_answer_is_cut_off(server: Server, client: Client) -> None:
    with pytest.raises(Uncertain):
        await client.write(f"{server.url}/long")


async def test_a_call_can_be_given_up(server: Server, client: Client) -> None:
    server.faults.script(Fault(True, delay=1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.write(server.url)


async def test_an_illegal_header_is_not_quoted(server: Server, client: Client) -> None:
    with pytest.raises(Later) as caught:
        await client.write(server.url, headers={"Authorization": "Bearer secret\n"})
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is not None
    assert "secret" not in repr(caught.value.__cause__)


async def test_the_credential_is_blotted_out_before_words_are_cut(
    server: Server, client: Client
) -> None:
    client.secret = "a-token-of-some-length"
    server.faults.script(Fault(False, page("x" * 290 + client.secret, 400)))
    answer = await client.read(server.url)
    assert "a-tok" not in answer.raw
    assert "a-tok" not in repr(answer.text)


async def test_json_that_is_none_or_too_deep_is_none(server: Server, client: Client) -> None:
    for body in (b"", b"<html>", b"\xff\xfe", b"[" * 1500):
        server.faults.script(Fault(False, Response(200, body)))
        assert (await client.read(server.url)).json() is None


async def test_the_platforms_clock_is_taken_from_its_answer(server: Server, client: Client) -> None:
    server.faults.script(Fault(False, Response(200, headers={"date": format_datetime(NOW, True)})))
    assert (await client.read(server.url)).at == NOW
    server.faults.script(Fault(False, Response(200, headers={"date": "yesterday"})))
    assert abs((await client.read(server.url)).at - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Tue, 22 Sep 2026 01:02:00 GMT"}, 120),
        ({"ratelimit-reset": str(int(NOW.timestamp()) + 90)}, 90),
        ({"ratelimit-reset": "90"}, 90),
        ({"x-ratelimit-reset": "2026-09-22T01:01:30.000Z"}, 90),
        ({"x-ratelimit-reset": "2026-09-22T09:01:30+08:00"}, 90),
        ({"retry-after": "7", "ratelimit-reset": "90"}, 7),
        ({"retry-after": "soon", "ratelimit-reset": "90"}, 90),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "Mon, 21 Sep 2026 01:02:00 GMT"}, 0),
        ({"ratelimit-reset": str(int(NOW.timestamp() + 90) * 1000)}, 86400),  # milliseconds
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e300"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
async def test_a_platforms_wait_is_read_in_every_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    after = retry_after(headers, NOW)
    assert after == (None if seconds is None else timedelta(seconds=seconds))
