"""The pages of the console, in the order of its rail."""

from __future__ import annotations

from fastapi import APIRouter

from bot.web import (
    account,
    accounts,
    calendar,
    connect,
    entry,
    importing,
    items,
    media,
    moderation,
    moving,
    posts,
    quality,
    queue,
    replies,
    reply,
    review,
    schedules,
    sources,
    staff,
    stop,
    today,
    tokens,
    trail,
    writing,
)

ROUTERS: tuple[APIRouter, ...] = (
    today.router,
    posts.router,
    writing.router,
    entry.router,
    items.router,
    quality.router,
    sources.router,
    review.router,
    calendar.router,
    moving.router,
    schedules.router,
    queue.router,
    moderation.router,
    importing.router,
    replies.router,
    reply.router,
    accounts.router,
    account.router,
    connect.router,
    staff.router,
    tokens.router,
    trail.router,
    stop.router,
    media.router,
)
