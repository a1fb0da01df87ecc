"""Many clicks at the same moment: one call for each request id, and no call more than a limit allows."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.services.stand_ins import Place, dynalite, new_table

from sma_flows.testing.control import UNLIMITED, local_service
from sma_flows.web.function import Function

from .rig import Answered, Rig, claims, event, wanted

MANY = 16
ENVIRONMENTS = 8


@pytest.fixture(scope="module")
def dynalite_address() -> Iterator[str]:
    with dynalite() as address:
        yield address


@pytest.fixture(params=["sqlite", "dynalite"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Functions that share a store which holds its conditions against many at once."""
    place = Place("sqlite", str(tmp_path / "store.sqlite"))
    if request.param == "dynalite":
        place = new_table("dynalite", request.getfixturevalue("dynalite_address"))
    with local_service(quotas=UNLIMITED, rates={"*": 0}) as service:
        rig = Rig(service, tmp_path / "store.sqlite", place=place.env)
        yield rig


def at_once(rig: Rig, requests: list[dict[str, Any]], **changes: str) -> list[Answered]:
    """All *requests* at the same moment, to execution environments that each serve one at a time."""
    functions = [rig.function(**changes) for _ in range(ENVIRONMENTS)]
    free = {id(function): threading.Lock() for function in functions}
    gate = threading.Barrier(ENVIRONMENTS)

    def serve(number: int) -> list[Answered]:
        function: Function = functions[number]
        gate.wait(timeout=60)
        with free[id(function)]:
            return [rig.send(request, function) for request in requests[number::ENVIRONMENTS]]

    with ThreadPoolExecutor(ENVIRONMENTS) as pool:
        return [answer for answers in pool.map(serve, range(ENVIRONMENTS)) for answer in answers]


def post(body: dict[str, Any], **who: str) -> dict[str, Any]:
    return event("POST", "/calls", body, claims(**who))


def test_many_clicks_with_one_request_id_place_one_call(shared: Rig) -> None:
    body = wanted()
    answers = at_once(shared, [post(body) for _ in range(MANY)])
    assert Counter(answer.status for answer in answers) == {201: 1, 409: MANY - 1}
    assert len({answer.body["call"] for answer in answers}) == 1
    assert Counter(name for name in shared.made()) == {
        "CreateMeeting": 1,
        "CreateAttendee": 1,
        "CreateSipMediaApplicationCall": 1,
    }


@pytest.mark.parametrize(
    ("limit", "requests"),
    [
        ("PER_USER", lambda: [post(wanted()) for _ in range(MANY)]),
        ("PER_DESTINATION", lambda: [post(wanted(), sub=f"u-{n}", tenant=f"t-{n}") for n in range(MANY)]),
        ("PER_TENANT", lambda: [post(wanted(), sub=f"u-{n}") for n in range(MANY)]),
    ],
)
def test_a_limit_is_exact_under_many_clicks(
    shared: Rig, limit: str, requests: Callable[[], list[dict[str, Any]]]
) -> None:
    answers = at_once(shared, requests(), **{limit: "5/1d"})
    assert Counter(answer.status for answer in answers) == {201: 5, 429: MANY - 5}
    assert Counter(shared.made())["CreateSipMediaApplicationCall"] == 5
    assert len(shared.living()) == 5


def test_environments_in_one_process_do_not_share_a_request(rig: Rig) -> None:
    first, second = rig.function(), rig.function()
    first.answer(event("GET", "/calls/wc-1"))
    second.answer(event("GET", "/calls/wc-2"))
    assert first.api.app.current_event.path == "/calls/wc-1"
    assert second.api.app.current_event.path == "/calls/wc-2"
