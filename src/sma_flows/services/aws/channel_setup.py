"""Make channels and put members into them: slowly, resumably, and never a second time.

Not for a call: for a script of yours that runs when teams change. Amazon Chime SDK messaging takes 15 such requests a
second for one app instance (contract 10.3) and counts those of everybody, so this stays below ten::

    setup = ChannelSetup(Aws(os.environ).api("chime-sdk-messaging"), app_instance=..., bearer=..., kept=directory)
    arns = setup.make([Team("sales", (ana, ben)), Team("support", (ben,))], told=print)

What is done is kept in a directory (a table or a SQLite file, see :mod:`sma_flows.services.setup`): a run that was
broken off goes on where it was. Where the record is lost, channels are found again by a mark in their metadata, and who
is a member already stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import FAULTS, THROTTLED, AwsError, text_at

if TYPE_CHECKING:
    from sma_flows.services.aws.client import Api
    from sma_flows.services.ports import Clock, Directory

PER_SECOND: Final = 8.0
"""Requests per second."""

BATCH: Final = 100
"""Members in one BatchCreateChannelMembership. Service model."""

PAGE: Final = 50
"""Channels in one page of ListChannels. Service model."""

PATIENCE_S: Final = 10.0
"""Longest wait for one answer: nobody is on the line."""

TRIES: Final = 6
"""Attempts of a request that is throttled or meets a fault of the service; the waits between them double."""

KEPT: Final = "sma-flows/channels"
"""Table of the directory in which is kept what is done."""

MARK: Final = "sma-flows:"
"""Start of the metadata of our channels."""


@dataclass(frozen=True, slots=True)
class Team:
    """A channel that shall exist, and the ARNs of the app instance users and bots who are in it."""

    name: str
    members: tuple[str, ...] = ()


class Pace:
    """Lets requests pass at a steady rate."""

    def __init__(self, clock: Clock, per_second: float = PER_SECOND) -> None:
        self._clock = clock
        self._between = 1 / per_second
        self._next = 0.0

    def wait(self) -> None:
        """Wait until the next request may be sent."""
        now = self._clock.monotonic()
        if self._next > now:
            self._clock.sleep(self._next - now)
        self._next = max(now, self._next) + self._between


@dataclass(slots=True)
class ChannelSetup:
    """Makes the channels of one app instance in the name of *bearer*, an app instance user or bot that may do that."""

    api: Api
    app_instance: str
    bearer: str
    kept: Directory
    pace: Pace = field(init=False)
    _known: Mapping[str, str] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.pace = Pace(self.api.clock)

    def make(self, teams: Sequence[Team], told: Callable[[str], object] = lambda _line: None) -> dict[str, str]:
        """Make what is missing; gives the ARN of each channel by name. *told* hears of each step.

        Raises:
            ServiceError: a request was refused, or throttled again and again. What is done stays done: run it again.
        """
        found: dict[str, str] = {}
        for number, team in enumerate(teams, start=1):
            done = self._record(team)
            arn = str(done.get("channel") or "") or self._channel(team)
            found[team.name] = arn
            members = _digest(*team.members)
            start = int(done.get("batches", 0)) if done.get("members") == members else 0
            self._keep(team, arn, members, start)
            batches = [team.members[at : at + BATCH] for at in range(0, len(team.members), BATCH)]
            for place, batch in enumerate(batches[start:], start=start + 1):
                self._join(arn, batch)
                self._keep(team, arn, members, place)
            told(f"{number}/{len(teams)} {team.name}: {len(team.members)} members")
        return found

    def _channel(self, team: Team) -> str:
        """The channel of a team: one that carries its mark, else a new one."""
        mark = MARK + _digest(self.app_instance, team.name)
        if self._known is None:
            self._known = self._marked()
        if mark in self._known:
            return self._known[mark]
        answer = self._ask(
            "create_channel",
            AppInstanceArn=self.app_instance,
            Name=team.name,
            Mode="RESTRICTED",
            Privacy="PRIVATE",
            Metadata=mark,
            ClientRequestToken=mark.removeprefix(MARK),
            ChimeBearer=self.bearer,
        )
        arn = text_at(answer, "ChannelArn")
        if not arn:
            raise ServiceError("create_channel gave no channel")
        return arn

    def _marked(self) -> dict[str, str]:
        """Our channels by mark, as far as the bearer can see them."""
        found: dict[str, str] = {}
        more: dict[str, Any] = {}
        while True:
            page = self._ask(
                "list_channels",
                AppInstanceArn=self.app_instance,
                Privacy="PRIVATE",
                MaxResults=PAGE,
                ChimeBearer=self.bearer,
                **more,
            )
            for each in page.get("Channels") or ():
                mark = text_at(each, "Metadata")
                if mark.startswith(MARK):
                    found[mark] = text_at(each, "ChannelArn")
            if not text_at(page, "NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}

    def _join(self, channel: str, members: Sequence[str]) -> None:
        answer = self._ask(
            "batch_create_channel_membership",
            ChannelArn=channel,
            Type="DEFAULT",
            MemberArns=list(members),
            ChimeBearer=self.bearer,
        )
        refused = [text_at(each, "ErrorCode") for each in answer.get("Errors") or ()]
        refused = [code for code in refused if code != "Conflict"]  # a member already
        if refused:
            raise AwsError("batch_create_channel_membership", refused[0])

    def _ask(self, operation: str, **values: Any) -> dict[str, Any]:
        wait = 1 / PER_SECOND
        for attempt in range(1, TRIES + 1):
            self.pace.wait()
            try:
                return self.api.call(operation, PATIENCE_S, attempts=1, **values)
            except AwsError as error:
                if attempt == TRIES or error.code not in THROTTLED | FAULTS:
                    raise
            wait *= 2
            self.api.clock.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _record(self, team: Team) -> Mapping[str, Any]:
        return self.kept.find(KEPT, _digest(self.app_instance, team.name), PATIENCE_S) or {}

    def _keep(self, team: Team, channel: str, members: str, batches: int) -> None:
        row = {"channel": channel, "members": members, "batches": batches}
        key = _digest(self.app_instance, team.name)
        token = _digest(key, channel, members, str(batches))[:26]
        self.kept.put(KEPT, key, row, token, self.api.clock.now(), PATIENCE_S)


def _digest(*parts: str) -> str:
    return sha256("\x1f".join(parts).encode()).hexdigest()[:32]
