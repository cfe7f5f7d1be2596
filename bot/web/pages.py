"""The pages of the console, in the order of its rail."""

from __future__ import annotations

from fastapi import APIRouter

from bot.web import (
    accounts,
    items,
    media,
    moderation,
    posts,
    queue,
    replies,
    review,
    staff,
    stop,
    today,
    trail,
    writing,
)

ROUTERS: tuple[APIRouter, ...] = (
    today.router,
    posts.router,
    writing.router,
    items.router,
    review.router,
    queue.router,
    moderation.router,
    replies.router,
    accounts.router,
    staff.router,
    trail.router,
    stop.router,
    media.router,
)
