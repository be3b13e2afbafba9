"""Asking over the bus: an answer, or a reason within the time; nothing that stays."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from storage import asking as module
from storage.asking import MOST_BYTES, Asking, NoAnswerError, Request
from storage.bus import Bus, BusError

LIMIT_S = 30.0


@pytest.fixture
def asking(bus: Bus) -> Asking:
    asking = Asking(bus)
    asking.present(["echo"])
    return asking


def answer_one(asking: Asking) -> None:
    until_s = time.monotonic() + LIMIT_S
    while (request := asking.next_request(["echo"], 2000)) is None:
        assert time.monotonic() < until_s
    asking.answer(request, request.body)


def given_up(asking: Asking, limit_s: float) -> Request:
    """A question that was taken in time, and whose asker waits no longer."""
    until_s = time.monotonic() + LIMIT_S
    while True:
        asking.present(["echo"])
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(waited_for, asking, b"x", limit_s)
            request = asking.next_request(["echo"], 1000)
            waiting.result()
        if request is not None and request.left_s > 0:
            return request
        assert time.monotonic() < until_s


def waited_for(asking: Asking, body: bytes, limit_s: float) -> float:
    began_s = time.monotonic()
    with pytest.raises(NoAnswerError):
        asking.ask("echo", body, limit_s)
    return time.monotonic() - began_s


def test_every_asker_gets_its_own_answer(asking: Asking) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(asking.ask, "echo", b"%d" % number, LIMIT_S) for number in range(8)]
        for _ in range(8):
            pool.submit(answer_one, asking)
        assert [answer.result() for answer in answers] == [b"%d" % number for number in range(8)]


def test_where_nobody_answers_the_asker_hears_of_it_at_once(bus: Bus, asking: Asking) -> None:
    began_s = time.monotonic()
    with pytest.raises(NoAnswerError, match="no ingest process answers"):
        asking.ask("other", b"", 10)
    asking.absent(["echo"])
    with pytest.raises(NoAnswerError, match="no ingest process answers"):
        asking.ask("echo", b"", 10)
    assert time.monotonic() - began_s < 8


def test_who_no_longer_says_that_it_answers_is_not_waited_for(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, raw: Any
) -> None:
    monkeypatch.setattr(module, "PRESENT_S", 0.05)
    asking.present(["echo"])
    until_s = time.monotonic() + LIMIT_S
    while raw.exists("maskwatch:answers:echo"):
        assert time.monotonic() < until_s
    with pytest.raises(NoAnswerError, match="no ingest process answers"):
        asking.ask("echo", b"", 10)


def test_a_question_without_an_answer_ends_in_time_and_leaves_nothing(asking: Asking, raw: Any) -> None:
    asking.absent(["echo"])
    left = set(raw.keys())
    asking.present(["echo"])
    assert waited_for(asking, b"x", 0.2) < 10
    asking.absent(["echo"])
    assert set(raw.keys()) == left
    assert asking.next_request(["echo"], 10) is None


def test_a_question_that_has_ended_is_not_answered(asking: Asking, bus: Bus, raw: Any) -> None:
    # An asker that was killed could not take it back.
    raw.lpush("maskwatch:asked:echo", "gone")
    asking_thread = ThreadPoolExecutor(1).submit(asking.ask, "echo", b"here", LIMIT_S)
    answer_one(asking)
    assert asking_thread.result() == b"here"


def test_an_answer_that_comes_late_goes_away(asking: Asking, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_S", 0.05)
    request = given_up(asking, 0.2)
    assert 0 < request.left_s <= 0.2
    asking.answer(request, b"late")
    until_s = time.monotonic() + LIMIT_S
    while raw.keys("maskwatch:answer:*"):
        assert time.monotonic() < until_s


def test_an_answer_in_time_counts_however_late_it_is_read(
    asking: Asking, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An asker that stood still beyond its limit once took an answer that was there for none."""
    times = iter([0.0, 60.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(times)))
    monkeypatch.setattr("secrets.token_hex", lambda _: "here")
    raw.rpush("maskwatch:answer:here", b"found out")
    assert asking.ask("echo", b"x", 10) == b"found out"


def test_only_so_many_may_wait(asking: Asking, monkeypatch: pytest.MonkeyPatch, raw: Any) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(asking.ask, "echo", b"x", LIMIT_S) for _ in range(2)]
        until_s = time.monotonic() + LIMIT_S
        while raw.llen("maskwatch:asked:echo") < 2:
            assert time.monotonic() < until_s
        with pytest.raises(NoAnswerError, match="2 questions wait already"):
            asking.ask("echo", b"x", LIMIT_S)
        for _ in range(2):
            answer_one(asking)
        assert [one.result() for one in waiting] == [b"x", b"x"]


def test_every_question_is_taken_once(asking: Asking) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(asking.ask, "echo", body, LIMIT_S) for body in (b"1", b"2")]
        for _ in answers:
            answer_one(asking)
        assert [answer.result() for answer in answers] == [b"1", b"2"]
    assert asking.next_request(["echo"], 10) is None
    assert asking.next_request([], 10) is None


def test_an_answer_has_a_largest_size(asking: Asking) -> None:
    with pytest.raises(ValueError, match="an answer has at most"):
        asking.answer(Request("a", "echo", b"", 1), b"x" * (MOST_BYTES + 1))


def test_a_redis_that_is_away_is_said() -> None:
    with pytest.raises(BusError):
        Asking(Bus("unix:///nowhere/redis.sock")).ask("echo", b"", 1)
