"""The verbs at run time: one class per verb, grouped by what they touch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sma_flows.runtime.nodes.base import Listener, Node, effect_token, receive
from sma_flows.runtime.nodes.legs import (
    BridgeNode,
    Connector,
    HangupNode,
    JoinNode,
    MuteNode,
    RecordCallNode,
    SendDigitsNode,
    VoiceFocusNode,
    WaitNode,
    made_attendees,
)
from sma_flows.runtime.nodes.silent import (
    TICKET,
    ChooseNode,
    HoldNode,
    ReturnNode,
    RunNode,
    ScheduleNode,
    SetNode,
    TakeNode,
    UseNode,
)
from sma_flows.runtime.nodes.talk import BotNode, GatherNode, MenuNode, PlayNode, RecordNode, SayNode

VERBS: Final[Mapping[str, type[Node]]] = {
    "say": SayNode,
    "play": PlayNode,
    "gather": GatherNode,
    "menu": MenuNode,
    "record": RecordNode,
    "record_call": RecordCallNode,
    "bridge": BridgeNode,
    "join_meeting": JoinNode,
    "mute": MuteNode,
    "bot": BotNode,
    "voice_focus": VoiceFocusNode,
    "send_digits": SendDigitsNode,
    "wait": WaitNode,
    "run": RunNode,
    "hold": HoldNode,
    "choose": ChooseNode,
    "schedule": ScheduleNode,
    "take": TakeNode,
    "set": SetNode,
    "use": UseNode,
    "return": ReturnNode,
    "hangup": HangupNode,
}
"""Every verb of the language and the class that plays it."""

__all__ = [
    "TICKET",
    "VERBS",
    "Connector",
    "HangupNode",
    "HoldNode",
    "Listener",
    "Node",
    "effect_token",
    "made_attendees",
    "receive",
]
