"""Channels, their members and their messages, as the messaging API keeps them; and who belongs to an app instance.

Without a clock: times are milliseconds of any one clock. App instances and users that nobody has made here count as
existing (they are made once, elsewhere); channels do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sma_flows.protocol.ids import digest, like_uuid
from sma_flows.simulator.refused import RefusedError

__all__ = ["Channel", "Draft", "Membership", "Message", "Messaging", "Person"]

MOST_STANDARD: Final = 4_096
"""Longest STANDARD message, in bytes. Model, text of SendChannelMessage."""

MOST_CONTROL: Final = 30
"""Longest CONTROL message, in bytes. Model, text of SendChannelMessage."""

_INSTANCE: Final = re.compile(r"(arn:[^:]+:chime:[^:]+:\d{12}:app-instance/[^/]+)")
_MEMBER: Final = re.compile(r"(arn:[^:]+:chime:[^:]+:\d{12}:app-instance/[^/]+)/(?:user|bot)/[^/]+")


@dataclass(slots=True)
class Person:
    """An AppInstanceUser."""

    arn: str
    name: str
    metadata: str
    made_ms: int


@dataclass(slots=True)
class Membership:
    """A member of a channel, and who has invited them. ``type`` is DEFAULT or HIDDEN."""

    member: str
    type: str
    invited_by: str
    made_ms: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be sent. ``type`` is STANDARD or CONTROL; ``kept``: PERSISTENT; ``details`` go along as they are."""

    type: str
    content: str
    kept: bool = True
    metadata: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was kept."""

    id: str
    sender: str
    draft: Draft
    made_ms: int


@dataclass(slots=True)
class Channel:
    """A channel. ``moderators`` are ARNs."""

    arn: str
    instance: str
    name: str
    mode: str
    privacy: str
    metadata: str
    created_by: str
    made_ms: int
    members: dict[str, Membership] = field(default_factory=dict)
    moderators: set[str] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)


class Messaging:
    """See the module. Requests with a token that was used before give what they gave then (ClientRequestToken)."""

    def __init__(self, *, account: str = "111122223333", region: str = "us-east-1") -> None:
        self.account, self.region = account, region
        self._instances: dict[str, str] = {}
        self._people: dict[str, Person] = {}
        self._channels: dict[str, Channel] = {}
        self._done: dict[tuple[str, ...], tuple[str, str]] = {}

    # -- identity --------------------------------------------------------------------------------------------------

    def create_instance(self, name: str, token: str) -> str:
        """The ARN of an app instance.

        Raises:
            RefusedError: ConflictException: the token was used with another name.
        """
        made = f"arn:aws:chime:{self.region}:{self.account}:app-instance/{like_uuid('instance', self.account, token)}"
        arn, _ = self._once(("instance", token), name, made)
        self._instances[arn] = name
        return arn

    def create_user(self, instance: str, ident: str, name: str, metadata: str, token: str, now_ms: int) -> Person:
        """A user of an app instance.

        Raises:
            RefusedError: BadRequestException: no app instance; ConflictException: there is one with this id, or the
                token was used with other values.
        """
        if not _INSTANCE.fullmatch(instance):
            raise RefusedError("BadRequestException", "AppInstanceArn is not the ARN of an app instance.")
        arn = f"{instance}/user/{ident}"
        same, again = self._once(("user", instance, token), f"{ident} {name}", arn)
        if not again and arn in self._people:
            raise RefusedError("ConflictException", "There is a user with this id.")
        return self._people.setdefault(same, Person(arn, name, metadata, now_ms))

    def user(self, arn: str) -> Person:
        """A user that was made here.

        Raises:
            RefusedError: ForbiddenException: nobody is known by this ARN (the operation has no NotFoundException).
        """
        found = self._people.get(arn)
        if found is None:
            raise RefusedError("ForbiddenException", "There is no such app instance user.")
        return found

    def name_of(self, arn: str) -> str:
        """The name of a user; empty: nobody knows it."""
        person = self._people.get(arn)
        return person.name if person is not None else ""

    # -- channels --------------------------------------------------------------------------------------------------

    def create_channel(
        self, instance: str, bearer: str, name: str, token: str, now_ms: int, details: Mapping[str, Any]
    ) -> Channel:
        """A channel; who makes it is a member and a moderator of it.

        *details*: Mode, Privacy, Metadata, ChannelId, MemberArns, ModeratorArns of the request.

        Raises:
            RefusedError: ForbiddenException: the bearer is of another app instance; BadRequestException: a member is;
                ConflictException: there is a channel with this id, or the token was used with other values.
        """
        self._of(instance, bearer)
        members = [*details.get("MemberArns", ()), *details.get("ModeratorArns", ())]
        for member in members:
            self._may_be_member(instance, member)
        ident = details.get("ChannelId") or like_uuid("channel", instance, token)
        made = f"{instance}/channel/{ident}"
        arn, again = self._once(("channel", instance, token), repr((name, sorted(details.items(), key=str))), made)
        if again and arn in self._channels:
            return self._channels[arn]
        if made in self._channels:
            raise RefusedError("ConflictException", "There is a channel with this id.")
        channel = Channel(
            made,
            instance,
            name,
            details.get("Mode", "UNRESTRICTED"),
            details.get("Privacy", "PRIVATE"),
            details.get("Metadata", ""),
            bearer,
            now_ms,
        )
        for member in (bearer, *members):
            channel.members[member] = Membership(member, "DEFAULT", bearer, now_ms)
        channel.moderators = {bearer, *details.get("ModeratorArns", ())}
        self._channels[made] = channel
        return channel

    def channel(self, arn: str, bearer: str) -> Channel:
        """A channel that the bearer may look at.

        Raises:
            RefusedError: ForbiddenException: there is none, or it is private and the bearer no member.
        """
        found = self._channels.get(arn)
        if found is None or (found.privacy == "PRIVATE" and bearer not in found.members):
            raise RefusedError("ForbiddenException", "There is no such channel, or the bearer may not look at it.")
        return found

    def delete_channel(self, arn: str, bearer: str) -> None:
        """Delete a channel with everything in it.

        Raises:
            RefusedError: ForbiddenException: there is none, or the bearer is no moderator.
        """
        if bearer not in self.channel(arn, bearer).moderators:
            raise RefusedError("ForbiddenException", "Only a moderator deletes a channel.")
        del self._channels[arn]

    # -- members ---------------------------------------------------------------------------------------------------

    def add_member(self, arn: str, member: str, kind: str, bearer: str, now_ms: int) -> Membership:
        """Add a member.

        Raises:
            RefusedError: NotFoundException: no such channel; ForbiddenException: the bearer is no member, or no
                moderator of a restricted channel; BadRequestException: the member is of another app instance;
                ConflictException: they are a member already.
        """
        found = self._channels.get(arn)
        if found is None:
            raise RefusedError("NotFoundException", "There is no such channel.")
        allowed = found.members if found.mode == "UNRESTRICTED" else found.moderators
        if bearer not in allowed:
            raise RefusedError("ForbiddenException", "The bearer may not add members to this channel.")
        self._may_be_member(found.instance, member)
        if member in found.members:
            raise RefusedError("ConflictException", "They are a member already.")
        made = found.members[member] = Membership(member, kind, bearer, now_ms)
        return made

    def membership(self, arn: str, member: str, bearer: str) -> Membership:
        """A membership.

        Raises:
            RefusedError: ForbiddenException as for :meth:`channel`; NotFoundException: no member.
        """
        found = self.channel(arn, bearer).members.get(member)
        if found is None:
            raise RefusedError("NotFoundException", "They are not a member of this channel.")
        return found

    def remove_member(self, arn: str, member: str, bearer: str) -> None:
        """Remove a member; one who is none is a success.

        Raises:
            RefusedError: ForbiddenException: the bearer is neither a moderator nor the member.
        """
        found = self.channel(arn, bearer)
        if bearer != member and bearer not in found.moderators:
            raise RefusedError("ForbiddenException", "Only a moderator removes somebody else.")
        found.members.pop(member, None)
        found.moderators.discard(member)

    # -- messages --------------------------------------------------------------------------------------------------

    def send(self, arn: str, bearer: str, draft: Draft, token: str, now_ms: int) -> str:
        """Send a message; its id. One that is not kept is not listed.

        Raises:
            RefusedError: ForbiddenException: no such channel, or the bearer is no member; BadRequestException: too
                long, or a CONTROL message with metadata; ConflictException: the token was used for another message.
        """
        found = self._channels.get(arn)
        if found is None or bearer not in found.members:
            raise RefusedError("ForbiddenException", "There is no such channel, or the bearer is not a member of it.")
        most = MOST_CONTROL if draft.type == "CONTROL" else MOST_STANDARD
        if len(draft.content.encode()) > most:
            raise RefusedError("BadRequestException", f"A {draft.type} message has at most {most} bytes.")
        if draft.type == "CONTROL" and draft.metadata:
            raise RefusedError("BadRequestException", "A CONTROL message has no metadata.")
        key = ("message", arn, bearer, token)
        ident, again = self._once(key, repr(draft), digest(*key))
        if not again and draft.kept:
            found.messages.append(Message(ident, bearer, draft, now_ms))
        return ident

    def messages(self, arn: str, bearer: str, *, ascending: bool = False) -> Sequence[Message]:
        """The messages of a channel, the newest first unless *ascending*.

        Raises:
            RefusedError: ForbiddenException as for :meth:`channel`.
        """
        kept = self.channel(arn, bearer).messages
        return tuple(kept) if ascending else tuple(reversed(kept))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _once(self, key: tuple[str, ...], values: str, result: str) -> tuple[str, bool]:
        """What a request token gives: the result of its first use, and whether this was not the first one."""
        before = self._done.get(key)
        if before is None:
            self._done[key] = (values, result)
            return result, False
        if before[0] != values:
            raise RefusedError("ConflictException", "The request token was used with other values.")
        return before[1], True

    @staticmethod
    def _of(instance: str, bearer: str) -> None:
        match = _MEMBER.fullmatch(bearer)
        if match is None or match[1] != instance:
            raise RefusedError("ForbiddenException", "The bearer is not a user or bot of this app instance.")

    @staticmethod
    def _may_be_member(instance: str, member: str) -> None:
        match = _MEMBER.fullmatch(member)
        if match is None or match[1] != instance:
            raise RefusedError("BadRequestException", "A member is not a user or bot of this app instance.")
