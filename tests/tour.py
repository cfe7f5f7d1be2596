"""A newcomer's day in pictures: docs/tour.md and docs/tour/*.png, made of the furnished office.

    python -m tests.tour [--check]

The clock stands and nothing is drawn by chance, so that made again they are the same to the byte.
`--check` makes them beside those that stand and tells which differ. tests/web/test_tour.py holds
addresses, headings and the text to the program without a browser.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from os import environ, geteuid
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import select

from bot import audit, db
from bot.db import Database
from bot.migrations import upgrade
from bot.office import Office
from bot.web.app import build
from bot.workdays import FixedClock
from tests import builders
from tests.web import serving, showcase

DOCS = Path(__file__).parents[1] / "docs"
DESK, PHONE = (1280, 800), (390, 844)
COLOURS = 96


@dataclass(frozen=True)
class Step:
    """One picture: who looks, at which address, and the heading that stands there."""

    name: str
    who: str  # a login; nobody's: the public
    path: str
    heading: str
    zh: str
    en: str
    size: tuple[int, int] = DESK
    down_to: str = ""  # what must be seen, where it stands lower


STEPS = (
    Step(
        *("today", showcase.SIGNER, "/", "今日"),
        "早上九点，签发人林岚先看“今日”：几篇等她签，几条投递要人定，接下来一天什么时候发什么。",
        "Nine in the morning. Lin Lan, who signs, opens Today: what waits for her, what a person must "
        "decide, and what goes out when over the coming day.",
    ),
    Step(
        *("catalogue", showcase.EDITOR, "/items", "目录条目"),
        "编辑周禾看目录：来源里新公开了什么，系统替他成了哪些稿，哪几条太旧、等他拿主意。",
        "Zhou He, an editor, looks through the catalogue: what was newly made public, which drafts the "
        "system made of it, and which entries are so old that he must say.",
    ),
    Step(
        *("compose", showcase.EDITOR, "/posts/{doubted}/edit", "改稿"),
        "写稿。右边就是每个账号将要发出的样子；疑点标在文字里，数字照平台自己的算法。",
        "Writing. On the right stands what each account will send; doubts are marked in the text, and "
        "characters are counted as the platform counts them.",
    ),
    Step(
        *("review", showcase.SIGNER, "/review/{waiting}", "冬春困难群众生活保障问答"),
        "审签。按钮旁写明签的是什么：哪个版本、哪些账号、哪段时间。改动任何一处，签发自动失效。",
        "Signing off. Beside the button stands what it covers: which text, which accounts, which span of "
        "time. Any change of these voids it.",
        (1280, 1310),
    ),
    Step(
        *("calendar", showcase.EDITOR, "/calendar", "排期"),
        "排期。放假和调休标在日子上；没发出去的，还在原定那天。",
        "The calendar, with days off and swapped working days. What did not go out still stands where "
        "it was promised.",
    ),
    Step(
        *("queue", showcase.EDITOR, "/queue?open={unclear}", "队列"),
        "队列。每条没发的都说为什么；结果不明的用紫色虚线，由人核定，绝不自己重发。",
        "The queue. Each row says why it has not gone; one whose outcome is unknown is violet and "
        "dashed. A person decides it: it is never sent again blindly.",
    ),
    Step(
        *("stop", showcase.SIGNER, "/stop", "停发"),
        "停发。选范围，写事由，按一下：按钮上写着会停住几条。任何页面按 Shift+S 都到这里。",
        "The stop switch: a scope, a reason, one press. The button says how many it stops; Shift+S "
        "leads here from everywhere.",
    ),
    Step(
        *("replies", showcase.RESPONDER, "/replies", "评论"),
        "答复人何晴看评论：谁在哪条下说了什么，改过的、删掉的都标着；采全了没有，也写着。",
        "He Qing, who answers the public, reads the replies: what was edited and deleted is marked, and "
        "how much of it all was collected.",
    ),
    Step(
        *("search", showcase.RESPONDER, "/search?q=停水", "搜索"),
        "一个搜索框找稿件、条目、评论、账号、人员；写文号或编号，直接打开。按 / 就到。",
        "One box finds posts, entries, replies, accounts and people; a document number or a post's "
        "opens its page. The key is /.",
    ),
    Step(
        *("connect", showcase.READER, "/accounts/social/connect", "重新连接账号"),
        "管理员秦越连接一个账号：到平台授权，核对身份，再存下。令牌加密存放，哪里都看不到。",
        "Qin Yue, an administrator, connects an account: authorise on the platform, check whose it is, "
        "keep it. The token is encrypted and shown nowhere.",
    ),
    Step(
        *("trail", showcase.READER, "/trail?subject=post:{waiting}", "留痕"),
        "留痕。谁、何时、从哪里、对什么做了什么，逐条编号成链，一按就能核验。",
        "The trail: who did what, when and from where, each entry chained to the one before, and one "
        "button that proves the chain.",
    ),
    Step(
        *("board", "", "/board", "云澜县政务公开栏"),
        "公众看到的公开栏：不用登录，不留 Cookie，可以留言；撤回和改动照实标明。",
        "What the public sees: the board. No login, no cookie, room to answer; withdrawals and edits "
        "are marked as such.",
    ),
    Step(
        *("phone-today", showcase.SIGNER, "/", "今日"),
        "出门在外，手机上也是一样的今日……",
        "Out of the office, Today is the same on a phone …",
        PHONE,
    ),
    Step(
        *("phone-review", showcase.SIGNER, "/review/{waiting}", "冬春困难群众生活保障问答"),
        "……也能签：签的内容一样写在按钮上面。",
        "… and so is signing: what is signed stands above the button.",
        PHONE,
        ".sign",
    ),
)


@contextmanager
def office(folder: Path, store: Path | None = None) -> Iterator[Office]:
    """The furnished office on a new store."""
    file = folder / "gongkai.db"
    if store:
        shutil.copy(store, file)
    with closing(Database(str(file), FixedClock(builders.NOW))) as database:
        if not store:
            upgrade(database)
        made = showcase.opened(folder, database)
        with database.write() as conn:
            audit.seal(conn)
        yield made


def names(office: Office) -> dict[str, Any]:
    """What the steps' addresses name."""
    with office.db.read() as conn:
        titled = {
            title: id_ for id_, title in conn.execute(select(db.posts.c.id, db.posts.c.title))
        }
        unclear = select(db.deliveries.c.id).where(db.deliveries.c.state == "uncertain")
        return {
            "doubted": titled["元旦户政窗口安排"],
            "waiting": titled["冬春困难群众生活保障问答"],
            "unclear": conn.execute(unclear).scalar_one(),
        }


def file_of(number: int, step: Step) -> str:
    return f"{number:02}-{step.name}.png"


def page() -> str:
    """docs/tour.md."""
    lines = [
        "# 一天 A day",
        "",
        "云澜县是虚构的；图由 `make tour` 从测试用的办公室生成，人名、文号、网址都是编的。",
        "The county is invented; `make tour` makes the pictures of the office that the tests furnish.",
    ]
    for number, step in enumerate(STEPS, 1):
        lines += ["", f"## {number}. {step.heading} `{step.path}`", "", step.zh, "", step.en, ""]
        lines.append(f"![{step.heading}](tour/{file_of(number, step)})")
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- the pictures


def pictures(base: str, named: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Each picture's file and bytes."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as running:
        args = ["--no-sandbox"] if geteuid() == 0 else []
        browser = running.chromium.launch(
            executable_path=path,
            args=[*args, "--hide-scrollbars", "--lang=zh-CN"],
            env={**environ, "LANGUAGE": "zh_CN"},
        )
        for number, step in enumerate(STEPS, 1):
            yield file_of(number, step), _small(_taken(browser, base, step, named))
        browser.close()


def _taken(browser: Any, base: str, step: Step, named: dict[str, Any]) -> bytes:
    """What one sees without scrolling, when all has come to rest."""
    size = {"width": step.size[0], "height": step.size[1]}
    with closing(
        browser.new_context(
            base_url=base, viewport=size, locale="zh-CN", timezone_id="Asia/Shanghai",
            reduced_motion="reduce",
        )
    ) as context:  # fmt: skip
        sheet = context.new_page()
        if step.who:
            sheet.goto("/login")
            sheet.fill("#login", step.who)
            sheet.fill("#password", builders.PASSWORD)
            sheet.click("button.primary")
            sheet.wait_for_url(f"{base}/")
        sheet.goto(step.path.format_map(named), wait_until="networkidle")
        if step.down_to:
            sheet.locator(step.down_to).first.scroll_into_view_if_needed()
        sheet.evaluate("document.activeElement && document.activeElement.blur()")
        taken: bytes = sheet.screenshot(animations="disabled", caret="hide")
        return taken


def _small(picture: bytes) -> bytes:
    """The same with few colours."""
    with Image.open(io.BytesIO(picture)) as full:
        few = full.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> int:
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--check", action="store_true", help="write nothing, tell what differs")
    check = said.parse_args().check
    with tempfile.TemporaryDirectory() as folder, office(Path(folder)) as made:
        named = names(made)
        with serving.listening() as taken, serving.serving(build(made), taken):
            shown = dict(pictures(serving.address(taken), named))
    shown_in = DOCS / "tour"
    stale = [n for n, data in shown.items() if not _stands(shown_in / n, data)]
    if check:
        print("\n".join(stale) or "the same")
        return bool(stale)
    shown_in.mkdir(exist_ok=True)
    for old in set(shown_in.glob("*.png")) - {shown_in / name for name in shown}:
        old.unlink()
    for name in stale:
        (shown_in / name).write_bytes(shown[name])
    (DOCS / "tour.md").write_text(page(), "utf-8")
    print(f"{len(shown)} pictures, {sum(map(len, shown.values())) / 1024:.0f} KB, {len(stale)} new")
    return 0


def _stands(file: Path, data: bytes) -> bool:
    return file.is_file() and file.read_bytes() == data


if __name__ == "__main__":
    sys.exit(main())
