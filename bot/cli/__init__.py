"""The command line: `gongkai`. A door: it parses, calls the stages' functions, and shows.

Every command that shows something takes --json. Acts that need a right are done --as a person, whose
password is asked (or read from --password-file); what the machine's own shell may do by itself says so.
"""

from __future__ import annotations

import gc
import gettext
import os
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import click

from bot.cli import (
    calendar,
    content,
    delegating,
    delivery,
    duty,
    entries,
    finding,
    history,
    moderating,
    notices,
    office,
    persons,
    reading,
    schedules,
    screening,
    signing,
    sources,
    templated,
    tokens,
    wording,
)
from bot.cli.base import harmless
from bot.errors import GongkaiError
from bot.language import Say

LOCALE = Path(__file__).parent.parent / "locale"


class Speaking(click.Group):
    """Errors for people: one sentence, no traceback, exit 2."""

    def main(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        gettext.bindtextdomain("click", str(LOCALE))
        gettext.textdomain("click")
        os.environ["LANGUAGE"] = "zh"
        try:
            return super().main(*args, **kwargs)
        except GongkaiError as error:
            click.echo(harmless(str(error)), err=True)
        except Exception as error:
            if "GONGKAI_DEBUG" in os.environ:
                raise
            click.echo(harmless(str(_explained(error))), err=True)
        sys.exit(2)


def _explained(error: Exception) -> Say:
    """What went wrong, in words where it is met without anybody's mistake."""
    from bot.db import disk_full

    if disk_full(error):
        return Say("磁盘已满，这一步没有办成；腾出空间后再办")
    kind = type(error).__name__
    return Say("内部错误 {kind}：{why}（详情：GONGKAI_DEBUG=1）", kind=kind, why=str(error))


@click.group(cls=Speaking, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "path",
    default="config.toml",
    show_default=True,
    envvar="GONGKAI_CONFIG",
    help="办公室的配置文件 the office's file",
)
@click.option("--lang", type=click.Choice(["zh", "en"]), default=None, help="语言 language")
@click.version_option(package_name="gongkai", help="版本 the version.")
@click.pass_context
def main(context: click.Context, path: str, lang: str | None) -> None:
    """公开 Gongkai: a government office's microblogs, from entry to signed post to reply."""
    from bot.language import use

    gc.set_threshold(20_000, 20, 20)  # what is imported is no garbage: a start is a tenth quicker
    context.obj = path
    context.meta["lang"] = lang
    os.environ["LANGUAGE"] = lang or _language_of(path)  # what click says goes by it
    if lang:
        use(lang)


def _language_of(path: str) -> str:
    """The office's language, before its file is checked; Chinese where it cannot be read."""
    with suppress(OSError, ValueError, RecursionError):
        return str(tomllib.loads(Path(path).read_text("utf-8")).get("language", "zh"))
    return "zh"


MODULES = (
    office,
    reading,
    screening,
    entries,
    sources,
    finding,
    calendar,
    content,
    history,
    templated,
    signing,
    schedules,
    delivery,
    duty,
    moderating,
    notices,
    persons,
    delegating,
    tokens,
    wording,
)

for module in MODULES:
    for command in module.COMMANDS:
        main.add_command(command)
