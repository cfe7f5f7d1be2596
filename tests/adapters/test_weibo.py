"""Weibo passes the contract, by `share` and by the business API, and survives its particulars."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from bot.adapters.base import Adapter
from bot.adapters.weibo import Weibo, WeiboOptions, mid62
from bot.model import Receipt
from tests.adapters.contract import (
    Contract,
    Post,
    Rig,
)
from tests.fakes import weibo as fakes
from tests.fakes.server import Server
from tests.fakes.weibo import Comment, Manners


class WeiboRig(Rig):
    """Lenient where the contract's texts are not of Weibo's kind: they hold no link."""

    calls: ClassVar[Mapping[str, tuple[str, str]]] = {
        "publish": ("POST", "/2/statuses/share.json$"),
        "find": ("GET", "/2/statuses/user_timeline.json$"),
        "replies": ("GET", "/2/comments/show.json$"),
    }
    more: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, fake: fakes.Weibo, server: Server, **more: Any) -> None:
        self.fake, self.server, self.chosen = fake, server, {**self.more, **more}

    def options(self) -> WeiboOptions:
        return WeiboOptions(
            url=self.server.url, app_key=fakes.APP_KEY, rip="211.156.0.1", **self.chosen
        )

    def credential(self) -> str:
        return "token-1"

    def posts(self) -> list[Post]:
        def standing(one: fakes.Status | Comment) -> bool:
            return one.id in self.fake.comments or one.id in self.fake.statuses

        return [_told(one) for one in self.fake.log if standing(one)]

    def kill_credential(self) -> None:
        self.fake.dead["token-1"] = 21327

    def answer(self, to: str, text: str) -> str:
        return self.fake.answer(to, text)

    def remove(self, reply_id: str) -> None:
        self.fake.remove(reply_id)


def _told(one: fakes.Status | Comment) -> Post:
    if isinstance(one, Comment):
        return Post(one.id, one.text, (), one.parent.id if one.parent else one.status.id)
    return Post(one.id, one.sent, ("",) * len(one.pictures))


class BusinessRig(WeiboRig):
    calls: ClassVar[Mapping[str, tuple[str, str]]] = {
        "publish": ("POST", "/2/statuses/(update|upload_url_text)/biz.json$"),
        "withdraw": ("POST", "/2/statuses/destroy/biz.json$"),
        "stage": ("POST", "/2/statuses/upload_pic/biz.json$"),
        "find": ("GET", "/2/statuses/user_timeline/biz.json$"),
        "replies": ("GET", "/2/comments/show.json$"),
    }
    more: ClassVar[Mapping[str, Any]] = {"access": "business"}


class TestShare(Contract):
    kind = Weibo

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with fakes.running(manners=Manners(wants_link=False)) as (fake, server):
            yield WeiboRig(fake, server)


class TestBusiness(Contract):
    kind = Weibo

    # What only a business application may do; the class, an ordinary one, declares it false.
    test_withdrawn = Contract.test_withdrawn_is_out_of_sight_and_again_is_success
    test_an_unclear_one = Contract.test_an_unclear_withdrawal_is_looked_up
    test_a_cut_upload = Contract.test_an_upload_that_was_cut_is_tried_later
    test_what_it_declares_false_it_refuses = None

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with fakes.running(manners=Manners(business=True)) as (fake, server):
            yield BusinessRig(fake, server)
