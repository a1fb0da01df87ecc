"""What belongs to one account in one region: SIP media applications, SIP rules, telephone numbers and orders for them.

Without a clock: times are milliseconds of any one clock and come with every question. Ids are derived from the order in
which things are made. What the service model does not say is marked as inferred.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from sma_flows.protocol import limits
from sma_flows.protocol.ids import like_uuid
from sma_flows.simulator.model import World
from sma_flows.simulator.refused import RefusedError

__all__ = ["REGIONS", "Account", "Application", "Lead", "Number", "Order", "Rule"]

Thing = TypeVar("Thing")

REGIONS: Final = frozenset(
    {
        "us-east-1",
        "us-west-2",
        "ca-central-1",
        "eu-central-1",
        "eu-west-1",
        "eu-west-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-southeast-1",
        "ap-southeast-2",
    }
)
"""Regions with SIP media applications. Guide, sdk-available-regions."""

PSTN_REGIONS: Final = frozenset({"us-east-1", "us-west-2"})
"""Regions with telephone numbers; elsewhere a Voice Connector brings them. Guide, sdk-available-regions."""

ORDER_MS: Final = 2_000
"""How long an order takes here; the real one takes seconds to days."""

KEPT_MS: Final = 7 * 24 * 3_600_000
"""How long a deleted number stays in the deletion queue. Model, DeletePhoneNumber."""

DIAL_IN: Final = "SipMediaApplicationDialIn"
_E164: Final = re.compile(r"\+?[1-9]\d{1,14}")
_HOST: Final = re.compile(r"[a-zA-Z0-9-]+\.voiceconnector\.chime\.aws")
_LAMBDA: Final = re.compile(r"arn:[^:]+:lambda:([^:]+):")


@dataclass(slots=True)
class Application:
    """A SIP media application. ``logs``: its SIP messages are logged."""

    id: str
    name: str
    region: str
    endpoint: str
    made_ms: int
    changed_ms: int
    logs: bool = False


@dataclass(slots=True)
class Rule:
    """A SIP rule: from a number or a host name to applications, the lowest priority number first."""

    id: str
    name: str
    trigger: str
    value: str
    disabled: bool
    targets: list[dict[str, Any]]
    made_ms: int
    changed_ms: int


@dataclass(slots=True)
class Number:
    """A telephone number. ``ready_ms``: when it is acquired; ``gone_ms``: when it leaves the deletion queue."""

    e164: str
    product: str
    made_ms: int
    changed_ms: int
    ready_ms: int
    order: str = ""
    name: str = ""
    calling_name: str = ""
    gone_ms: int | None = None


@dataclass(slots=True)
class Order:
    """An order of numbers, which takes its time. ``failed`` are those that could not be had."""

    id: str
    product: str
    numbers: tuple[str, ...]
    made_ms: int
    ready_ms: int
    failed: frozenset[str] = field(default_factory=frozenset)

    def status(self, now_ms: int) -> str:
        """``Processing``, then ``Successful``, ``Partial`` or ``Failed``."""
        if now_ms < self.ready_ms:
            return "Processing"
        if not self.failed:
            return "Successful"
        return "Failed" if len(self.failed) == len(self.numbers) else "Partial"


class Lead(NamedTuple):
    """Where a call is led: an application, and the rule that leads there."""

    application: str
    rule: str


class Account:
    """See the module. *numbers* are the account's from the beginning; *most_numbers* is the quota."""

    def __init__(
        self,
        *,
        account: str = "111122223333",
        region: str = "us-east-1",
        numbers: Iterable[str] = (),
        most_numbers: int = limits.PHONE_NUMBERS,
        order_ms: int = ORDER_MS,
    ) -> None:
        self.account, self.region = account, region
        self.most_numbers = most_numbers
        self.order_ms = order_ms
        self._applications: dict[str, Application] = {}
        self._rules: dict[str, Rule] = {}
        self._numbers = {one: Number(one, DIAL_IN, 0, 0, 0) for one in sorted(numbers)}
        self._orders: dict[str, Order] = {}
        self._made = 0

    @classmethod
    def of(cls, world: World, endpoint: str = "") -> Account:
        """An account in which the application of *world* exists, and a rule leads from each of its numbers there.

        *endpoint* is the ARN of the function; empty: some function of the account.
        """
        made = cls(account=world.account, region=world.region, numbers=world.numbers)
        arn = endpoint or f"arn:aws:lambda:{world.region}:{world.account}:function:flow"
        made._applications[world.application] = Application(world.application, "flow", world.region, arn, 0, 0)
        target = {"SipMediaApplicationId": world.application, "Priority": 1, "AwsRegion": world.region}
        for place, number in enumerate(sorted(world.numbers)):
            ident = world.rule if place == 0 else like_uuid("rule of", number)
            made._rules[ident] = Rule(ident, f"rule {place + 1}", "ToPhoneNumber", number, False, [target], 0, 0)
        return made

    def _id(self, what: str) -> str:
        self._made += 1
        return like_uuid(what, self.account, self.region, str(self._made))

    # -- where a call goes -----------------------------------------------------------------------------------------

    def lead(self, application: str, number: str, now_ms: int) -> Lead | None:
        """Where an outbound call of *application* goes, or an inbound one to *number*; None: nowhere."""
        if application:
            return Lead(application, "") if application in self._applications else None
        if number not in self.owned(now_ms):
            return None
        for rule in self._rules.values():
            if rule.trigger == "ToPhoneNumber" and rule.value == number and not rule.disabled:
                for target in sorted(rule.targets, key=lambda one: int(one["Priority"])):
                    if target["SipMediaApplicationId"] in self._applications:
                        return Lead(target["SipMediaApplicationId"], rule.id)
        return None

    def owned(self, now_ms: int) -> frozenset[str]:
        """The numbers that can be called, and called from."""
        return frozenset(one.e164 for one in self.numbers(now_ms) if one.ready_ms <= now_ms and one.gone_ms is None)

    # -- applications ----------------------------------------------------------------------------------------------

    def create_application(self, name: str, region: str, endpoint: str, now_ms: int) -> Application:
        """Make an application. Names need not differ (inferred).

        Raises:
            RefusedError: BadRequestException: no such region, or the function is in another one (inferred);
                ResourceLimitExceededException: 30 applications.
        """
        self._in_region(region, endpoint)
        if len(self._applications) >= limits.MAX_APPLICATIONS:
            raise RefusedError(
                "ResourceLimitExceededException", f"The region has {limits.MAX_APPLICATIONS} applications already."
            )
        made = Application(self._id("application"), name, region, endpoint, now_ms, now_ms)
        self._applications[made.id] = made
        return made

    def application(self, ident: str) -> Application:
        """An application.

        Raises:
            RefusedError: NotFoundException.
        """
        return _there(self._applications, ident, "SIP media application")

    def applications(self) -> Sequence[Application]:
        """All applications, the oldest first."""
        return tuple(self._applications.values())

    def update_application(self, ident: str, name: str | None, endpoint: str | None, now_ms: int) -> Application:
        """Change the name or the function; None: stays.

        Raises:
            RefusedError: NotFoundException; BadRequestException: the function is in another region (inferred).
        """
        found = self.application(ident)
        if endpoint is not None:
            self._in_region(found.region, endpoint)
            found.endpoint = endpoint
        found.name = found.name if name is None else name
        found.changed_ms = now_ms
        return found

    def delete_application(self, ident: str) -> None:
        """Delete an application.

        Raises:
            RefusedError: NotFoundException; ConflictException: a rule leads to it (inferred).
        """
        self.application(ident)
        for rule in self._rules.values():
            if any(target["SipMediaApplicationId"] == ident for target in rule.targets):
                raise RefusedError("ConflictException", f"SIP rule {rule.id} leads to this SIP media application.")
        del self._applications[ident]

    def _in_region(self, region: str, endpoint: str) -> None:
        if region not in REGIONS:
            raise RefusedError("BadRequestException", f"There are no SIP media applications in {region}.")
        where = _LAMBDA.match(endpoint)
        if where is not None and where[1] != region:
            raise RefusedError("BadRequestException", "The function and the application must be in the same region.")

    # -- rules -----------------------------------------------------------------------------------------------------

    def create_rule(
        self, name: str, trigger: str, value: str, disabled: bool, targets: Sequence[Mapping[str, Any]], now_ms: int
    ) -> Rule:
        """Make a rule; the number that triggers it is then associated with it.

        Raises:
            RefusedError: BadRequestException: the trigger is no number of the account or no host name of a Voice
                Connector, or a target does not exist (inferred); ConflictException: another rule has this trigger
                (inferred).
        """
        if trigger == "ToPhoneNumber":
            value = value if value.startswith("+") else f"+{value}"
            if not _E164.fullmatch(value) or value not in self.owned(now_ms):
                raise RefusedError("BadRequestException", "TriggerValue is not a phone number of this account.")
            if self._numbers[value].product != DIAL_IN:
                raise RefusedError("BadRequestException", f"The product type of the number is not {DIAL_IN}.")
        elif not _HOST.fullmatch(value):
            raise RefusedError("BadRequestException", "TriggerValue is not the host name of a Voice Connector.")
        chosen = self._targets(targets)
        if any((rule.trigger, rule.value) == (trigger, value) for rule in self._rules.values()):
            raise RefusedError("ConflictException", "Another SIP rule has this trigger.")
        made = Rule(self._id("rule"), name, trigger, value, disabled, chosen, now_ms, now_ms)
        self._rules[made.id] = made
        return made

    def rule(self, ident: str) -> Rule:
        """A rule.

        Raises:
            RefusedError: NotFoundException.
        """
        return _there(self._rules, ident, "SIP rule")

    def rules(self, application: str = "") -> Sequence[Rule]:
        """All rules, or those that lead to one application; the oldest first."""
        return tuple(
            rule
            for rule in self._rules.values()
            if not application or any(one["SipMediaApplicationId"] == application for one in rule.targets)
        )

    def update_rule(
        self, ident: str, name: str, disabled: bool | None, targets: Sequence[Mapping[str, Any]] | None, now_ms: int
    ) -> Rule:
        """Change a rule; None: stays.

        Raises:
            RefusedError: NotFoundException; BadRequestException: a target does not exist (inferred).
        """
        found = self.rule(ident)
        if targets is not None:
            found.targets = self._targets(targets)
        found.name = name
        found.disabled = found.disabled if disabled is None else disabled
        found.changed_ms = now_ms
        return found

    def delete_rule(self, ident: str) -> None:
        """Delete a rule.

        Raises:
            RefusedError: NotFoundException; ConflictException: it is not disabled (contract 10.2, inferred).
        """
        if not self.rule(ident).disabled:
            raise RefusedError("ConflictException", "A SIP rule must be disabled before it is deleted.")
        del self._rules[ident]

    def _targets(self, targets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Targets with what they need: existing applications here, one priority each (contract 10.2)."""
        made = []
        for target in targets:
            ident, region = target.get("SipMediaApplicationId"), target.get("AwsRegion") or self.region
            if region == self.region and ident not in self._applications:
                raise RefusedError("BadRequestException", f"There is no SIP media application {ident}.")
            made.append({"SipMediaApplicationId": ident, "Priority": target.get("Priority") or 1, "AwsRegion": region})
        if len({one["Priority"] for one in made}) < len(made):
            raise RefusedError("BadRequestException", "Each target application needs a priority of its own.")
        return made

    # -- numbers ---------------------------------------------------------------------------------------------------

    def numbers(self, now_ms: int) -> Sequence[Number]:
        """All numbers, also those that are on their way in or out."""
        for number in [one for one in self._numbers.values() if one.gone_ms is not None and one.gone_ms <= now_ms]:
            del self._numbers[number.e164]
        return tuple(self._numbers.values())

    def number(self, ident: str, now_ms: int) -> Number:
        """A number, by itself with or without ``+``.

        Raises:
            RefusedError: NotFoundException.
        """
        self.numbers(now_ms)
        return _there(self._numbers, ident if ident.startswith("+") else f"+{ident}", "phone number")

    def rule_of(self, number: str) -> Rule | None:
        """The rule that a number is associated with."""
        wanted = (rule for rule in self._rules.values() if (rule.trigger, rule.value) == ("ToPhoneNumber", number))
        return next(wanted, None)

    def number_status(self, number: Number, now_ms: int) -> str:
        """``AcquireInProgress``, ``Unassigned``, ``Assigned`` (to a rule) or ``ReleaseInProgress``."""
        if number.gone_ms is not None:
            return "ReleaseInProgress"
        if now_ms < number.ready_ms:
            return "AcquireInProgress"
        return "Assigned" if self.rule_of(number.e164) is not None else "Unassigned"

    def update_number(
        self, ident: str, product: str | None, name: str | None, calling_name: str | None, now_ms: int
    ) -> Number:
        """Change one thing of a number.

        Raises:
            RefusedError: NotFoundException; BadRequestException: not exactly one thing (model); ConflictException: its
                product type while a rule leads from it (inferred).
        """
        found = self.number(ident, now_ms)
        if sum(value is not None for value in (product, name, calling_name)) != 1:
            raise RefusedError("BadRequestException", "Change one of ProductType, Name and CallingName at a time.")
        if product is not None and product != found.product and self.rule_of(found.e164) is not None:
            raise RefusedError("ConflictException", "The number is assigned to a SIP rule.")
        found.product = found.product if product is None else product
        found.name = found.name if name is None else name
        found.calling_name = found.calling_name if calling_name is None else calling_name
        found.changed_ms = now_ms
        return found

    def delete_number(self, ident: str, now_ms: int) -> None:
        """Move a number into the deletion queue.

        Raises:
            RefusedError: NotFoundException; BadRequestException: a rule leads from it (model, text).
        """
        found = self.number(ident, now_ms)
        if self.rule_of(found.e164) is not None:
            raise RefusedError("BadRequestException", "The number is assigned to a SIP rule.")
        found.gone_ms = now_ms + KEPT_MS
        found.changed_ms = now_ms

    def available(self, area: str, toll_free: str, now_ms: int) -> list[str]:
        """Numbers that can be ordered: fictional ones, of an area or of a toll-free prefix."""
        if self.region not in PSTN_REGIONS:
            return []
        taken = {one.e164 for one in self.numbers(now_ms)}
        made = (f"+1{toll_free or area}55501{place:02d}" for place in range(100))
        return [number for number in made if number not in taken]

    def order(self, product: str, numbers: Sequence[str], now_ms: int) -> Order:
        """Order numbers: those that are available are the account's after a while.

        Raises:
            RefusedError: BadRequestException: none, one twice; ResourceLimitExceededException: more than the quota.
        """
        wanted = tuple(one if one.startswith("+") else f"+{one}" for one in numbers)
        if not wanted or len(set(wanted)) < len(wanted):
            raise RefusedError("BadRequestException", "E164PhoneNumbers must name at least one number, each once.")
        if len(self.numbers(now_ms)) + len(wanted) > self.most_numbers:
            raise RefusedError("ResourceLimitExceededException", f"The account may have {self.most_numbers} numbers.")
        failed = frozenset(one for one in wanted if not self._can_be_had(one, now_ms))
        made = Order(self._id("order"), product, wanted, now_ms, now_ms + self.order_ms, failed)
        self._orders[made.id] = made
        for one in wanted:
            if one not in failed:
                self._numbers[one] = Number(one, product, now_ms, now_ms, made.ready_ms, made.id)
        return made

    def _can_be_had(self, number: str, now_ms: int) -> bool:
        return len(number) == 12 and number in self.available(number[2:5], "", now_ms)

    def order_of(self, ident: str) -> Order:
        """An order.

        Raises:
            RefusedError: NotFoundException.
        """
        return _there(self._orders, ident, "phone number order")


def _there(things: Mapping[str, Thing], ident: str, what: str) -> Thing:
    found = things.get(ident)
    if found is None:
        raise RefusedError("NotFoundException", f"There is no {what} {ident}.")
    return found
