"""Who is asking."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sma_flows.web.identity import Gate, Identity
from sma_flows.web.refused import RefusedError

NOW = 1_800_000_000.0
GOOD = {"sub": "u", "exp": NOW + 1, "iss": "i", "aud": "page", "tenant": "t"}
GATE = Gate(issuer="i", audience=frozenset({"page", "app"}), tenant="tenant")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"exp": str(int(NOW) + 1)},
        {"exp": "1.80000001e+09"},
        {"aud": "[other page]"},
        {"aud": ["other", "app"]},
        {"aud": None, "client_id": "app"},  # an access token of Amazon Cognito
        {"nbf": str(int(NOW))},
    ],
)
def test_a_good_token_names_its_user(change: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    assert GATE.claimed(claims, NOW) == Identity("t", "u")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sub": ""}, "no token"),
        ({"sub": 7}, "no token"),
        ({"exp": NOW}, "expired"),
        ({"exp": True}, "expired"),
        ({"exp": "inf"}, "expired"),
        ({"exp": "nan"}, "expired"),
        ({"exp": "9" * 400}, "expired"),
        ({"exp": [NOW + 9]}, "expired"),
        ({"exp": ""}, "expired"),
        ({"nbf": NOW + 1}, "not valid yet"),
        ({"nbf": "x"}, "not valid yet"),
        ({"iss": "i/"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "pag"}, "audience"),
        ({"aud": "pagex"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": {"page": 1}}, "audience"),
    ],
)
def test_a_token_with_a_flaw_names_nobody(change: dict[str, Any], says: str) -> None:
    with pytest.raises(RefusedError) as refused:
        GATE.claimed({**GOOD, **change}, NOW)
    assert refused.value.status == 401
    assert says in refused.value.message


def test_without_a_claim_for_it_the_issuer_is_the_tenant() -> None:
    assert Gate(issuer="i", audience=frozenset({"page"})).claimed(GOOD, NOW) == Identity("i", "u")


@pytest.mark.parametrize(
    ("iam", "who"),
    [
        ({"accountId": "1", "userArn": "arn:x"}, Identity("1", "arn:x")),
        (
            {"accountId": "1", "userArn": "arn:role", "cognitoIdentity": {"identityId": "guest-7"}},
            Identity("1", "guest-7"),
        ),
        ({"accountId": "1", "userArn": "arn:x", "cognitoIdentity": None}, Identity("1", "arn:x")),
    ],
)
def test_a_signed_request_names_its_signer(iam: dict[str, Any], who: Identity) -> None:
    assert Gate("iam").identify({"requestContext": {"authorizer": {"iam": iam}}}, NOW) == who


@pytest.mark.parametrize(
    "found", [None, {}, {"iam": None}, {"iam": {}}, {"iam": {"accountId": "1"}}, {"jwt": {"claims": GOOD}}, "x"]
)
def test_a_request_that_is_not_signed_is_nobodys(found: Any) -> None:
    with pytest.raises(RefusedError) as refused:
        Gate("iam").identify({"requestContext": {"authorizer": found}}, NOW)
    assert refused.value.status == 401


def test_no_two_people_share_an_owner() -> None:
    parts = ["", "a", "b", "ab", 'a", "b', "a\x1fb", "\x1f", "[", "ü"]
    owners = {Identity(tenant, user).owner for tenant, user in itertools.product(parts, repeat=2)}
    assert len(owners) == len(parts) ** 2
