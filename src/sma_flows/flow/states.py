"""States: one model per verb. Attribute names are the YAML keys, with an underscore where Python needs the word."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.json_schema import SkipJsonSchema

from sma_flows.flow.diagnostics import Fault, nearest
from sma_flows.flow.expressions import Expr
from sma_flows.flow.fields import (
    TAG,
    AnyKey,
    Attributes,
    BotResult,
    Call,
    Cases,
    Connector,
    Duration,
    FlowName,
    Intents,
    Keys,
    KeyTargets,
    Limits,
    Name,
    Next,
    Pattern,
    Prompt,
    SetKey,
    Switch,
    TakeField,
    Target,
    Value,
    VarKey,
    VarName,
    VisitsField,
    count,
    leg_of,
    one_of,
    shape_of,
    shaped,
    text_of,
)

__all__ = ["STATES", "VERBS", "State", "StateBase", "owners_of", "verb_of"]

_BEFORE: Final = TAG + "before"


class Strict(BaseModel):
    """Parent of all models: unknown keys are faults, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, protected_namespaces=())


class Retry(Strict):
    """Further attempts of a question, and what is heard before each."""

    times: Annotated[int, count(0, 20, "further attempts")]
    no_input: Prompt | None = None
    no_match: Prompt | None = None


class StateBase(Strict):
    """What every state may have. `before` names the talking keys in front of the verb, in their order."""

    verb: ClassVar[str]

    before: SkipJsonSchema[tuple[str, ...]] = Field(default=(), alias="\0before")
    say: Prompt | None = None
    play: Prompt | None = None
    next: Next = {}
    visits: VisitsField | None = None
    leg: Annotated[str | None, leg_of("A", "B", "both", "here", "other")] = None
    locale: Value | None = None


class _Listening(StateBase):
    """States during which keys of the telephone lead elsewhere."""

    keys: KeyTargets = {}
    listen: Annotated[str, leg_of("A", "B", "both")] = "A"
    key_gap: Duration = 1_000


class _Asking(StateBase):
    retry: Retry | None = None
    timeout: Duration = 5_000
    digit_gap: Duration = 3_000


class SayState(StateBase):
    """`say`: speak texts, or play the files of prompts that are recorded."""

    verb: ClassVar[str] = "say"
    say: Prompt
    leg: Annotated[str, leg_of("A", "B", "both", "here", "other")] = "A"


class PlayState(_Listening):
    """`play`: a file of the catalogue, an audio variable or a recording."""

    verb: ClassVar[str] = "play"
    play: Prompt
    times: Annotated[int, count(1, 1_000, "how often to play")] = 1
    stop_on: Keys = ()
    leg: Annotated[str, leg_of("A", "B", "both", "here", "other")] = "A"


class GatherState(_Asking):
    """`gather`: ask for digits."""

    verb: ClassVar[str] = "gather"
    gather: VarName
    prompt: Prompt
    finish_on: Keys = ()
    pattern: Pattern | None = None


class MenuState(_Asking):
    """`menu`: ask for one key, or a short sequence."""

    verb: ClassVar[str] = "menu"
    menu: Prompt
    keys: KeyTargets


class RecordState(StateBase):
    """`record`: a message of the caller."""

    verb: ClassVar[str] = "record"
    record: VarName
    max: Duration
    to: Value
    silence: Duration | None = None
    silence_level: Annotated[int, count(1, 1_000, "a silence level")] = 200
    finish_on: Keys = ()
    beep: Prompt | None = None


class RecordCallState(StateBase):
    """`record_call`: start, stop, pause or resume the recording of a leg."""

    verb: ClassVar[str] = "record_call"
    record_call: Annotated[str, one_of(("start", "stop", "pause", "resume"), "the recording of a call")]
    leg: Annotated[str, leg_of("A", "B", "here", "other")] = "A"
    to: Value | None = None
    track: Annotated[str | None, one_of(("both", "incoming", "outgoing"), "a track")] = None
    into: VarName | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.record_call == "start" and self.to is None:
            raise Fault("SF102", "'to' is missing: where is the recording stored?", help="add `to: env.RECORDINGS`")
        if self.record_call != "start":
            for name in ("to", "track", "into"):
                if getattr(self, name) is not None:
                    raise Fault(
                        "SF129",
                        f"'{name}' belongs to `record_call: start`",
                        label=f"not possible with {self.record_call}",
                        help=f"remove '{name}'",
                        path=(name,),
                        at_key=True,
                    )
        return self


class _ConnectorFields(Strict):
    connector: Value
    user: Value


def _endpoint(value: Any) -> Any:
    return Connector(value.connector, value.user) if isinstance(value, _ConnectorFields) else value


class BridgeState(_Listening):
    """`bridge`: connect the caller with a telephone number or a user behind a Voice Connector."""

    verb: ClassVar[str] = "bridge"
    bridge: Annotated[Expr | Connector, shaped(scalar=Value, map_=_ConnectorFields, then=_endpoint)]
    caller_id: Value | None = None
    ring_for: Duration = 30_000
    ringback: Prompt | None = None
    headers: dict[AnyKey, Value] = {}
    connected: Target | None = None


class JoinMeetingState(_Listening):
    """`join_meeting`: connect the caller with a meeting."""

    verb: ClassVar[str] = "join_meeting"
    join_meeting: Value
    token: Value | None = None
    attendee: Value | None = None
    connected: Target | None = None


class MuteState(StateBase):
    """`mute`: switch microphones in the meeting."""

    verb: ClassVar[str] = "mute"
    mute: Annotated[str, one_of(("on", "off", "toggle"), "mute")]
    who: Annotated[str, one_of(("self", "others", "all"), "who is muted")] = "self"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.mute == "toggle" and self.who != "self":
            raise Fault(
                "SF129",
                "only one's own microphone can be toggled",
                label=f"not possible with `who: {self.who}`",
                help="write `mute: on` and `mute: off` in two states",
                path=("mute",),
            )
        return self


class BotState(StateBase):
    """`bot`: a conversation with a Lex bot. `intents` are the ones that `next` may tell apart."""

    verb: ClassVar[str] = "bot"
    bot: Value
    intents: Intents = ()
    welcome: Prompt | None = None
    attributes: Attributes | None = None
    into: dict[VarKey, BotResult] = {}


class VoiceFocusState(StateBase):
    """`voice_focus`: noise suppression of a leg."""

    verb: ClassVar[str] = "voice_focus"
    voice_focus: Switch
    leg: Annotated[str, leg_of("A", "B", "both", "here", "other")] = "A"


class SendDigitsState(StateBase):
    """`send_digits`: press keys for the other side."""

    verb: ClassVar[str] = "send_digits"
    send_digits: Value
    tone: Duration = 250
    leg: Annotated[str, leg_of("A", "B", "both", "here", "other")] = "A"


class WaitState(_Listening):
    """`wait`: say nothing for a while."""

    verb: ClassVar[str] = "wait"
    wait: Duration


class RunState(StateBase):
    """`run`: call a hook. With `while` and `at_most` the caller hears files until a long hook has its result."""

    verb: ClassVar[str] = "run"
    run: Call
    into: dict[VarKey, Name] = {}
    limit: Limits = ()
    while_: Prompt | None = Field(default=None, alias="while")
    at_most: Duration | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        for name, here, there, missing in (
            ("while", self.while_, self.at_most, "at_most: 45s"),
            ("at_most", self.at_most, self.while_, "while: hold_music"),
        ):
            if here is not None and there is None:
                raise Fault(
                    "SF102",
                    f"'{name}' stands without '{missing.partition(':')[0]}'",
                    label="only half of it",
                    help=f"add `{missing}`",
                    path=(name,),
                    at_key=True,
                )
        return self


class ChooseState(StateBase):
    """`choose`: go by a value, or by the first condition that holds."""

    verb: ClassVar[str] = "choose"
    choose: Cases


class ScheduleState(StateBase):
    """`schedule`: go by the hours of a schedule."""

    verb: ClassVar[str] = "schedule"
    schedule: Name


class TakeState(StateBase):
    """`take`: move the first element of a list into a variable."""

    verb: ClassVar[str] = "take"
    take: TakeField


class SetState(StateBase):
    """`set`: give variables values."""

    verb: ClassVar[str] = "set"
    set: dict[SetKey, Value]


class UseState(StateBase):
    """`use`: run a sub-flow."""

    verb: ClassVar[str] = "use"
    use: FlowName
    with_: dict[VarKey, Value] = Field(default={}, alias="with")
    into: dict[VarKey, Name] = {}


class ReturnState(StateBase):
    """`return`: leave a sub-flow with one of its outcomes."""

    verb: ClassVar[str] = "return"
    return_: Name = Field(alias="return")

    @model_validator(mode="after")
    def _final(self) -> Self:
        if self.next:
            raise _final_with_next("return", "the sub-flow ends here")
        return self


class HangupState(StateBase):
    """`hangup`: end the call, or with `leg: B` only the other side."""

    verb: ClassVar[str] = "hangup"
    hangup: Annotated[str, one_of(("normal", "unavailable", "busy"), "hanging up")]
    leg: Annotated[str | None, leg_of("A", "B", "both", "here", "other")] = None

    @model_validator(mode="after")
    def _final(self) -> Self:
        if self.next and (self.leg is None or self.leg == "A"):
            raise _final_with_next("hangup", "hanging up ends the call; only `leg: B` goes on")
        return self


def _final_with_next(verb: str, why: str) -> Fault:
    return Fault(
        "SF124",
        f"'{verb}' is final and takes no 'next'",
        label=why,
        help="remove 'next'",
        path=("next",),
        at_key=True,
    )


STATES: Final[Mapping[str, type[StateBase]]] = {
    model.verb: model
    for model in (
        SayState,
        PlayState,
        GatherState,
        MenuState,
        RecordState,
        RecordCallState,
        BridgeState,
        JoinMeetingState,
        MuteState,
        BotState,
        VoiceFocusState,
        SendDigitsState,
        WaitState,
        RunState,
        ChooseState,
        ScheduleState,
        TakeState,
        SetState,
        UseState,
        ReturnState,
        HangupState,
    )
}
VERBS: Final = tuple(STATES)
_TALK: Final = ("say", "play")
_COMMON: Final = ("say", "play", "next", "visits")
_TALK_KEYS: Final = ("leg", "locale")
_OWN_LOCALE: Final = ("say", "play", "gather", "menu", "bot")
_OWN_LEG: Final = ("say", "play", "record_call", "voice_focus", "send_digits", "hangup")


@cache
def keys_of(verb: str, *, talking: bool = False) -> tuple[str, ...]:
    """The keys that a state with this verb may have; `talking` when `say` or `play` stands in front."""
    names = [field.alias or name for name, field in STATES[verb].model_fields.items() if name != "before"]
    out = {"leg": verb in _OWN_LEG or talking, "locale": verb in _OWN_LOCALE or talking}
    return tuple(name for name in names if out.get(name, True))


def owners_of(key: str) -> tuple[str, ...]:
    """The verbs whose states have this key, () for keys that all states have."""
    return _owners().get(key, ())


@cache
def _owners() -> Mapping[str, tuple[str, ...]]:
    keys = dict.fromkeys(key for verb in VERBS for key in keys_of(verb) if key not in _COMMON)
    return {key: tuple(verb for verb in VERBS if key in keys_of(verb)) for key in keys}


def verb_of(state: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The verb of a state and the talking keys in front of it, from the keys of its map.

    Raises:
        Fault: there is no verb, or there are several.
    """
    verbs = [key for key in state if key in STATES and key not in _TALK]
    talk = [key for key in state if key in _TALK]
    if len(verbs) > 1:
        first, second = verbs[:2]
        raise Fault(
            "SF106",
            f"a state has one verb, here are '{first}' and '{second}'",
            label="second verb",
            help="make two states of it, the first with `next` to the second",
            path=(second,),
            at_key=True,
            related=(((first,), "first verb"),),
        )
    if verbs:
        return verbs[0], tuple(talk)
    if talk:
        return talk[-1], tuple(talk[:-1])
    for key in list(state)[:20]:
        if close := nearest(key, VERBS):
            raise Fault(
                "SF105",
                f"'{key}' is not a verb, and no other key of this state is one",
                label="not a verb",
                help=f"did you mean '{close}'?",
                path=(key,),
                at_key=True,
            )
    raise Fault(
        "SF105",
        "{field} has no verb",
        label="does nothing",
        help="add `say`, `gather`, `menu`, `run`, `hangup` or another verb",
        at_key=True,
    )


def _prepare(value: object) -> object:
    """Check the verb, and note which talking keys stand in front of it."""
    if not isinstance(value, dict):
        if shape_of(value) == "scalar":
            text_of(value)
        raise Fault("SF103", "{field} takes a map of keys, such as `say: welcome`", at_key=True)
    verb, before = verb_of(value)
    allowed = keys_of(verb, talking=bool(before))
    for key in _TALK_KEYS:
        if key in value and key not in allowed:
            raise foreign_key(key, verb)
    return {**value, _BEFORE: before}


def foreign_key(key: str, verb: str) -> Fault:
    """The fault of a key that belongs to other verbs than the state's."""
    owners = " and ".join(f"'{owner}'" for owner in owners_of(key)[:3])
    return Fault(
        "SF107",
        f"'{key}' belongs to {owners}, not to '{verb}'",
        label=f"not a key of '{verb}'",
        help=f"remove it; '{verb}' has {', '.join(keys_of(verb))}",
        path=(key,),
        at_key=True,
    )


def _tag(value: object) -> str:
    return TAG + verb_of(value)[0] if isinstance(value, dict) else TAG


State: TypeAlias = Annotated[
    Annotated[SayState, Tag(TAG + "say")]
    | Annotated[PlayState, Tag(TAG + "play")]
    | Annotated[GatherState, Tag(TAG + "gather")]
    | Annotated[MenuState, Tag(TAG + "menu")]
    | Annotated[RecordState, Tag(TAG + "record")]
    | Annotated[RecordCallState, Tag(TAG + "record_call")]
    | Annotated[BridgeState, Tag(TAG + "bridge")]
    | Annotated[JoinMeetingState, Tag(TAG + "join_meeting")]
    | Annotated[MuteState, Tag(TAG + "mute")]
    | Annotated[BotState, Tag(TAG + "bot")]
    | Annotated[VoiceFocusState, Tag(TAG + "voice_focus")]
    | Annotated[SendDigitsState, Tag(TAG + "send_digits")]
    | Annotated[WaitState, Tag(TAG + "wait")]
    | Annotated[RunState, Tag(TAG + "run")]
    | Annotated[ChooseState, Tag(TAG + "choose")]
    | Annotated[ScheduleState, Tag(TAG + "schedule")]
    | Annotated[TakeState, Tag(TAG + "take")]
    | Annotated[SetState, Tag(TAG + "set")]
    | Annotated[UseState, Tag(TAG + "use")]
    | Annotated[ReturnState, Tag(TAG + "return")]
    | Annotated[HangupState, Tag(TAG + "hangup")],
    Discriminator(_tag),
    BeforeValidator(_prepare),
]
