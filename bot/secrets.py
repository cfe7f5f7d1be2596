"""Credentials at rest: encrypted with a key that stands outside the store and outside the backup.

A stored secret is a Fernet token (AES-CBC with HMAC, RFC-like format of `cryptography`). The key
file is made at first start, readable by its owner only. Nothing here prints or logs a secret.
"""

from __future__ import annotations

import os
from pathlib import Path

from bot.errors import GongkaiError


class Secrets:
    """Seals and opens strings. The key is read once, on first use."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file

    def __repr__(self) -> str:
        return "<Secrets>"

    def _key(self) -> bytes:
        if not self._file.exists():
            make_private(self._file, _new_key())
        return self._file.read_bytes().strip()

    def seal(self, secret: str) -> str:
        """Encrypt; an empty string stays empty."""
        from cryptography.fernet import Fernet

        return Fernet(self._key()).encrypt(secret.encode()).decode() if secret else ""

    def open(self, sealed: str) -> str:
        """Decrypt. Raises GongkaiError when the key file is not the one it was sealed with."""
        from cryptography.fernet import Fernet, InvalidToken

        if not sealed:
            return ""
        try:
            return Fernet(self._key()).decrypt(sealed.encode()).decode()
        except (InvalidToken, ValueError):
            raise GongkaiError(
                "密钥文件 {file} 与加密时不符，凭据打不开；恢复原密钥文件，或重新连接账号",
                file=self._file.name,
            ) from None


def _new_key() -> bytes:
    from cryptography.fernet import Fernet

    return Fernet.generate_key()


def make_private(file: Path, content: bytes) -> None:
    """Create a file only its owner can read; an existing one is left as it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
