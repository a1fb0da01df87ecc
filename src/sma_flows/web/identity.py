"""Who is asking: what the authorizer of the API has found out, looked at once more.

A JWT authorizer hands over the claims of a token whose signature it has checked; an IAM authorizer the signer of the
request. Without either there is nobody, and nobody gets anything.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sma_flows.web.refused import RefusedError

__all__ = ["Gate", "Identity"]

JWT: Final = "jwt"
IAM: Final = "iam"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of a tenant. Both names are the authorizer's, and never leave this process."""

    tenant: str
    user: str

    @property
    def owner(self) -> str:
        """A digest that stands for this user of this tenant, and for no other one."""
        return hashlib.sha256(json.dumps([self.tenant, self.user]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Gate:
    """What an identity has to be.

    ``kind`` is ``jwt`` or ``iam``: which authorizer is in front of the API. ``issuer`` and ``audience`` are what a
    token has to name; empty: anything. ``tenant`` is the claim that names the tenant; empty: its issuer is one tenant.
    """

    kind: str = JWT
    issuer: str = ""
    audience: frozenset[str] = frozenset()
    tenant: str = ""

    def identify(self, event: Mapping[str, Any], now: float) -> Identity:
        """Who sent the request of *event* (API Gateway's payload, version 2.0) at *now*.

        Raises:
            RefusedError: nobody did (401), or somebody who belongs to no tenant (403).
        """
        found = _at(event, "requestContext", "authorizer", self.kind)
        if self.kind == IAM:
            return _signer(found)
        return self.claimed(_at(found, "claims"), now)

    def claimed(self, claims: Mapping[str, Any], now: float) -> Identity:
        """Whose token has these claims. The signature was checked by whoever read them."""
        user = claims.get("sub")
        if not isinstance(user, str) or not user:
            raise _nobody("The request brings no token.")
        expires = _seconds(claims.get("exp"))
        if expires is None or expires <= now:
            raise _nobody("The token has expired.")
        begins = _seconds(claims.get("nbf", 0))
        if begins is None or begins > now:
            raise _nobody("The token is not valid yet.")
        if self.issuer and claims.get("iss") != self.issuer:
            raise _nobody("The token is of another issuer.")
        if self.audience and not self.audience & _texts(claims.get("aud") or claims.get("client_id")):
            raise _nobody("The token is for another audience.")
        tenant = claims.get(self.tenant) if self.tenant else str(claims.get("iss") or "-")
        if not isinstance(tenant, str) or not tenant:
            raise RefusedError(403, "no_tenant", "The token does not say to which tenant its user belongs.")
        return Identity(tenant, user)


def _signer(found: Mapping[str, Any]) -> Identity:
    account = found.get("accountId")
    guest = _at(found, "cognitoIdentity").get("identityId")
    user = guest or found.get("userArn")
    if not isinstance(account, str) or not account or not isinstance(user, str) or not user:
        raise _nobody("The request is not signed.")
    return Identity(account, user)


def _at(value: object, *path: str) -> Mapping[str, Any]:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _seconds(value: object) -> float | None:
    """A time of a claim: API Gateway gives numbers as texts."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None  # what is not a number is not earlier than anything


def _texts(value: object) -> frozenset[str]:
    """One text or several: API Gateway writes a list as ``[a b]``."""
    if isinstance(value, str):
        return frozenset(value.strip("[]").split())
    if isinstance(value, Sequence):
        return frozenset(each for each in value if isinstance(each, str))
    return frozenset()


def _nobody(message: str) -> RefusedError:
    return RefusedError(401, "not_signed_in", message)
