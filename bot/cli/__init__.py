"""The command line: `gongkai`. A door: it parses, calls the stages' functions, and shows.

Every command that shows something takes --json. Acts that need a right are done --as a person, whose
password is asked (or read from --password-file); what the machine's own shell may do by itself says so.
"""

from __future__ import annotations

import gc
import os
import sys

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
    today,
    tokens,
    wording,
)
from bot.cli.base import harmless
from bot.cli.speech import Group, choose
from bot.errors import GongkaiError, NotAllowed, reason_of
from bot.language import Say


class Speaking(Group):
    """Errors for people: one sentence, no traceback, exit 2."""

    def main(self, args=None, *more, **kwargs):  # type: ignore[no-untyped-def]
        words = sys.argv[1:] if args is None else args
        try:
            choose(self, words)
            return super().main(words, *more, **kwargs)
        except GongkaiError as error:
            click.echo(harmless(str(error)), err=True)
            if isinstance(error, NotAllowed) and "--as" not in words:
                click.echo(str(Say("以本人身份办理：加 --as 登录名")), err=True)
        except OSError as error:
            told = Say("{file}：{why}", file=error.filename or "", why=reason_of(error))
            click.echo(harmless(str(told)), err=True)
        except Exception as error:
            if "GONGKAI_DEBUG" in os.environ:
                raise
            click.echo(harmless(str(_fault(error))), err=True)
        sys.exit(2)


def _fault(error: Exception) -> Say:
    """What the store has against it; else that the program is at fault."""
    from bot.db import trouble

    if said := trouble(error):
        return said
    kind, why = type(error).__name__, getattr(error, "orig", error)
    return Say("内部错误 {kind}：{why}（详情：GONGKAI_DEBUG=1）", kind=kind, why=str(why))


@click.group(cls=Speaking, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "path",
    default="config.toml",
    show_default=True,
    envvar="GONGKAI_CONFIG",
    help="办公室的配置文件 | the office's file",
)
@click.option("--lang", type=click.Choice(["zh", "en"]), help="用哪种语言 | the language")
@click.version_option(package_name="gongkai", help="版本 | the version")
@click.pass_context
def main(context: click.Context, path: str, lang: str | None) -> None:
    """公开：政务微博，从目录条目到签发的稿件，再到公众的评论 | Gongkai: a government office's microblogs, from entry to signed post to reply."""
    gc.set_threshold(20_000, 20, 20)  # what is imported is no garbage: a start is a tenth quicker
    context.obj = path


MODULES = (
    office,
    today,
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
