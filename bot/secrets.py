"""Credentials at rest: encrypted with a key that stands outside the store and outside the backup.

A stored secret is a Fernet token (AES-CBC with HMAC, RFC-like format of `cryptography`). The key
file is made at first start, readable by its owner only. It may hold several keys, one a line: the first
seals, all of them open, so that the key can be changed (bot.rekeying) and an older backup still be
read. Nothing here prints or logs a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from bot.errors import GongkaiError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Secrets:
    """Seals and opens strings. The key is read at every use and held by nobody."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file

    def __repr__(self) -> str:
        return "<Secrets>"

    def _keys(self) -> list[bytes]:
        from cryptography.fernet import Fernet

        if not self._file.exists():
            make_private(self._file, Fernet.generate_key())
        return self._file.read_bytes().split() or [b""]

    def add_key(self) -> None:
        """From here on a new key seals; those before still open what they sealed."""
        from cryptography.fernet import Fernet

        self._put([Fernet.generate_key(), *self._keys()])

    def drop_old_keys(self) -> None:
        """Only the key that seals opens from here on."""
        self._put(self._keys()[:1])

    def _put(self, keys: list[bytes]) -> None:
        handle, draft = mkstemp(dir=self._file.parent)  # 0600 from the start
        with os.fdopen(handle, "wb") as out:
            out.write(b"\n".join(keys) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, self._file)

    def mark(self, words: str) -> str:
        """Ten letters that stand for `words`, always the same; nobody else can make them."""
        return hmac.new(self._keys()[0], f"mark:{words}".encode(), hashlib.sha256).hexdigest()[:10]

    def _cipher(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet

        try:
            return MultiFernet([Fernet(key) for key in self._keys()])
        except ValueError:
            raise GongkaiError(
                "密钥文件 {file} 已损坏；请恢复原密钥文件", file=self._file.name
            ) from None

    def seal(self, secret: str) -> str:
        """Encrypt; an empty string stays empty. Raises GongkaiError when the key file is broken."""
        return self._cipher().encrypt(secret.encode()).decode() if secret else ""

    def open(self, sealed: str) -> str:
        """Decrypt. Raises GongkaiError when the key file is not the one it was sealed with."""
        from cryptography.fernet import InvalidToken

        if not sealed:
            return ""
        try:
            return self._cipher().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise GongkaiError(
                "密钥文件 {file} 与加密时不符，凭据打不开；恢复原密钥文件，或重新连接账号",
                file=self._file.name,
            ) from None


def make_private(file: Path, content: bytes) -> None:
    """Create a file only its owner can read, whole at once; an existing one is left as it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = mkstemp(dir=file.parent)  # 0600 from the start
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        os.unlink(draft)
