"""Fetching: limits, redirects, and no address that is not public."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.errors import SourceError
from bot.sources.base import Origin
from bot.sources.fetch import Body, Limits, fetch, is_public
from tests.sources.contract import ZONE
from tests.sources.serving import Answer, serving


def get(url: str, *, private: bool = True, limits: Limits | None = None, **known: Any) -> Body:
    return asyncio.run(fetch(Origin(url, ZONE, private=private, **known), limits))


def always(answer: Answer) -> Any:
    return lambda path, headers: answer


def test_the_body_and_what_stands_beside_it() -> None:
    headers = {"Content-Type": "text/xml; charset=gbk", "ETag": "x", "Last-Modified": "y"}
    with serving(always(Answer(b"<rss/>", headers=headers))) as served:
        body = get(served.url("/feed?token=secret"))
    assert (body.data, body.content_type) == (b"<rss/>", "text/xml; charset=gbk")
    assert (body.etag, body.last_modified) == ("x", "y")
    assert body.url == served.url("/feed")


def test_the_host_is_named_as_it_was_asked_for() -> None:
    with serving(always(Answer(b"<rss/>"))) as served:
        get(served.url(host="localhost"))
    assert served.asked[0][1]["host"] == f"localhost:{served.port}"


def test_known_marks_are_sent_and_an_unchanged_answer_is_understood() -> None:
    with serving(always(Answer(status=304))) as served:
        assert get(served.url(), etag="e", last_modified="m").unchanged
        assert served.asked[0][1]["if-none-match"] == "e"
        assert served.asked[0][1]["if-modified-since"] == "m"
        with pytest.raises(SourceError, match="304"):
            get(served.url())


@pytest.mark.parametrize("coding", ["gzip", "deflate", ""])
def test_packed_answers_are_unpacked(coding: str) -> None:
    headers = {"Content-Encoding": coding} if coding else {}
    with serving(always(Answer(gzip.compress(b"<rss/>"), headers=headers))) as served:
        assert get(served.url()).data == b"<rss/>"


@pytest.mark.parametrize(
    ("status", "gone"), [(404, True), (410, True), (403, False), (429, False), (500, False)]
)
def test_an_answer_without_a_catalogue_is_told(status: int, gone: bool) -> None:
    with (
        serving(always(Answer(status=status))) as served,
        pytest.raises(SourceError, match=str(status)) as caught,
    ):
        get(served.url())
    assert caught.value.gone is gone


# ---------------------------------------------------------------- limits


def test_too_much_is_refused_while_it_comes() -> None:
    with serving(always(Answer(bytes(5000)))) as served, pytest.raises(SourceError, match="4000"):
        get(served.url(), limits=Limits(size=4000))


def test_a_bomb_is_refused() -> None:
    bomb = Answer(gzip.compress(bytes(9_000_000)), headers={"Content-Encoding": "gzip"})
    with serving(always(bomb)) as served, pytest.raises(SourceError, match="超过"):
        get(served.url(), limits=Limits(size=1_000_000))


@pytest.mark.parametrize("body", [b"<rss>", gzip.compress(b"<rss>" * 9)], ids=["plain", "packed"])
def test_an_answer_cut_short_is_refused(body: bytes) -> None:
    with (
        serving(always(Answer(body, cut=100))) as served,
        pytest.raises(SourceError, match="没有收全"),
    ):
        get(served.url())


def test_a_slow_answer_is_given_up() -> None:
    hour = threading.Event()
    with serving(always(Answer(b"<rss/>", dawdle=hour))) as served:
        with pytest.raises(SourceError, match=r"0\.2 秒"):
            get(served.url(), limits=Limits(seconds=0.2))
        hour.set()


def test_a_refused_connection_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SourceError, match="连接不上"):
            get(f"http://127.0.0.1:{taken.getsockname()[1]}/")


# ---------------------------------------------------------------- redirects


def chain(length: int) -> Any:
    def answer(path: str, _: Mapping[str, str]) -> Answer:
        n = int(path.strip("/") or 0)
        if n == length:
            return Answer(b"<rss/>")
        return Answer(status=302, headers={"Location": f"/{n + 1}"})

    return answer


def test_five_redirects_are_followed_and_no_more() -> None:
    with serving(chain(5)) as served:
        assert get(served.url("/")).url == served.url("/5")
    with serving(chain(6)) as served, pytest.raises(SourceError, match="5 次"):
        get(served.url("/"))


def test_a_redirect_leads_to_no_other_private_host() -> None:
    with serving(always(Answer(b"secret"))) as inside:
        away = Answer(status=302, headers={"Location": inside.url(host="localhost")})
        with serving(always(away)) as served, pytest.raises(SourceError, match="公网"):
            get(served.url())
    assert not inside.asked


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://a.example/", "gopher://x/"])
def test_a_redirect_stays_on_the_web(location: str) -> None:
    away = Answer(status=301, headers={"Location": location})
    with serving(always(away)) as served, pytest.raises(SourceError, match="http"):
        get(served.url())


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::"),
    ],
)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.2.4.8", "2400:3200::1", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "127.1"]
)
def test_no_spelling_of_a_private_host_is_fetched(host: str) -> None:
    with serving(always(Answer(b"<rss/>"))) as served, pytest.raises(SourceError):
        get(served.url(host=host), private=False)
    assert not served.asked


def test_a_password_in_the_address_is_in_no_message() -> None:
    with (
        serving(always(Answer(status=500))) as served,
        pytest.raises(SourceError) as caught,
    ):
        get(served.url("/feed?key=geheim", host="office:hunter2@127.0.0.1"))
    assert "hunter2" not in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert served.asked[0][1]["authorization"].startswith("Basic ")


# ---------------------------------------------------------------- TLS goes to the name, not the number


@contextmanager
def tls(folder: Path, names: list[str | None]) -> Iterator[int]:
    """A TLS server with a certificate nobody trusts, that notes the names it is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    context.sni_callback = lambda _, name, __: names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def shake() -> None:
            connection, _ = server.accept()
            try:
                with context.wrap_socket(connection, server_side=True):
                    pass
            except OSError:
                connection.close()

        thread = threading.Thread(target=shake)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + timedelta(hours=1))
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path = folder / "server.pem"
    path.write_bytes(pem)
    return path


def test_the_connection_goes_to_the_number_and_asks_for_the_name(tmp_path: Path) -> None:
    names: list[str | None] = []
    with (
        tls(tmp_path, names) as port,
        pytest.raises(SourceError, match="CERTIFICATE"),
    ):
        get(f"https://localhost:{port}/")
    assert names == ["localhost"]


# ---------------------------------------------------------------- by way of a proxy

PUBLIC = "93.184.216.34"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """www.yunlan.example is a public host, intra.yunlan.example one of our own network."""
    real = socket.getaddrinfo
    known = {"www.yunlan.example": PUBLIC, "intra.yunlan.example": "10.1.2.3"}

    def look_up(host: Any, *args: Any, **more: Any) -> Any:
        return real(known.get(host, host), *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.usefixtures("named")
def test_a_proxy_is_told_the_address_that_was_checked() -> None:
    with serving(always(Answer(b"<rss/>"))) as proxy:
        body = get("http://www.yunlan.example/feed", private=False, proxy=proxy.url(""))
        assert (body.data, body.url) == (b"<rss/>", "http://www.yunlan.example/feed")
        ((asked, headers),) = proxy.asked
        assert (asked, headers["host"]) == (f"http://{PUBLIC}/feed", "www.yunlan.example")
        with pytest.raises(SourceError, match="公网"):
            get("http://intra.yunlan.example/feed", private=False, proxy=proxy.url(""))
        assert len(proxy.asked) == 1


def test_a_private_host_is_asked_without_the_proxy() -> None:
    with serving(always(Answer(b"<rss/>"))) as served, serving(always(Answer())) as proxy:
        assert get(served.url(), proxy=proxy.url("")).data == b"<rss/>"
    assert proxy.asked == []


@pytest.mark.usefixtures("named")
def test_a_tunnel_leads_to_the_number_and_asks_for_the_name(tmp_path: Path) -> None:
    names: list[str | None] = []
    with (
        tls(tmp_path, names) as port,
        tunnel(port) as (proxy, asked),
        pytest.raises(SourceError, match="CERTIFICATE"),
    ):
        get("https://www.yunlan.example/", private=False, proxy=proxy)
    assert (asked, names) == ([f"CONNECT {PUBLIC}:443 HTTP/1.1"], ["www.yunlan.example"])


@contextmanager
def tunnel(port: int) -> Iterator[tuple[str, list[str]]]:
    """A proxy whose every tunnel leads to `port`; and the first lines it was asked with."""
    asked: list[str] = []

    def lead() -> None:
        near, _ = server.accept()
        with near, socket.create_connection(("127.0.0.1", port)) as far:
            asked.append(near.recv(4096).decode().splitlines()[0])
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(far, near))
            back.start()
            _pass_on(near, far)
            back.join()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = threading.Thread(target=lead)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        thread.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


def test_a_proxy_that_is_away_is_named_as_what_failed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = f"http://office:geheim@127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SourceError, match="经代理连接不上") as caught:
            get(f"http://{PUBLIC}/feed", private=False, proxy=away)
    assert "geheim" not in str(caught.value)


# ---------------------------------------------------------------- files


def test_a_file_is_read_unpacked_and_known_again(tmp_path: Path) -> None:
    file = tmp_path / "feed.xml.gz"
    file.write_bytes(gzip.compress(b"<rss/>"))
    body = get(str(file))
    assert body.data == b"<rss/>"
    assert get(str(file), etag=body.etag).unchanged
    file.write_bytes(gzip.compress(b"<rss></rss>"))
    assert not get(str(file), etag=body.etag).unchanged


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        get(str(tmp_path / "none.xml"))
    assert caught.value.gone
    with pytest.raises(SourceError, match="读不了"):
        get(str(tmp_path))
    with pytest.raises(SourceError):
        get("file:///etc/hostname")
    (tmp_path / "big").write_bytes(bytes(11))
    with pytest.raises(SourceError, match="10"):
        get(str(tmp_path / "big"), limits=Limits(size=10))
