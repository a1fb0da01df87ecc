"""Calls that are placed, and what running calls are told: checked before anybody is asked to do it.

A call costs money and rings somewhere. So a number is held against the dial policies of the flow that asks and of the
flow that will answer, and arguments against the types that this flow declares, before the request leaves: a call whose
arguments do not fit would hang up when it is answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError
from sma_flows.runtime.program import Policy, Update
from sma_flows.runtime.values import MismatchError, coerce, compile_value

if TYPE_CHECKING:
    from sma_flows.plan import FlowPlan, Plan
    from sma_flows.services.ports import Calls

MOST_ARGUMENTS: Final = 20
"""Pairs of ArgumentsMap and of Arguments. Contract 6.1 and 6.4."""

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_NO_FRAME: Any = None  # prefixes of a policy are constants and values of the environment, which look at no frame


class RefusedNumberError(ServiceError):
    """The dial policy does not allow the number, or it is none."""

    certain = True


class InputError(ServiceError):
    """What a flow is given is not what it declares. The text names inputs, never their values."""

    certain = True


class Outbound:
    """The flows of a plan, as somebody sees them who places calls or tells them something.

    Without a plan (in a test) every number passes and every input.
    """

    def __init__(self, plan: Plan | None = None, env: Mapping[str, str] | None = None) -> None:
        self._plan = plan
        self._env = dict(env or {})

    def place(
        self,
        calls: Calls,
        flow: str,
        to: str,
        caller: str,
        inputs: Mapping[str, Any],
        *,
        token: str,
        now: float,
        timeout_s: float,
        application: str = "",
        revision: str = "",
    ) -> str:
        """Place a call that *flow* answers; gives its transaction id. *revision* is of the flow that asks, if one does.

        Raises:
            RefusedNumberError: *to* may not be dialled.
            InputError: the flow does not take these inputs, or *caller* is no number.
            ServiceError: the call could not be placed.
        """
        arguments = self.arguments(flow, to, caller, inputs, revision=revision)
        return calls.create(application, to, caller, arguments, token, now, timeout_s)

    def arguments(
        self, flow: str, to: str, caller: str, inputs: Mapping[str, Any], *, revision: str = ""
    ) -> dict[str, str]:
        """What a call that *flow* answers is given, if it may be placed; see :meth:`place`.

        Raises:
            RefusedNumberError: *to* may not be dialled.
            InputError: the flow does not take these inputs, or *caller* is no number.
        """
        target = self._flow(flow)
        asking = self._plan.revisions.get(revision) if self._plan is not None else None
        if not _NUMBER(to) or not all(self._allows(each, to) for each in (asking, target) if each is not None):
            raise RefusedNumberError("the number may not be dialled")
        if not _NUMBER(caller):
            raise InputError("the caller id is not a number like +12065550100")
        arguments = {"flow": flow, **self._inputs(flow, target, inputs)}
        if len(arguments) > MOST_ARGUMENTS:
            raise InputError(f"more than {MOST_ARGUMENTS - 1} inputs")
        return arguments

    def tell(
        self,
        calls: Calls,
        flow: str,
        transaction: str,
        update: str,
        arguments: Mapping[str, Any],
        *,
        token: str,
        now: float,
        timeout_s: float,
        application: str = "",
    ) -> bool:
        """Send a declared update to a running call of *flow*; false when it is over.

        Raises:
            InputError: the flow has no such update, or it takes other arguments.
            ServiceError: it could not be sent.
        """
        sent = {name: _text(name, value) for name, value in arguments.items() if value is not None}
        target = self._flow(flow)
        if target is not None:
            declared = next((each for each in target.get("updates", ()) if each["name"] == update), None)
            if declared is None:
                raise InputError(f"the flow '{flow}' has no update '{update}'")
            unknown = sorted(sent.keys() - declared.get("takes", {}).keys())
            if unknown:
                raise InputError(f"the update '{update}' takes no {', '.join(unknown)}")
            sent |= {name: str(text) for name, text in declared.get("match", {}).items()}
            if Update(declared, self._env).read(sent) is None:
                raise InputError(f"the update '{update}' takes other arguments")
        if len(sent) > MOST_ARGUMENTS:
            raise InputError(f"more than {MOST_ARGUMENTS} arguments")
        return calls.update(application, transaction, sent, token, now, timeout_s)

    def _flow(self, name: str) -> FlowPlan | None:
        """The current revision of a flow; None when it is answered by somebody else's plan."""
        if self._plan is None or name not in self._plan.flows:
            return None
        return self._plan.flow(name)

    def _allows(self, flow: FlowPlan, number: str) -> bool:
        policy = flow.get("policy")
        return policy is None or Policy(policy, lambda expr: compile_value(expr, self._env)).allows(_NO_FRAME, number)

    def _inputs(self, name: str, flow: FlowPlan | None, inputs: Mapping[str, Any]) -> dict[str, str]:
        given = {key: _text(key, value) for key, value in inputs.items() if value is not None}
        if flow is None:
            return given
        if flow.get("entry") != "outbound":
            raise InputError(f"the flow '{name}' does not answer calls that we place")
        declared, types = flow.get("inputs", ()), flow.get("vars", {})
        unknown = sorted(given.keys() - set(declared))
        if unknown:
            raise InputError(f"the flow '{name}' takes no {', '.join(unknown)}")
        for key in declared:
            kind = types.get(key) or {"t": "text", "max": 2048}
            try:
                missing = coerce(kind, given.get(key)) is None and kind.get("initial") is None
            except MismatchError:
                missing = True
            if missing:
                raise InputError(f"the input '{key}' of the flow '{name}' is missing or of another type")
        return given


def _text(name: str, value: object) -> str:
    """An argument as the service takes it: texts only."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise InputError(f"'{name}' is neither text nor number")
