"""The fakes are what the storms are judged by, so they are judged first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.mastodon import Manners, Mastodon, running, spawned
from tests.fakes.server import CUT_AFTER, CUT_BEFORE, Forward, Server


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, headers={"Authorization": "Bearer token-1"}) as client:
        yield client


def post(http: httpx.Client, url: str, text: str, key: str = "") -> str:
    """What became of it: the status code, or the name of the error."""
    try:
        answer = http.post(
            f"{url}/api/v1/statuses", json={"status": text}, headers={"Idempotency-Key": key}
        )
    except httpx.HTTPError as error:
        return type(error).__name__
    return str(answer.status_code)


def test_it_runs_in_a_process_of_its_own_and_tells_what_it_stored(http: httpx.Client) -> None:
    with spawned(accounts=3, honour_key=True) as fake:
        for i in range(3):
            assert post(http, fake.url, f"第 {i} 条", f"key-{i}") == "200"
        assert post(http, fake.url, "第 2 条", "key-2") == "200"
        http.headers["Authorization"] = "Bearer token-3"
        assert post(http, fake.url, "另一账号", "key-2") == "200"
        rows = fake.posts()
        assert [(r["account"], r["text"], r["key"]) for r in rows] == [
            ("office1", "第 0 条", "key-0"),
            ("office1", "第 1 条", "key-1"),
            ("office1", "第 2 条", "key-2"),
            ("office3", "另一账号", "key-2"),
        ]
        fake.order("faults", fault="cut_after", method="POST")
        assert "Error" in post(http, fake.url, "切断")
        assert fake.posts()[-1]["text"] == "切断"
        reply = fake.order("reply", to=rows[0]["id"], text="意见")["id"]
        fake.order("remove", id=reply)
        assert fake.posts()[-1] | {"text": "意见", "gone": True} == fake.posts()[-1]


def test_a_scripted_fault_strikes_so_many_times_and_no_more(http: httpx.Client) -> None:
    with running() as (fake, server):
        server.faults.script(CUT_BEFORE, "POST", "/statuses$", times=2)
        outcomes = [post(http, server.url, f"{i}") for i in range(4)]
        assert ["Error" in o for o in outcomes] == [True, True, False, False]
        assert [p["text"] for p in fake.posts()] == ["2", "3"]


def test_random_faults_strike_at_their_rate_and_repeat_with_their_seed(
    http: httpx.Client,
) -> None:
    seen = []
    for _ in range(2):
        with running() as (fake, server):
            server.faults.random({"cut_after": 0.2, "error_500_before": 0.2}, seed=7)
            seen.append([post(http, server.url, f"{i}") for i in range(200)])
            counts = Counter(seen[-1])
            assert 20 <= counts["500"] <= 60
            assert 20 <= 200 - counts["200"] - counts["500"] <= 60
            assert len(fake.posts()) == 200 - counts["500"]
    assert seen[0] == seen[1]


def test_a_new_post_shows_late_and_only_the_latest_show(http: httpx.Client) -> None:
    with running(manners=Manners(lag=60)) as (fake, server):
        listing = f"{server.url}/api/v1/accounts/100001/statuses"
        for i in range(5):
            post(http, server.url, f"{i}")
        assert http.get(listing).json() == []
        fake.manners = Manners(latest=2)
        assert [s["content"] for s in http.get(listing).json()] == ["<p>4</p>", "<p>3</p>"]


def test_a_real_server_can_be_put_behind_the_faults(http: httpx.Client) -> None:
    fake = Mastodon()
    with Server(fake) as real, Server(Forward(real.url)) as front:
        assert post(http, front.url, "第一条") == "200"
        front.faults.script(CUT_AFTER, "POST")
        assert "Error" in post(http, front.url, "第二条")
        front.faults.script(CUT_BEFORE, "POST")
        assert "Error" in post(http, front.url, "第三条")
        assert [p["text"] for p in fake.posts()] == ["第一条", "第二条"]


def test_a_mistake_in_a_fake_is_seen(http: httpx.Client) -> None:
    with Server(lambda request: 1 / 0) as server:  # type: ignore[arg-type, return-value]
        answer = http.get(server.url)
        assert answer.status_code == 500
        assert "ZeroDivisionError" in answer.text
