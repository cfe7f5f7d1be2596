"""Credentials at rest, and the file of their key."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.db import accounts, people
from bot.errors import GongkaiError, NotAllowed
from bot.model import Actor
from bot.office import Office
from bot.rekeying import rekey
from bot.secrets import Secrets, make_private
from tests import builders
from tests.offices import pytest_generate_tests, url  # noqa: F401
from tests.processes import together

SHELL = Actor(None, "shell", "cli")
TOKEN = "2.00x-abcdef-hunter2"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "secret.key"


@given(secret=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_sealed_opens_again(key: Path, secret: str) -> None:
    secrets = Secrets(key)
    sealed = secrets.seal(secret)
    assert secrets.open(sealed) == secret
    assert len(secret) < 8 or secret not in sealed


def test_nothing_stays_nothing(key: Path) -> None:
    assert Secrets(key).seal("") == "" == Secrets(key).open("")
    assert not key.exists()


def test_the_same_secret_is_never_sealed_the_same(key: Path) -> None:
    assert Secrets(key).seal(TOKEN) != Secrets(key).seal(TOKEN)


def test_the_key_is_its_owners_only_and_made_once(key: Path) -> None:
    sealed = Secrets(key).seal(TOKEN)
    before = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert Secrets(key).open(sealed) == TOKEN
    assert key.read_bytes() == before
    assert [file.name for file in key.parent.iterdir()] == ["secret.key"]


def test_another_key_opens_nothing_and_says_so(key: Path, tmp_path: Path) -> None:
    sealed = Secrets(key).seal(TOKEN)
    with pytest.raises(GongkaiError) as refused:
        Secrets(tmp_path / "other.key").open(sealed)
    assert "密钥文件 other.key 与加密时不符" in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("broken", [b"", b"not a key", b"\xff\xfe", b"A" * 44 + b"\n\n"])
def test_a_broken_key_file_is_a_sentence_both_ways(key: Path, broken: bytes) -> None:
    sealed = Secrets(key).seal(TOKEN)
    key.write_bytes(broken)
    for act in (Secrets(key).open, Secrets(key).seal):
        with pytest.raises(GongkaiError, match="密钥文件"):
            act(sealed)


@pytest.mark.parametrize("stored", ["x", "中文", "gAAAA", TOKEN])
def test_what_was_never_sealed_is_not_opened(key: Path, stored: str) -> None:
    with pytest.raises(GongkaiError) as refused:
        Secrets(key).open(stored)
    assert stored not in f"{refused.value!r}{refused.value}"


def test_no_secret_is_in_any_words(key: Path) -> None:
    secrets = Secrets(key)
    sealed = secrets.seal(TOKEN)
    material = key.read_text().strip()
    for words in (repr(secrets), str(secrets), str(vars(secrets)), sealed):
        assert TOKEN not in words
        assert material not in words


# ---------------------------------------------------------------- private files


def test_a_private_file_that_stands_is_left(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "token"
    make_private(file, b"first")
    make_private(file, b"second")
    assert file.read_bytes() == b"first"


def test_a_private_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private(tmp_path / "token", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_private_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """Many make it at once: whoever sees it sees all of it, and the same."""
    content = [bytes([65 + n]) * 100_000 for n in range(8)]

    def made(n: int) -> list[bytes]:
        seen = []
        for turn in range(25):
            file = tmp_path / str(turn)
            make_private(file, content[n])
            seen.append(file.read_bytes())
        return seen

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(made, range(8))
    assert all(seen in content for seen in first)
    assert others == [first] * 7
    assert len(list(tmp_path.iterdir())) == 25


SEALER = """
import sys
from pathlib import Path
from bot.secrets import Secrets
import cryptography.fernet
BEGIN
print(Secrets(Path(sys.argv[1])).seal("token"))
"""


def test_programs_that_start_at_once_agree_on_one_key(key: Path) -> None:
    with together(SEALER, *[(str(key),)] * 3) as programs:
        sealed = [program.stdout.read().strip() for program in programs if program.stdout]
    assert [Secrets(key).open(one) for one in sealed] == ["token"] * 3


# ---------------------------------------------------------------- a new key


def _sealed(office: Office) -> None:
    """An account's credential and everybody's second factor, sealed."""
    builders.account(office, "social", "https://social.example")
    with office.db.write() as conn:
        conn.execute(people.update().values(totp=office.secrets.seal("JBSWY3DP")))
        conn.execute(accounts.update().values(credential=office.secrets.seal(TOKEN)))


def _opened(office: Office) -> tuple[str, str]:
    with office.db.read() as conn:
        credential = conn.execute(select(accounts.c.credential)).scalar_one()
        totp = conn.execute(select(people.c.totp).limit(1)).scalar_one()
    return office.secrets.open(credential), office.secrets.open(totp)


def test_after_a_new_key_the_old_one_opens_nothing(office: Office) -> None:
    _sealed(office)
    file = office.config.place(office.config.secret_key_file)
    old = file.read_bytes()
    with office.db.read() as conn:
        before = conn.execute(select(accounts.c.credential)).scalar_one()
    assert rekey(office, SHELL) == 4
    assert _opened(office) == (TOKEN, "JBSWY3DP")
    assert old.strip() not in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(GongkaiError, match="打不开"):
        office.secrets.open(before)
    file.write_bytes(file.read_bytes() + old)  # put beside it, for an older backup
    assert office.secrets.open(before) == TOKEN


def test_cut_off_anywhere_everything_still_opens(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sealed(office)
    for step in ("add_key", "drop_old_keys"):
        with monkeypatch.context() as cut:
            cut.setattr(Secrets, step, _cut_off)
            with pytest.raises(KeyboardInterrupt):
                rekey(office, SHELL)
        assert _opened(office) == (TOKEN, "JBSWY3DP")
    assert rekey(office, SHELL) == 4
    assert _opened(office) == (TOKEN, "JBSWY3DP")
    file = office.config.place(office.config.secret_key_file)
    assert len(file.read_bytes().split()) == 1


def _cut_off(_: Secrets) -> None:
    raise KeyboardInterrupt


def test_only_who_administers_everything_changes_the_key(office: Office) -> None:
    _sealed(office)
    with office.db.read() as conn:
        editor = builders.actor(conn, "zhou")
    file = office.config.place(office.config.secret_key_file)
    before = file.read_bytes()
    with pytest.raises(NotAllowed):
        rekey(office, editor)
    assert file.read_bytes() == before


def test_another_key_changes_nothing_that_it_cannot_open(office: Office) -> None:
    _sealed(office)
    file = office.config.place(office.config.secret_key_file)
    kept = file.read_bytes()
    file.write_bytes(Fernet.generate_key())
    with pytest.raises(GongkaiError, match="打不开"):
        rekey(office, SHELL)
    file.write_bytes(kept)
    assert _opened(office) == (TOKEN, "JBSWY3DP")
