"""Hostile requests: each is refused with a reason, makes nothing, and uses nothing of any limit up."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from .conftest import standing
from .rig import FLOWS, Answered, Rig, claims, event, wanted

DOCUMENT = FLOWS.parent / "docs" / "click-to-call.openapi.json"
DEEP = "[" * 2000 + "]" * 2000


class Hostile(NamedTuple):
    """A request, and how it has to be answered. ``event`` may need the id of a call that is somebody else's."""

    event: Callable[[str, dict[str, Any]], dict[str, Any]]
    status: int
    error: str
    says: str


def body(**changes: Any) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    return lambda _call, _first: event("POST", "/calls", wanted(**changes))


def text(sent: str, **more: Any) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    return lambda _call, _first: event("POST", "/calls", text=sent, **more)


def who(**changes: Any) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    return lambda _call, _first: event("POST", "/calls", wanted(), claims(**changes))


def of_call(method: str, path: str = "", sent: object = None, **changes: Any) -> Any:
    return lambda call, _first: event(method, f"/calls/{call}{path}", sent, claims(**changes))


def without(name: str) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    left = {key: value for key, value in wanted().items() if key != name}
    return lambda _call, _first: event("POST", "/calls", left)


SENT = {
    # numbers
    "a premium number": Hostile(body(to="+19005550123"), 403, "number_kind_refused", "premium"),
    "a premium number, disguised": Hostile(body(to="+1 (900) 555-0123"), 403, "number_kind_refused", "premium"),
    "a shared-cost number": Hostile(body(to="+4918012345"), 403, "number_kind_refused", "shared-cost"),
    "a toll-free number": Hostile(body(to="+18005550123"), 403, "number_kind_refused", "toll-free"),
    "a personal number": Hostile(body(to="+15005550123"), 403, "number_kind_refused", "kind"),
    "the Caribbean behind +1": Hostile(body(to="+18765550123"), 403, "foreign_number_refused", "country"),
    "a foreign country": Hostile(body(to="+442079460123"), 403, "foreign_number_refused", "country"),
    "a satellite": Hostile(body(to="+870773111632"), 403, "foreign_number_refused", "country"),
    "a city that the flow does not call": Hostile(body(to="+12125550123"), 403, "number_refused", "not called"),
    "letters": Hostile(body(to="+1206FLOWERS"), 422, "not_a_number", "plus and the country code"),
    "no plus": Hostile(body(to="2065550150"), 422, "not_a_number", "plus and the country code"),
    "an extension": Hostile(body(to="+12065550150;ext=900"), 422, "not_a_number", "plus and the country code"),
    "a SIP address": Hostile(body(to="sip:1900@evil.example"), 422, "not_a_number", "plus and the country code"),
    "digits of another script": Hostile(body(to="+١٢٠٦٥٥٥٠١٥٠"), 422, "not_a_number", "plus and the country code"),
    "too short": Hostile(body(to="+1206555"), 422, "not_a_number", "too short"),
    "too long": Hostile(body(to="+120655501501234"), 422, "not_a_number", "too long"),
    "no country": Hostile(body(to="+9990000000"), 422, "not_a_number", "No country"),
    "an empty number": Hostile(body(to=""), 422, "invalid", "'to'"),
    "a number that is no text": Hostile(body(to=12065550150), 422, "invalid", "'to'"),
    "two numbers": Hostile(body(to=["+12065550150", "+14155550123"]), 422, "invalid", "'to'"),
    # other values
    "no name": Hostile(body(name=""), 422, "invalid", "'name'"),
    "only blanks as a name": Hostile(body(name="   "), 422, "invalid", "'name'"),
    "a name of 61 characters": Hostile(body(name="x" * 61), 422, "invalid", "'name'"),
    "a name with a line break": Hostile(body(name="Ana\r\nX-Evil: 1"), 422, "invalid", "'name'"),
    "a name with a zero byte": Hostile(body(name="Ana\x00"), 422, "invalid", "'name'"),
    "a language nobody speaks": Hostile(body(language="fr-FR"), 422, "language_unknown", "en-US, es-US"),
    "a language that is a path": Hostile(body(language="../../etc"), 422, "invalid", "'language'"),
    "a request id that is none": Hostile(body(request="1"), 422, "invalid", "'request'"),
    "no request id": Hostile(without("request"), 422, "invalid", "'request' is missing"),
    "no number": Hostile(without("to"), 422, "invalid", "'to' is missing"),
    "a caller id of its own": Hostile(
        lambda _call, _first: event("POST", "/calls", {**wanted(), "from": "+12065550111"}), 422, "invalid", "not known"
    ),
    # bodies
    "no body": Hostile(lambda _call, _first: event("POST", "/calls"), 422, "invalid", "body"),
    "an empty object": Hostile(text("{}"), 422, "invalid", "'to' is missing"),
    "a list": Hostile(text("[]"), 422, "invalid", "object"),
    "null": Hostile(text("null"), 422, "invalid", "object"),
    "half of a body": Hostile(text('{"to": "+1206'), 400, "not_json", "not JSON"),
    "a body of 10 MB": Hostile(text("x" * 10_000_000), 413, "too_large", "4096 bytes"),
    "a body of 10 MB behind base64": Hostile(
        text(base64.b64encode(b"x" * 7_500_000).decode(), isBase64Encoded=True), 413, "too_large", "4096 bytes"
    ),
    "a body just too large": Hostile(text(json.dumps(wanted(name="x")) + " " * 4096), 413, "too_large", "4096 bytes"),
    "base64 that is none": Hostile(text("%%%", isBase64Encoded=True), 400, "not_json", "cannot be read"),
    "bytes that are no text": Hostile(text("/////w==", isBase64Encoded=True), 400, "not_json", "cannot be read"),
    "a form": Hostile(
        text("to=%2B12065550150", headers={"content-type": "application/x-www-form-urlencoded"}),
        415,
        "not_json",
        "application/json",
    ),
    # who
    "no token": Hostile(lambda _call, _first: event("POST", "/calls", wanted(), {}), 401, "not_signed_in", "no token"),
    "an expired token": Hostile(who(exp=str(int(time.time()) - 1)), 401, "not_signed_in", "expired"),
    "a token that never expires": Hostile(who(exp=None), 401, "not_signed_in", "expired"),
    "a token whose end is a word": Hostile(who(exp="never"), 401, "not_signed_in", "expired"),
    "a token whose end is not a number": Hostile(who(exp="nan"), 401, "not_signed_in", "expired"),
    "a token of tomorrow": Hostile(who(nbf=str(int(time.time()) + 999)), 401, "not_signed_in", "not valid yet"),
    "a token of another issuer": Hostile(who(iss="https://evil.example"), 401, "not_signed_in", "issuer"),
    "a token for another audience": Hostile(who(aud="admin"), 401, "not_signed_in", "audience"),
    "a token without a user": Hostile(who(sub=None), 401, "not_signed_in", "no token"),
    "a token without a tenant": Hostile(who(tenant=None), 403, "no_tenant", "tenant"),
    "somebody signed by IAM": Hostile(
        lambda _call, _first: event(
            "POST",
            "/calls",
            wanted(),
            {},
            requestContext={
                "http": {"method": "POST", "path": "/calls"},
                "authorizer": {"iam": {"accountId": "111122223333", "userArn": "arn:aws:iam::111122223333:user/x"}},
            },
        ),
        401,
        "not_signed_in",
        "no token",
    ),
    # calls
    "a replay": Hostile(lambda _call, first: event("POST", "/calls", first), 409, "repeated", "before"),
    "a replay with another number": Hostile(
        lambda _call, first: event("POST", "/calls", {**first, "to": "+14155550123"}), 409, "repeated", "before"
    ),
    "another tenant's call": Hostile(of_call("GET", tenant="t-2"), 404, "no_such_call", "no call"),
    "another user's call": Hostile(of_call("GET", sub="u-2"), 404, "no_such_call", "no call"),
    "the end of another tenant's call": Hostile(of_call("DELETE", tenant="t-2"), 404, "no_such_call", "no call"),
    "keys for another tenant's call": Hostile(
        of_call("POST", "/keys", {"keys": "1"}, tenant="t-2"), 404, "no_such_call", "no call"
    ),
    "keys while it rings": Hostile(of_call("POST", "/keys", {"keys": "1"}), 409, "call_ringing", "both sides"),
    "keys that are none": Hostile(of_call("POST", "/keys", {"keys": "12x"}), 422, "invalid", "'keys'"),
    "no keys": Hostile(of_call("POST", "/keys", {"keys": ""}), 422, "invalid", "'keys'"),
    "33 keys": Hostile(of_call("POST", "/keys", {"keys": "1" * 33}), 422, "invalid", "'keys'"),
    "a call that never was": Hostile(
        lambda _call, _first: event("GET", "/calls/wc-00000000000000000000000000"), 404, "no_such_call", "no call"
    ),
    "a call id that is a path": Hostile(
        lambda _call, _first: event("GET", "/calls/..%2f..%2fmeetings"), 422, "invalid", "'call'"
    ),
    "another address": Hostile(lambda _call, _first: event("GET", "/admin"), 404, "no_such_route", "nothing"),
    "another method": Hostile(lambda _call, _first: event("PUT", "/calls", wanted()), 404, "no_such_route", "nothing"),
}


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, str, dict[str, Any]]]:
    """A user who may have two calls an hour and has had one, its id, and the request that made it."""
    store: Path = tmp_path_factory.mktemp("hostile") / "store.sqlite"
    with standing(store, PER_USER="2/1d", PER_DESTINATION="2/1d", PER_TENANT="2/1d") as rig:
        first = wanted()
        answer = rig.post(first)
        assert answer.status == 201
        yield rig, answer.body["call"], first


@pytest.mark.parametrize("name", SENT)
def test_a_hostile_request_gets_a_reason_and_makes_nothing(placed: tuple[Rig, str, dict[str, Any]], name: str) -> None:
    rig, call, first = placed
    hostile = SENT[name]
    before = (len(rig.asked()), rig.kept(), rig.living())
    request = hostile.event(call, first)
    answer = rig.send(request)
    assert (answer.status, answer.error) == (hostile.status, hostile.error)
    assert hostile.says in answer.body["message"]
    assert rig.asked()[before[0] :] == [], "the service was asked"
    assert (rig.kept(), rig.living()) == before[1:], "something was kept"
    said = answer.text.replace(call, "") if hostile.error in ("repeated", "call_ringing") else answer.text
    assert not [value for value in _values(request) if len(value) > 5 and value in said], "what was sent came back"


def test_after_all_of_them_there_is_room_for_as_many_calls_as_before(tmp_path: Path) -> None:
    """One call of two was made; the hostile requests have taken nothing of the second."""
    with standing(tmp_path / "store.sqlite", PER_USER="2/1d", PER_DESTINATION="2/1d", PER_TENANT="2/1d") as rig:
        first = wanted()
        call = rig.post(first).body["call"]
        for hostile in SENT.values():
            assert 400 <= rig.send(hostile.event(call, first)).status < 500
        assert rig.post().status == 201
        assert rig.post().status == 429


def test_a_deep_body_is_refused_by_whoever_reads_it_first(placed: tuple[Rig, str, dict[str, Any]]) -> None:
    rig = placed[0]
    before = rig.asked()
    answer = rig.send(event("POST", "/calls", text=DEEP))
    assert (answer.status, answer.error) in ((400, "not_json"), (422, "invalid"))  # as deep as Python's parser goes
    assert rig.asked() == before


def test_every_answer_is_one_that_the_document_describes(placed: tuple[Rig, str, dict[str, Any]]) -> None:
    rig, call, first = placed
    document = json.loads(DOCUMENT.read_text("utf-8"))
    seen = set()
    for name, hostile in SENT.items():
        request = hostile.event(call, first)
        if hostile.error == "no_such_route":
            continue
        route = re.sub(r"/calls/[^/]+", "/calls/{call}", request["rawPath"])
        method = request["requestContext"]["http"]["method"].lower()
        answer = rig.send(request)
        described = document["paths"][route][method]["responses"].get(str(answer.status))
        assert described is not None, name
        schema = described["content"]["application/json"]["schema"]
        jsonschema.validate(answer.body, {**schema, "components": document["components"]})
        seen.add((route, method, answer.status))
    assert len(seen) >= 13


def test_what_the_document_allows_is_what_the_function_takes(placed: tuple[Rig, str, dict[str, Any]]) -> None:
    document = json.loads(DOCUMENT.read_text("utf-8"))
    shapes = document["components"]["schemas"]
    assert set(shapes) == {"NewCall", "Keys", "Created", "Seat", "CallState", "Problem"}
    rig, call, _ = placed
    created = document["paths"]["/calls"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    state = document["paths"]["/calls/{call}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    for answer, schema in (
        (rig.post(who=claims(sub="u-7", tenant="t-7"), body=wanted(to="+14155550142")), created),
        (rig.get(call), state),
    ):
        assert answer.status < 300
        jsonschema.validate(answer.body, {**schema, "components": document["components"]})


def test_a_strangers_view_of_a_call_is_that_of_no_call(placed: tuple[Rig, str, dict[str, Any]]) -> None:
    rig, call, _ = placed
    nothing = rig.get("wc-00000000000000000000000000")
    for stranger in (claims(tenant="t-2"), claims(sub="u-2")):
        for answer in (rig.get(call, stranger), rig.end(call, stranger), rig.keys(call, "1", stranger)):
            assert (answer.status, answer.text, answer.headers) == (nothing.status, nothing.text, nothing.headers)


def test_the_same_request_id_of_another_user_is_another_call(placed: tuple[Rig, str, dict[str, Any]]) -> None:
    rig, call, first = placed
    answer: Answered = rig.post({**first, "to": "+14155550123"}, claims(sub="u-9", tenant="t-9"))
    assert answer.status == 201
    assert answer.body["call"] != call


def test_a_replay_is_told_its_call(placed: tuple[Rig, str, dict[str, Any]]) -> None:
    rig, call, first = placed
    assert rig.post(first).body["call"] == call


def _values(request: dict[str, Any]) -> list[str]:
    """What was sent, text by text."""
    found: list[str] = []
    try:
        sent = json.loads(request["body"] or "{}")
    except ValueError:
        sent = {}
    for value in sent.values() if isinstance(sent, dict) else ():
        found += value if isinstance(value, list) else [str(value)]
    return found
