"""A mail server on a loopback socket: keeps what it takes; may ask for a login, or refuse all."""

from __future__ import annotations

import asyncio
import base64
import threading
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType


@dataclass(frozen=True)
class Mail:
    """One message as it was handed over."""

    sender: str
    to: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["subject"])

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


class Smtp:
    """Runs in a thread of its own while its block lasts. `login`: (name, password) it asks for."""

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self.login, self.mails, self.refuses = login, list[Mail](), False
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> Smtp:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0)
        server = self._loop.run_until_complete(serving)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._wind_up())
        self._loop.close()

    async def _wind_up(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.yunlan.example.cn ESMTP\r\n")
        sender, to, known = "", list[str](), self.login is None
        while line := (await reader.readline()).decode().strip():
            word, _, rest = line.partition(" ")
            answer = "250 ok"
            if word.upper() == "EHLO":
                answer = "250-mail\r\n250-AUTH PLAIN\r\n250 8BITMIME"
            elif word.upper() == "AUTH":
                known = _said(rest) == self.login
                answer = "235 ok" if known else "535 authentication failed"
            elif word.upper() == "MAIL":
                sender = _address(rest)
                answer = "250 ok" if known and not self.refuses else "550 not you"
            elif word.upper() == "RCPT":
                to.append(_address(rest))
            elif word.upper() == "DATA":
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                made = message_from_bytes(
                    data[:-3].replace(b"\r\n..", b"\r\n."), policy=policy.default
                )
                assert isinstance(made, EmailMessage)
                self.mails.append(Mail(sender, tuple(to), made))
                to = []
            writer.write(f"{answer if word.upper() != 'QUIT' else '221 bye'}\r\n".encode())
            if word.upper() == "QUIT":
                break
        writer.close()


def _said(rest: str) -> tuple[str, str]:
    """Name and password of AUTH PLAIN."""
    _, name, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
    return name, password


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
