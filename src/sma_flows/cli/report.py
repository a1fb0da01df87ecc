"""One replayed step in a person's words, and as an object for programs. Secrets are masked in both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from sma_flows.cli.describe import MASK, action_line, event_line, legs_of
from sma_flows.runtime import callstate

if TYPE_CHECKING:
    from sma_flows.cli.story import Played
    from sma_flows.runtime.ask import Ask, ServiceReply

__all__ = ["as_object", "heading", "in_words"]

_INDENT: Final = "    "
_DIFF_STYLES: Final = {"+": "green", "-": "red"}


def heading(step: Played) -> Text:
    """The line above the first event of a call."""
    result = step.result
    flow = f"{result.flow} (revision {result.revision})" if result.flow else "no flow answers this call"
    text = Text(f"Call {step.call}: {flow}", style="bold")
    details = step.event.get("CallDetails")
    if isinstance(details, dict) and details.get("TransactionId"):
        text.append(f", transaction {details['TransactionId']}", style="not bold dim")
    return text


def in_words(step: Played, difference: Sequence[str] = ()) -> Text:
    """What arrived, where that led, what was answered; below it the difference from a recorded answer."""
    result, mask = step.result, _Mask(step)
    text = Text()
    text.append(f"{step.number:>2}  ", style="dim")
    text.append(mask.event(), style="cyan")
    text.append("\n")
    moved = (
        f"{result.before.state or '(start)'} -> {result.after}" if result.before != result.after else str(result.after)
    )
    text.append(f"{_INDENT}{moved}", style="bold")
    text.append(f"   {step.milliseconds:.2f} ms", style="dim")
    if result.note and not result.actions:
        text.append(f"   {result.note}", style="dim")
    text.append("\n")
    for line in mask.hooks():
        text.append(f"{_INDENT}  run {line}\n", style="magenta")
    for line in mask.actions():
        text.append(f"{_INDENT}  {line}\n")
    if not result.actions:
        text.append(f"{_INDENT}  nothing to do\n", style="dim")
    if result.variables:
        text.append(f"{_INDENT}  {', '.join(mask.variables())}\n", style="yellow")
    if result.fault:
        text.append(f"{_INDENT}  our fault: {result.fault}\n", style="bold red")
    for line in difference:
        text.append(f"{_INDENT}  {line}\n", style=_DIFF_STYLES.get(line[:1], ""))
    text.rstrip()
    return text


def as_object(step: Played, difference: Sequence[str] | None = None) -> dict[str, Any]:
    """The same for programs. ``response`` is the answer as the service gets it, join tokens included."""
    result, mask = step.result, _Mask(step)
    found: dict[str, Any] = {
        "number": step.number,
        "call": step.call,
        "source": step.recorded.source,
        "at": step.at.isoformat(),
        "event": str(step.event.get("InvocationEventType", "")),
        "arrived": mask.event(),
        "flow": result.flow,
        "revision": result.revision,
        "before": {"state": result.before.state, "base": result.before.base},
        "after": {"state": result.after.state, "base": result.after.base},
        "note": result.note,
        "hooks": list(mask.hooks()),
        "actions": list(mask.actions()),
        "variables": result.variables,
        "milliseconds": round(step.milliseconds, 3),
        "response": result.response,
    }
    if difference is not None:
        found["recorded"] = step.recorded.answer is not None
        found["difference"] = list(difference)
    return found


class _Mask:
    """Shows a step without what a caller typed in secret and without tokens."""

    def __init__(self, step: Played) -> None:
        self._step = step
        self._result = step.result
        plan = step.result.program.plan if step.result.program is not None else {}
        types = plan.get("vars", {})
        self._names = {name.rpartition("/")[2] for name, kind in types.items() if kind.get("secrecy")}
        for update in plan.get("updates", ()):
            self._names |= {name for name, kind in update.get("takes", {}).items() if kind.get("secrecy")}
        state = plan.get("states", {}).get(step.result.before.state, {})
        self._typed = bool(types.get(state.get("var", ""), {}).get("secrecy"))
        self._values = sorted(self._hidden_values(types), key=len, reverse=True)

    def event(self) -> str:
        """What arrived."""
        return self._clean(event_line(self._step.event, masked=self._typed, hidden=self._names))

    def actions(self) -> Iterable[str]:
        """The answer's actions, a line each."""
        legs = legs_of(self._step.event)
        return (self._clean(action_line(action, legs)) for action in self._result.actions)

    def hooks(self) -> Iterable[str]:
        """What was asked of the world: ``verify_pin("4155501", ***) -> ok``."""
        return (self._clean(_asked(ask, reply)) for ask, reply in self._step.asked)

    def variables(self) -> Iterable[str]:
        """``name=value``; the runtime has masked them already."""
        return (f"{name}={_plain(value)}" for name, value in self._result.variables.items())

    def _hidden_values(self, types: Mapping[str, Any]) -> set[str]:
        """Texts that must not be shown wherever they occur. Very short ones would hide half of everything else."""
        found = set()
        details = self._step.event.get("CallDetails")
        attributes = details.get("TransactionAttributes") if isinstance(details, dict) else None
        was = callstate.load(attributes) if isinstance(attributes, dict) else None
        for call in (was, self._result.call):
            for name, value in call.vars.items() if call is not None else ():
                if types.get(name, {}).get("secrecy"):
                    found.add(str(value))
        data = self._step.event.get("ActionData")
        if self._typed and isinstance(data, dict):
            found.add(str(data.get("ReceivedDigits", "")))
        return {value for value in found if len(value) > 3}

    def _clean(self, line: str) -> str:
        """A line without hidden values, and without characters that would act on a terminal."""
        for value in self._values:
            line = line.replace(value, MASK)
        return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)


def _asked(ask: Ask, reply: ServiceReply) -> str:
    words = ", ".join(MASK if type(each).__name__ == "Secret" else _plain(each) for each in ask.args)
    return f"{ask.name}({words}) -> {reply.outcome}"


def _plain(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_plain(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(each) for each in value) + "]"
    return str(value)
