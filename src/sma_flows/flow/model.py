"""Flows and bundles as authors write them, after every single value has been read.

Attribute names are the YAML keys (with an underscore where Python needs the word: `with_`, `return_`). Values are
small frozen types of this package: expressions are `Expr`, durations whole milliseconds, prompts tuples of
`PromptItem`, `keys` maps of telephone keys to states, `next` a map of outcomes in which a plain name stands at "".
What the names mean, and whether they exist, is the resolver's business.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Self, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from sma_flows.flow import values
from sma_flows.flow.diagnostics import Fault
from sma_flows.flow.expressions import Expr, HookCall
from sma_flows.flow.fields import (
    TAG,
    AnyKey,
    Call,
    Condition,
    Connector,
    Duration,
    FlowName,
    HookKey,
    NameKey,
    Names,
    OutcomeKey,
    OutcomeName,
    Outcomes,
    PlainType,
    Prefix,
    PromptItem,
    PythonName,
    Ranges,
    StateKey,
    StateName,
    Target,
    Text,
    Value,
    VarKey,
    VarType,
    Zone,
    count,
    key,
    many,
    one_of,
    version,
)
from sma_flows.flow.states import (
    STATES,
    VERBS,
    BotState,
    BridgeState,
    ChooseState,
    GatherState,
    HangupState,
    JoinMeetingState,
    MenuState,
    MuteState,
    PlayState,
    RecordCallState,
    RecordState,
    Retry,
    ReturnState,
    RunState,
    SayState,
    ScheduleState,
    SendDigitsState,
    SetState,
    State,
    StateBase,
    Strict,
    TakeState,
    UseState,
    VoiceFocusState,
    WaitState,
)
from sma_flows.flow.types import Type
from sma_flows.flow.values import Limit, Range, Take, Visits

__all__ = [
    "BUILTINS",
    "STATES",
    "VERBS",
    "BotState",
    "BridgeState",
    "BundleModel",
    "ChooseState",
    "CleanupItem",
    "Connector",
    "Defaults",
    "DialPolicy",
    "Expr",
    "FlowModel",
    "GatherState",
    "HangupState",
    "HookCall",
    "HookModel",
    "JoinMeetingState",
    "Limit",
    "MenuState",
    "MuteState",
    "PlayState",
    "PromptItem",
    "Range",
    "RecordCallState",
    "RecordState",
    "Retry",
    "ReturnState",
    "Route",
    "RunState",
    "SayState",
    "ScheduleModel",
    "ScheduleState",
    "SendDigitsState",
    "SetState",
    "State",
    "StateBase",
    "Take",
    "TakeState",
    "Type",
    "UpdateModel",
    "UseState",
    "Visits",
    "VoiceFocusState",
    "WaitState",
]

BUILTINS: Final = (
    "directory.find",
    "directory.put",
    "directory.claim",
    "directory.remove",
    "meetings.open",
    "meetings.find",
    "meetings.close",
    "meetings.mute",
    "meetings.unmute",
    "channel.post",
    "queue.put",
    "stream.start",
    "stream.stop",
    "capture.start",
    "capture.stop",
    "transcription.start",
    "transcription.stop",
    "calls.dial",
    "calls.update",
)
"""Hooks that come with the package."""

BuiltinKey: TypeAlias = Annotated[str, key(lambda text: values.check_word(text, BUILTINS, "a built-in hook"))]

DEFAULT_BUDGET_MS: Final = 2_000


class HookModel(Strict):
    """A hook. `outcomes` is empty when the author names none: `done`, or those of the built-in.

    `gives` are the results of the first outcome when `outcomes` is a list; as a map, each outcome has its own.
    """

    python: PythonName | None = None
    builtin: Annotated[str | None, one_of(BUILTINS, "a built-in hook")] = None
    with_: dict[NameKey, Value] = Field(default_factory=dict, alias="with")
    fields_: Names = Field(default=(), alias="fields")
    uses: dict[BuiltinKey, dict[NameKey, Value]] = Field(default_factory=dict)
    outcomes: Outcomes = Field(default_factory=dict)
    gives: dict[VarKey, PlainType] = Field(default_factory=dict)
    budget: Duration = DEFAULT_BUDGET_MS
    effect: Annotated[str, one_of(("read", "keyed", "repeatable", "once"), "the effect of a hook")] = "once"
    undo: Call | None = None
    long: Annotated[str, one_of(("true", "false"), "whether the hook runs outside the call")] = "false"

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.python is None and self.builtin is None:
            raise Fault(
                "SF102",
                "{field} does not say what runs",
                label="neither `python` nor `builtin`",
                help="add `python: hooks.module:function`",
                at_key=True,
            )
        if self.python is not None and self.builtin is not None:
            raise _together("python", "builtin", "a hook is either own code or a built-in")
        if self.builtin is None:
            for name, value in (("with", self.with_), ("fields", self.fields_)):
                if value:
                    raise Fault(
                        "SF129",
                        f"'{name}' belongs to built-in hooks",
                        label="own code takes arguments",
                        help=f"remove '{name}' and pass the values in `run: hook(value)`",
                        path=(name,),
                        at_key=True,
                    )
        if self.builtin is not None and self.uses:
            raise _together("builtin", "uses", "a built-in hook uses nothing but its own settings")
        if self.gives and any(self.outcomes.values()):
            raise _together("outcomes", "gives", "results stand under the outcomes or under `gives`, not under both")
        return self

    @property
    def results(self) -> dict[str, dict[str, Type]]:
        """Outcomes in their order, each with the results it carries; the first one is the main outcome."""
        named = self.outcomes or {"done": {}}
        first = next(iter(named))
        return {name: dict(self.gives) if self.gives and name == first else dict(own) for name, own in named.items()}


def _periods_are_keys(schema: dict[str, Any]) -> None:
    """In the file the periods stand beside `zone`."""
    periods = schema["properties"].pop(TAG + "periods")
    schema["required"] = ["zone"]
    schema["additionalProperties"] = next(iter(periods["patternProperties"].values()))


class ScheduleModel(Strict):
    """Opening hours: periods are tried from top to bottom."""

    model_config = ConfigDict(json_schema_extra=_periods_are_keys)

    zone: Zone
    periods: dict[OutcomeKey, Ranges] = Field(alias="\0periods")


def _split_zone(value: object) -> object:
    if not isinstance(value, dict):
        return value
    periods = {key: each for key, each in value.items() if key != "zone"}
    return {**({"zone": value["zone"]} if "zone" in value else {}), TAG + "periods": periods}


class DialPolicy(Strict):
    """Which numbers may be dialled, and which number is shown."""

    allow: Annotated[tuple[Expr, ...], many(Prefix)] = ()
    deny: Annotated[tuple[Expr, ...], many(Prefix)] = ()
    caller_id: Value | None = None


class UpdateModel(Strict):
    """An event from outside. `match` None stands for `{update: NAME}`, `during` None for every state."""

    match: dict[AnyKey, Text] | None = None
    takes: dict[VarKey, PlainType] = Field(default_factory=dict)
    when: Condition | None = None
    during: Annotated[tuple[str, ...] | None, many(StateName)] = None
    queue: Annotated[int | None, count(1, 100, "a queue")] = None
    next: Target


class Defaults(Strict):
    """What states do that do not say it themselves."""

    retry: Retry | None = None
    next: dict[NameKey, Target] = Field(default_factory=dict)


class CleanupItem(Strict):
    """A hook that runs once after the last leg has left."""

    run: Call
    when: Condition | None = None


class FlowModel(Strict):
    """One flow file."""

    sma_flow: Annotated[int, version("sma_flow")]
    name: FlowName
    entry: Annotated[str, one_of(("inbound", "outbound", "sub"), "how a flow starts")]
    inputs: dict[VarKey, PlainType] = Field(default_factory=dict)
    outcomes: Annotated[tuple[str, ...], many(OutcomeName)] = ()
    gives: dict[VarKey, PlainType] = Field(default_factory=dict)
    prompts: Text | None = None
    vars: dict[VarKey, VarType] = Field(default_factory=dict)
    hooks: dict[HookKey, HookModel] = Field(default_factory=dict)
    schedules: dict[NameKey, Annotated[ScheduleModel, BeforeValidator(_split_zone)]] = Field(default_factory=dict)
    dial_policy: DialPolicy | None = None
    updates: dict[NameKey, UpdateModel] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    cleanup: tuple[CleanupItem, ...] = ()
    start: StateName
    states: dict[StateKey, State]


class Route(Strict):
    """Which flow takes a call: by dialled number, SIP rule, an argument of the outbound call, or the kind of call."""

    flow: FlowName
    to: Value | None = None
    rule: Value | None = None
    argument: Text | None = None
    is_: Text | None = Field(default=None, alias="is")
    entry: Annotated[str | None, one_of(("inbound", "outbound"), "a route")] = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = [name for name in ("to", "rule", "argument", "entry") if getattr(self, name) is not None]
        if not tests:
            raise Fault(
                "SF102",
                "a route does not say which calls it takes",
                help="add `to: env.NUMBER`, `rule: env.RULE`, `argument: NAME` with `is: TEXT`, or `entry: inbound`",
            )
        if len(tests) > 1:
            raise _together(tests[0], tests[1], "a route has one test")
        if (self.argument is None) != (self.is_ is None):
            raise Fault("SF102", "'argument' and 'is' need each other", help='write `argument: kind` and `is: "text"`')
        return self


class BundleModel(Strict):
    """Flows that are deployed together; routes are tried from top to bottom."""

    sma_bundle: Annotated[int, version("sma_bundle")]
    flows: Annotated[tuple[str, ...], many(Text)]
    routes: tuple[Route, ...] = ()


def _together(first: str, second: str, why: str) -> Fault:
    return Fault(
        "SF129",
        f"'{first}' and '{second}' do not go together",
        label=why,
        help="remove one of them",
        path=(second,),
        at_key=True,
        related=(((first,), "the other one"),),
    )


def json_schema() -> dict[str, Any]:
    """JSON Schema of a flow file, for editors."""
    return FlowModel.model_json_schema(by_alias=True)
