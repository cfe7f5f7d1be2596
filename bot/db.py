"""The store: every table, and how a transaction is opened on either database.

SQLite and PostgreSQL from one text (SQLAlchemy Core, no ORM). Only this module, search and the
migrations name a dialect. Instants are UTC microseconds in an integer. SQLite: WAL with synchronous
FULL, every writing transaction `BEGIN IMMEDIATE`. PostgreSQL: read committed, row locks where
promises need them (see deliver), leases on the database's clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from bot.errors import ConfigError
from bot.language import Say
from bot.workdays import Clock, FixedClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as UTC microseconds since 1970 in an integer."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


def micros(at: datetime) -> int:
    """UTC microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


class Listed(TypeDecorator[Sequence[Any]]):
    """Many values in one parameter, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Any) -> str:
        return json.dumps(value or [])


class _Values(FunctionElement[Any]):
    """The values of a list in JSON, as rows."""

    inherit_cache = True


@compiles(_Values, "sqlite")
def _values_in_sqlite(values: Any, compiler: Any, **more: Any) -> str:
    return f"json_each({compiler.process(values.clauses, **more)})"


@compiles(_Values, "postgresql")
def _values_in_postgres(values: Any, compiler: Any, **more: Any) -> str:
    return f"json_array_elements_text(cast({compiler.process(values.clauses, **more)} as json))"


def among(of: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Is it one of those given as `name`? However many these are, the statement stays the same."""
    listed = _Values(bindparam(name, type_=Listed())).table_valued("value")
    return of.in_(select(cast(listed.c.value, of.type)))


class _Aside(FunctionElement[Any]):
    """A column, with a plus before it where that says something."""

    inherit_cache = True

    def __init__(self, of: ColumnElement[Any]) -> None:
        super().__init__(of)
        self.type = of.type


@compiles(_Aside, "sqlite")
def _aside_in_sqlite(it: Any, compiler: Any, **more: Any) -> str:
    return f"+{compiler.process(it.clauses, **more)}"


@compiles(_Aside)
def _as_it_is(it: Any, compiler: Any, **more: Any) -> str:
    return str(compiler.process(it.clauses, **more))


def aside(of: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column in a condition that leaves the choice of index to the others: most deliveries are
    sent, and SQLite, which does not count, would rather walk all of these than those of one post."""
    return _Aside(of)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _Id, primary_key=True)


def _to(table: str, name: str = "", *, null: bool = False) -> Column[Any]:
    return Column(name or f"{table.rstrip('s')}_id", _Id, ForeignKey(f"{table}.id"), nullable=null)


def _text(name: str, **more: Any) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="", **more)


def _at(name: str, *, null: bool = True, **more: Any) -> Column[Any]:
    return Column(name, Instant, nullable=null, **more)


def _json(name: str) -> Column[Any]:
    return Column(name, _Json)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _work() -> list[Column[Any]]:
    """The four columns of every row that waits for the clock (bot.lease)."""
    return [_at("due_at"), _at("leased_until"), Column("lease", Text), _count("tries")]


# ---------------------------------------------------------------- the office and its people

offices = Table(
    "offices",
    metadata,
    _id(),
    _at("created_at", null=False),
    _at("restored_at"),
    _at("planned_at"),  # about when the schedules' coming days were last made rows
    _text("salt"),
)
units = Table(
    "units",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),
    _text("name"),
    _to("units", "parent_id", null=True),
    _json("steps"),  # [{"name": …, "right": …}] in order
)
people = Table(
    "people",
    metadata,
    _id(),
    Column("login", Text, nullable=False, unique=True),
    _text("name"),
    _text("password"),  # argon2 hash
    _flag("must_change"),
    _flag("disabled"),
    _flag("asleep"),  # disabled since a restore, until an administrator readmits him
    _text("totp"),  # the second factor's secret, sealed; it counts once confirmed
    _at("totp_at"),  # when it was confirmed
    _count("totp_step"),  # the latest time step a code was taken for: none is taken twice
    _at("created_at", null=False),
)
grants = Table(
    "grants",
    metadata,
    _to("people", "person_id"),
    _to("units"),
    Column("role", Text, nullable=False),
    PrimaryKeyConstraint("person_id", "unit_id", "role"),
)
duties = Table(  # 值班
    "duties",
    metadata,
    _id(),
    _to("units"),
    _text("day"),  # 2026-12-01, of the office's calendar
    _to("people", "person_id"),
    UniqueConstraint("unit_id", "day"),
)
delegations = Table(  # 代签: who acts in whose place, for which steps, from when until when
    "delegations",
    metadata,
    _id(),
    _to("people", "giver_id"),
    _to("people", "taker_id"),
    _to("units"),  # and those below
    _json("steps"),  # their names
    _at("begins", null=False),
    _at("ends", null=False),
    _text("reason"),
    _at("created_at", null=False),
    _at("ended_at"),  # before its time
    _to("people", "ended_by", null=True),
    Index("ix_delegations_taker_id", "taker_id"),
    Index("ix_delegations_giver_id", "giver_id"),
)
recoveries = Table(
    "recoveries",
    metadata,
    _to("people", "person_id"),
    Column("digest", Text, nullable=False),  # SHA-256 of a code; used: gone
    PrimaryKeyConstraint("person_id", "digest"),
)
sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),  # SHA-256 of the cookie
    _to("people", "person_id"),
    _to("logins", "half_id", null=True),  # the login whose code is still owed
    _text("csrf"),
    _text("origin"),
    _at("created_at", null=False),
    _at("seen_at", null=False),
    _at("ends_at", null=False),
)
logins = Table(
    "logins",
    metadata,
    _id(),
    _text("login", index=True),
    _text("origin", index=True),
    _at("at", null=False),
    _flag("ok"),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of what its person was shown
    _to("people", "person_id"),
    _text("name"),
    _json("scopes"),
    _at("created_at", null=False),
    _at("ends_at", null=False),
    _at("used_at"),
    _at("revoked_at"),
    Index("ix_tokens_person_id", "person_id"),
)
api_writes = Table(  # what a program asked for once, and the answer it is given again
    "api_writes",
    metadata,
    _id(),
    _to("people", "person_id"),
    Column("key", Text, nullable=False),
    _text("digest"),  # of the whole request
    Column("status", Integer),
    _json("answer"),
    _at("at", null=False, index=True),
    UniqueConstraint("person_id", "key"),
)

# ---------------------------------------------------------------- catalogue

sources = Table(
    "sources",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),
    _to("units"),
    _text("name"),  # as config.toml calls it
    _text("title"),  # as the catalogue calls itself (bot.naming says which is shown)
    _text("kind"),
    _text("url"),
    _text("state"),
    _at("baseline_at"),  # when the first successful poll was taken in
    _flag("baseline_only"),  # since a restore: the next poll is first_poll = "seen"
    _text("etag"),
    _text("last_modified"),
    _json("memo"),  # Reading.memo: what its kind must know at the next poll
    _at("polled_at"),
    _at("ok_at"),
    _count("failures"),
    _json("error"),  # Say
    _json("problems"),
    *_work(),
)
items = Table(
    "items",
    metadata,
    _id(),
    _to("sources"),
    Column("key", Text, nullable=False),
    _text("state"),
    _to("posts", null=True),
    _text("title"),
    _text("column"),
    _text("document_number"),  # as it is looked for: bot.text.document_key
    _text("digest"),
    _count("revision"),
    _json("entry"),  # Entry, as of the current revision
    _json("waits"),  # Say: why a person must decide before anything is made of it
    _to("people", "by_id", null=True),  # who typed it in
    _to("units", "from_unit_id", null=True),  # the unit that handed it in; None: the source's own
    _text("returned"),  # why it was given back to that unit
    _at("published"),
    _at("seen_at", null=False),
    _at("changed_at"),
    _at("gone_at"),
    _count("missing"),  # whole reads without it, in a row
    *_work(),
    UniqueConstraint("source_id", "key"),
    Index("ix_items_state", "state", "id"),
    # The list in its order, and the figures, without the rows.
    Index("ix_items_published", "published", "id", "source_id", "state"),
    Index("ix_items_source", "source_id", "state", "seen_at"),
    Index(
        "ix_items_from",
        "from_unit_id",
        sqlite_where=text("from_unit_id is not null"),
        postgresql_where=text("from_unit_id is not null"),
    ),
    Index("ix_items_document_number", "document_number"),
    Index("ix_items_title", "source_id", "title", "document_number"),  # searched without its rows
)
item_revisions = Table(
    "item_revisions",
    metadata,
    _id(),
    _to("items"),
    Column("number", Integer, nullable=False),
    _text("digest"),
    _json("entry"),
    _at("at", null=False),
    UniqueConstraint("item_id", "number"),
)

quality_checks = Table(  # when a source's entries were last looked through (bot.catalog.kept)
    "quality_checks",
    metadata,
    _id(),
    Column("source_id", _Id, ForeignKey("sources.id"), nullable=False, unique=True),
    _at("at"),
    _count("standing"),  # how many there were
)
quality = Table(  # what was wanting then
    "quality",
    metadata,
    _id(),
    _to("sources"),
    Column("rule", Text, nullable=False),
    Column("item_id", _Id, nullable=False),  # items.id; 0: a column without any entry
    _text("column"),
    _text("formed"),  # days of the office's calendar
    _text("public"),
    _text("deadline"),
    _json("said"),  # Say
    Index("ix_quality_rule", "source_id", "rule", "item_id", "id"),
)

# ---------------------------------------------------------------- posts and review

posts = Table(
    "posts",
    metadata,
    _id(),
    _to("units"),
    _text("kind"),
    _text("title"),
    _text("state"),
    _to("people", "author_id", null=True),  # None: composed by the machine
    Column("item_id", _Id, index=True),  # items.id; no key, the two tables name each other
    _to("sources", null=True),
    _json("from_items"),  # ids of the items a digest is made of
    _text("template"),
    _json("accounts"),  # account ids it goes to
    Column("revision_id", _Id),  # the current one
    _count("step"),  # the step that waits, 0-based
    _at("go_at"),  # None: as soon as signed
    _at("latest_at"),  # past it: missed
    _text("slot"),  # a schedule's key: once approved it waits for the next slot of it
    _flag("emergency"),
    Column("answers_id", _Id),  # replies.id, for a response
    Column("about_id", _Id),  # posts.id, for a correction or withdrawal
    _json("returned"),  # Say: the last return or voiding
    _count("version"),  # two editors cannot overwrite each other
    _at("created_at", null=False),
    _at("changed_at", null=False),
    *_work(),
    Index("ix_posts_state", "state", "id", "unit_id", "author_id"),  # counted without the rows
    Index("ix_posts_go_at", "go_at"),
    Index("ix_posts_title", "unit_id", "title"),  # searched without its rows
    Index("ix_posts_changed_at", "changed_at", "id"),
    *(
        Index(
            f"ix_posts_{name}",
            name,
            sqlite_where=text(f"{name} is not null"),
            postgresql_where=text(f"{name} is not null"),
        )
        for name in ("answers_id", "about_id")
    ),
)
revisions = Table(
    "revisions",
    metadata,
    _id(),
    _to("posts"),
    Column("number", Integer, nullable=False),
    _to("people", "author_id", null=True),
    _at("at", null=False),
    _text("digest"),
    _json("manifest"),  # what the digest is taken of
    _json("body"),  # what the author wrote, before rendering
    _json("findings"),
    _text("template"),
    _text("template_digest"),
    Column("item_revision", Integer),
    UniqueConstraint("post_id", "number"),
)
renditions = Table(
    "renditions",
    metadata,
    _id(),
    _to("revisions"),
    _to("accounts"),
    Column("part", Integer, nullable=False),
    _json("payload"),  # Outgoing
    _text("digest"),
    _text("identity"),  # the account's remote identity it was rendered for
    UniqueConstraint("revision_id", "account_id", "part"),
)
writings = Table(  # what a person is typing, not yet a revision (bot.compose.writings)
    "writings",
    metadata,
    _id(),
    _to("people", "person_id"),
    Column("post_id", _Id, nullable=False),  # 0: a new one
    _text("key"),  # tells a person's new ones apart
    _text("window"),  # the window that typed last
    _count("turn"),  # its own count: one that was long on its way is passed over
    _json("fields"),  # as the form sends them; None: it is only open
    _at("at"),  # typed last
    _at("seen_at"),  # open last
    UniqueConstraint("person_id", "post_id", "key"),
    Index("ix_writings_post_id", "post_id"),
)
links = Table(  # an address in a post, and whether it opens (bot.links)
    "links",
    metadata,
    _id(),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of the address: it may be long
    _text("address"),
    _text("host"),
    _text("state"),
    _count("status"),  # HTTP; 0: no answer came
    _json("words"),  # Say: what was found
    _at("looked_at"),
    _count("looks"),  # in a row that did not find it
    *_work(),
)
link_uses = Table(
    "link_uses",
    metadata,
    _to("revisions"),
    _to("links"),
    PrimaryKeyConstraint("revision_id", "link_id"),
    Index("ix_link_uses_link_id", "link_id"),
)
signoffs = Table(
    "signoffs",
    metadata,
    _id(),
    _to("posts"),
    _to("revisions"),
    Column("step", Integer, nullable=False),
    _text("step_name"),
    _to("people", "person_id", null=True),
    _to("people", "behalf_id", null=True),  # in whose place, by the delegation
    _to("delegations", null=True),
    _text("verdict"),
    _text("kind"),
    _text("note"),
    _text("digest"),
    _at("begins"),
    _at("ends"),
    _text("signed_by"),  # offline: the name on the sheet
    _text("sheet"),  # offline: media sha256 of the signed sheet
    Column("standing_id", _Id),
    _at("at", null=False),
    Index("ix_signoffs_revision_id", "revision_id"),
)
approvals = Table(
    "approvals",
    metadata,
    Column("revision_id", _Id, ForeignKey("revisions.id"), primary_key=True),
    _to("posts"),
    _text("digest"),
    _at("begins"),
    _at("ends"),
    _at("at", null=False),
    _at("voided_at"),
    _json("voided"),  # Say
)
standings = Table(
    "standings",
    metadata,
    _id(),
    _to("units"),
    _to("sources"),
    _text("template"),
    _text("template_digest"),
    _json("accounts"),
    _json("columns"),
    _to("people", "signer_id"),
    _at("begins", null=False),
    _at("ends", null=False),
    Column("daily_max", Integer, nullable=False),
    _text("day"),
    _count("used"),
    _text("note"),
    _flag("asleep"),  # since a restore, until a person wakes it
    _at("ended_at"),
)

# ---------------------------------------------------------------- delivery

accounts = Table(
    "accounts",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),
    _to("units"),
    _text("adapter"),
    _text("name"),
    _json("options"),
    _text("state"),
    _json("broken"),  # Say
    _text("identity"),
    _text("identity_name"),
    _text("identity_url"),
    _json("capabilities"),
    _text("credential"),  # encrypted
    _at("token_ends"),
    _at("created_at"),
    _at("checked_at"),
    _at("listed_at"),  # when its own posts were listed last and nothing of ours was unclear
    Column("listed_total", Integer),  # how many the platform said there were
    _text("host"),
    Column("gap_ms", Integer, nullable=False, server_default="0"),  # least time between writes
    _json("rhythm"),  # slots, daily most, quiet hours (bot.deliver.rhythm); None: none of them
    _at("free_at"),  # its pace is open from here on
    *_work(),
)
connectings = Table(  # accounts on their way to being connected (bot.deliver.connecting)
    "connectings",
    metadata,
    _id(),
    Column("state", Text, nullable=False, unique=True),  # SHA-256 of what the platform sends back
    _to("accounts"),
    _to("people", "person_id", null=True),
    _text("session"),  # the one it began in; empty: a shell
    _text("sealed"),  # where to go and how to finish; then the credential that was proven
    _json("found"),  # whose the credential is; None: not back yet
    _at("ends_at", null=False),
    _at("spent_at"),  # when its state came back
)
hosts = Table("hosts", metadata, Column("host", Text, primary_key=True), _at("free_at"))
holds = Table(
    "holds",
    metadata,
    _id(),
    _text("scope"),
    Column("target_id", _Id),
    _text("reason"),
    _json("passes"),  # post ids let through by name
    _to("people", "person_id", null=True),
    _flag("solemn"),  # 肃穆模式: declared with a start and an end
    _at("since", null=False),
    _at("begun_at"),  # its start is on record; till then it stands by the clock
    _at("until"),
    _at("lifted_at"),
    _to("people", "lifted_by", null=True),
    Index("ix_holds_standing", "lifted_at", "scope", "target_id"),
)
deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    _to("posts"),
    _to("revisions"),
    _to("renditions"),
    _to("accounts"),
    _text("act"),
    Column("part", Integer, nullable=False),
    _to("deliveries", "target_id", null=True),  # what is edited or withdrawn
    _to("deliveries", "after_id", null=True),  # goes only when this one is sent
    _to("units", "post_unit_id"),  # its post's, which never changes: lists count without the posts
    _text("state"),
    Column("key", Text, nullable=False, unique=True),
    _flag("emergency"),
    _at("go_at", null=False),
    _at("latest_at"),
    _json("staged"),
    _json("reason"),  # Say
    Column("remote_id", Text),
    _text("url"),
    _at("sent_at"),
    _text("visible"),
    _at("visible_at"),
    _count("looks"),  # look-ups of an uncertain outcome
    _count("absents"),  # of them in a row that found nothing
    _count("waits"),  # how often the platform said "later", in a row
    _flag("was_held"),  # fell due while held: a person decides after the lifting
    _flag("insists"),  # a person sent it off: his word passes slots and quiet hours
    _at("changed_at", null=False),
    *_work(),
    Index(
        "uq_deliveries_publish",
        "post_id",
        "account_id",
        "part",
        unique=True,
        sqlite_where=text("act = 'publish'"),
        postgresql_where=text("act = 'publish'"),
    ),
    Index(
        "uq_deliveries_receipt",
        "account_id",
        "remote_id",
        unique=True,
        sqlite_where=text("act = 'publish' and remote_id is not null"),
        postgresql_where=text("act = 'publish' and remote_id is not null"),
    ),
    Index("ix_deliveries_due", "state", "due_at", "account_id", "post_unit_id"),
    Index("ix_deliveries_next", "account_id", "state", "emergency", "due_at", "id"),
    Index("ix_deliveries_post", "post_id"),
    Index(
        "ix_deliveries_sent_at",
        "sent_at",
        sqlite_where=text("sent_at is not null"),
        postgresql_where=text("sent_at is not null"),
    ),
    Index(
        "ix_deliveries_target_id",
        "target_id",
        sqlite_where=text("target_id is not null"),
        postgresql_where=text("target_id is not null"),
    ),
    # The calendar and the queue's lists, walked without their rows.
    Index(
        "ix_deliveries_calendar",
        "go_at",
        *("id", "act", "account_id", "state", "post_id", "post_unit_id"),
    ),
)
attempts = Table(
    "attempts",
    metadata,
    _id(),
    _to("deliveries", "delivery_id"),
    _at("begun_at", null=False),
    _at("ended_at"),
    _text("outcome"),
    Column("remote_id", Text),
    _json("said"),  # Say: what happened, for people
    _text("raw"),  # the platform's own words
    _text("digest"),  # the signed revision's
    _text("worker"),
    Index("ix_attempts_begun", "begun_at"),
    Index("ix_attempts_delivery", "delivery_id"),
    Index(
        "uq_attempts_open",
        "delivery_id",
        unique=True,
        sqlite_where=text("ended_at is null"),
        postgresql_where=text("ended_at is null"),
    ),
)
occurrences = Table(
    "occurrences",
    metadata,
    _id(),
    Column("schedule", Text, nullable=False),
    _at("at", null=False),
    _text("state"),
    _json("reason"),
    _to("posts", null=True),
    *_work(),
    UniqueConstraint("schedule", "at"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("key", Text, primary_key=True),  # a file's name; the rest of it stands in the file
    _at("paused_at"),
    _to("people", "person_id", null=True),
    _text("reason"),
)

# ---------------------------------------------------------------- what the public says

watches = Table(
    "watches",
    metadata,
    _id(),
    _to("accounts"),
    Column("delivery_id", _Id, ForeignKey("deliveries.id"), unique=True),  # None: the account
    _text("state"),
    Column("cursor", Text),  # within a walk that is not finished
    Column("resume", Text),  # where the next incremental walk begins
    _text("walk"),  # the kind of walk under way (bot.collect.polling); empty: none
    _at("walk_began"),  # the last full walk
    _at("walked_at"),  # when one last ended that was whole
    _count("walks"),  # of these, so far
    _at("opened_at", null=False),
    _at("closes_at"),
    _at("polled_at"),
    _at("ok_at"),
    _at("lively_at"),  # when something new came last
    _count("pace"),  # seconds between two readings, if nothing bounded them
    _count("seen"),
    Column("total", Integer),  # the platform's own count
    _text("partial"),
    _count("failures"),
    _json("error"),
    *_work(),
)
replies = Table(
    "replies",
    metadata,
    _id(),
    _to("accounts"),
    Column("remote_id", Text, nullable=False),
    Column("delivery_id", _Id, ForeignKey("deliveries.id")),
    Column("post_id", _Id, ForeignKey("posts.id"), index=True),
    _text("parent"),  # remote id of what it answers
    _text("author"),
    _text("author_name"),
    _text("handle"),
    Column("text", Text, nullable=False),
    _text("url"),
    _at("at", null=False),
    _text("state"),
    _flag("own"),
    _count("version"),
    _count("missed"),  # full walks without it, in a row
    _at("seen_at", null=False),
    _at("last_seen", null=False),
    _at("edited_at"),
    _at("removed_at"),
    _text("removed_why"),
    _text("salt"),
    UniqueConstraint("account_id", "remote_id"),
    Index("ix_replies_at", "at", "own", "account_id"),  # a day's are counted without their rows
    Index("ix_replies_account", "account_id", "id"),
    Index(
        "ix_replies_own",
        *("id", "state", "account_id", "post_id"),
        sqlite_where=text("own is 1"),
        postgresql_where=text("own is true"),
    ),
    Index(
        "ix_replies_marked",
        *("state", "id", "own", "account_id", "post_id"),
        sqlite_where=text("state <> 'visible'"),
        postgresql_where=text("state <> 'visible'"),
    ),
    Index("ix_replies_delivery", "delivery_id", "state", "own"),  # counted without its rows
    Index("ix_replies_parent", "account_id", "parent"),
)
# Edited or removed. Without parameters: else SQLite does not know its partial index again.
marked = replies.c.state != literal_column("'visible'")
counts = Table(
    "counts",
    metadata,
    Column("delivery_id", _Id, ForeignKey("deliveries.id"), nullable=False),
    _at("at", null=False),
    Column("likes", Integer),
    Column("reposts", Integer),
    Column("replies", Integer),
    PrimaryKeyConstraint("delivery_id", "at"),
)
reply_versions = Table(
    "reply_versions",
    metadata,
    _id(),
    Column("reply_id", _Id, ForeignKey("replies.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("text", Text, nullable=False),
    _at("at", null=False),
    UniqueConstraint("reply_id", "number"),
)

# ---------------------------------------------------------------- the ground's own

media = Table(
    "media",
    metadata,
    Column("sha256", Text, primary_key=True),
    _text("kind"),
    _count("size"),
    _count("width"),
    _count("height"),
    _text("name"),
    _at("at", null=False),
)
notices = Table(
    "notices",
    metadata,
    _id(),
    Column("key", Text, nullable=False),
    _to("units", null=True),
    _json("say"),
    _text("link"),
    _at("opened_at", null=False),
    _at("closed_at"),
    *_work(),  # due when opened and when closed: who is told of it is planned then
    Index(
        "uq_notices_open",
        "key",
        unique=True,
        sqlite_where=text("closed_at is null"),
        postgresql_where=text("closed_at is null"),
    ),
)
tellings = Table(
    "tellings",
    metadata,
    _id(),
    _to("notices"),
    Column("address", Text, nullable=False),  # a key of config.toml's [notices]
    Column("kind", Text, nullable=False),  # opened | closed
    _text("state"),  # waiting | told | dropped
    _at("planned_at", null=False),
    _at("told_at"),
    _json("error"),  # Say: why it did not go the last time, or was dropped
    *_work(),
    UniqueConstraint("notice_id", "address", "kind"),
    Index("ix_tellings_address", "address", "state"),
)
workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    _text("host"),
    Column("pid", Integer, nullable=False),
    _at("started_at", null=False),
    _at("beat_at", null=False),
    _at("stopped_at"),
)
audits = Table(
    "audits",
    metadata,
    _id(),
    _at("at", null=False),
    Column("person_id", _Id),
    _text("actor"),
    _text("origin"),
    _text("verb"),
    _text("subject"),
    _json("data"),
    Column("number", BigInteger, unique=True),  # given by the sealer
    Column("previous", Text),
    Column("digest", Text),
)
audit_heads = Table(
    "audit_heads", metadata, _id(), Column("number", BigInteger, nullable=False), _text("digest")
)

# ---------------------------------------------------------------- the board: a platform of our own

boards = Table(
    "boards",
    metadata,
    _id(),
    Column("identity", Text, nullable=False),
    _text("token"),  # SHA-256 of the one its account holds
    _text("salt"),  # of visitors' addresses and of their keys
    _count("changes"),  # public changes of replies so far: the order of board_replies.change
    _at("created_at", null=False),
)
board_posts = Table(
    "board_posts",
    metadata,
    _id(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("key", Text, nullable=False, unique=True),  # idempotency, for ever
    _text("digest"),  # of the content first published under that key
    _text("title"),
    Column("text", Text, nullable=False),
    _json("payload"),  # the content that stands now
    _text("in_reply_to", index=True),
    _to("board_posts", "root_id", null=True),  # of an answer: the post whose thread it stands in
    _to("board_posts", "about_id", null=True),  # the earlier post that its text leads to
    _at("at", null=False),
    _at("edited_at"),
    _json("history"),  # [{"until": …, "content": …}], oldest first
    _at("withdrawn_at"),
    Index("ix_board_posts_root_id", "root_id", "id"),
    Index("ix_board_posts_about_id", "about_id", "id"),
)
_WAITING = text("state = 'waiting' or pending is not null")
board_replies = Table(
    "board_replies",
    metadata,
    _id(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("board_post_id", _Id, ForeignKey("board_posts.id"), nullable=False),
    _text("parent"),
    _text("author_name"),
    Column("text", Text, nullable=False),
    Column("pending", Text),  # a visitor's edit that waits; `text` stands until then
    _text("state"),  # waiting | shown | hidden | deleted
    Column("secret", Text, unique=True),  # SHA-256: the visitor's right to edit and delete
    _text("origin"),  # salted digest of the address, for the rate limit; emptied after a day
    _at("at", null=False),
    _at("edited_at"),
    _at("changed_at", null=False),
    Column("change", BigInteger),  # number of its last public change; None: never was public
    Index("ix_board_replies_change", "board_post_id", "change"),
    Index("ix_board_replies_origin", "origin", "at"),
    Index("ix_board_replies_waiting", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
)
# A moderator's turn. Without parameters: else SQLite does not know its partial index again.
moderators_turn = or_(
    board_replies.c.state == literal_column("'waiting'"), board_replies.c.pending.is_not(None)
)

for _table in list(metadata.tables.values()):
    if "due_at" in _table.c:  # what is due next, or held until when, is found without a scan
        Index(f"ix_{_table.name}_due_at", _table.c.due_at)
        Index(
            f"ix_{_table.name}_leased_until",
            _table.c.leased_until,
            sqlite_where=text("leased_until is not null"),
            postgresql_where=text("leased_until is not null"),
        )


# ---------------------------------------------------------------- opening it


def _address(url: str) -> URL:
    """Where the store is. Raises ConfigError for what is neither SQLite nor PostgreSQL."""
    with suppress(ArgumentError, ValueError):
        made = make_url(url if "://" in url else f"sqlite:///{url}")
        if made.get_backend_name() in ("sqlite", "postgresql"):
            return made
    raise ConfigError("[database] url 只能是 postgresql://用户@主机/库名；用 SQLite 则不必写")


class Database:
    """An engine and its clock. Transactions are short, synchronous and run in a thread."""

    def __init__(self, url: str | URL, clock: Clock | None = None) -> None:
        """`url` as SQLAlchemy writes it; a bare path is an SQLite file."""
        self.url = _address(str(url))
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.clock = clock or Clock()
        self.sqlite = self.url.get_backend_name() == "sqlite"
        made = _sqlite_engine(self.url) if self.sqlite else _postgres_engine(self.url)
        self.engine = made.execution_options(gongkai_now=self.now)
        self._reader = self.engine
        if not self.sqlite:
            self._reader = self.engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent picture."""
        with self._reader.begin() as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; committed at the end of the block, or not at all."""
        with self.engine.connect() as conn:
            conn = conn.execution_options(gongkai_write=True)
            with conn.begin():
                yield conn

    @property
    def one_writer(self) -> bool:
        """Does a writing transaction exclude every other?"""
        return self.sqlite

    @contextmanager
    def parts(self) -> Iterator[Callable[[], AbstractContextManager[Connection]]]:
        """Writing in parts: one transaction where there is one writer, since a commit costs most there;
        else a transaction a part, so that each takes its locks in their order.
        """
        if not self.one_writer:
            yield self.write
            return
        with self.write() as conn:
            yield lambda: nullcontext(conn)

    def now(self, conn: Connection | None = None) -> datetime:
        """The office's clock: on PostgreSQL the database's own, so that machines agree."""
        if self.sqlite or conn is None or isinstance(self.clock, FixedClock):
            return self.clock.now()
        return EPOCH + timedelta(microseconds=int(conn.execute(_PG_NOW).scalar_one()))

    def close(self) -> None:
        self.engine.dispose()


_PG_NOW = text("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")


@retry(
    retry=retry_if_exception(lambda error: "locked" in str(error)),
    stop=stop_after_delay(30),
    wait=wait_random(0.01, 0.1),
    reraise=True,
)
def _use_wal(cursor: Any) -> None:
    """Programs that start at once on a new file are refused the switch, not made to wait for it."""
    cursor.execute("pragma journal_mode=wal")


def _sqlite_engine(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": 30, "isolation_level": None}
    )

    @event.listens_for(engine, "connect")
    def _pragmas(conn: DBAPIConnection, _: Any) -> None:
        cursor = conn.cursor()
        _use_wal(cursor)
        for pragma in (
            "synchronous=full",  # a committed attempt survives a power cut
            "foreign_keys=on",
            "wal_autocheckpoint=4000",
            "cache_size=-16000",
            "temp_store=memory",
        ):
            cursor.execute(f"pragma {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        write = conn.get_execution_options().get("gongkai_write")
        conn.exec_driver_sql("begin immediate" if write else "begin")

    return engine


def _postgres_engine(url: URL) -> Engine:
    try:
        return create_engine(
            url, hide_parameters=True, pool_size=5, max_overflow=10, pool_pre_ping=True
        )
    except ModuleNotFoundError:
        raise ConfigError("没有装 PostgreSQL 的驱动：pip install 'gongkai[postgres]'") from None


def insert_id(conn: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert one row, give its id."""
    result = conn.execute(table.insert().values(**values))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def insert_missing(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose unique keys do not stand yet; the others are left as they are.

    All name the same columns. PostgreSQL gets them in one parameter: half as long as one by one.
    """
    from sqlalchemy.dialects import postgresql, sqlite

    if not rows:
        return
    if conn.dialect.name == "sqlite":
        conn.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)
        return
    listed = cast(literal(json.dumps(rows, default=micros), Text), postgresql.JSON)
    kind: ColumnElement[Any] = literal_column(f"null::{table.name}")
    given = func.json_populate_recordset(kind, listed).table_valued(*rows[0])
    new = postgresql.insert(table).from_select(list(rows[0]), select(*given.c))
    conn.execute(new.on_conflict_do_nothing())


def write_over(conn: Connection) -> None:
    """What is deleted from now on is written over in the file, where the store is one of ours."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("pragma secure_delete=on")


def one_writer(conn: Connection) -> bool:
    """Does a writing transaction exclude every other here, so that no row needs a lock?"""
    return conn.dialect.name == "sqlite"


def clock_of(conn: Connection) -> datetime:
    """The store's clock, of a transaction that may have waited since it was last asked."""
    at: datetime = conn.get_execution_options()["gongkai_now"](conn)
    return at


def lock(conn: Connection, table: Table, ids: Sequence[int], *, share: bool = False) -> None:
    """Lock rows against the other side until the transaction ends, in the order of their ids.

    Their keys stay free (FOR NO KEY UPDATE): a row that merely names one of these need not wait, and
    so cannot wait in a circle.
    """
    if ids and not one_writer(conn):
        rows = select(table.c.id).where(table.c.id.in_(sorted(set(ids)))).order_by(table.c.id)
        conn.execute(rows.with_for_update(read=share, key_share=not share))


def store_away(error: BaseException) -> bool:
    """Is the store not to be had for now: its disk full, its server down or restarting?"""
    lost = isinstance(error, OperationalError) and error.connection_invalidated
    down = isinstance(error, OperationalError) and "connection" in str(error.orig).lower()
    return lost or down or disk_full(error)


def trouble(error: Exception) -> Say | None:
    """What is the matter with the store, and what to do; None where the program is at fault."""
    if disk_full(error):
        return Say("磁盘已满，这一步没有办成；腾出空间后再办")
    if not isinstance(error, DBAPIError):
        return None
    return next((say for sign, say in _TROUBLES.items() if re.search(sign, str(error.orig))), None)


_TROUBLES = {  # by how either database says it
    "is locked|lock timeout": Say("数据库正忙，别的程序占着写；稍后再办"),
    "not a database|malformed|disk image": Say(
        "数据库文件损坏，或不是数据库；请用最近的备份恢复：gongkai restore"
    ),
    "readonly|read-only": Say("数据库只能读：请核对数据文件的主人和权限"),
    "unable to open|connection|could not|refused|terminating": Say(
        "连不上数据库；请核对 config.toml 的 [database]，数据库是否在运行"
    ),
}


def disk_full(error: BaseException) -> bool:
    """Did the store refuse a write for want of room?"""
    words = str(getattr(error, "orig", error)).lower()
    return isinstance(error, DBAPIError | OSError) and (
        "disk is full" in words or "no space left" in words or "disk i/o" in words
    )
