"""The fidelity ledger: for each rule, event, action and outcome of the simulated service, how we know it.

The ledger itself is ``ledger.toml`` beside this module; its head explains the four sources. The code names an entry
wherever it decides something (``desk.lean("43 busy")``), so a call knows what it leaned on:
:meth:`sma_flows.simulator.driver.Phone.leaned_on`. :func:`doubts` picks what nobody has documented or seen.

What leaning means, exactly: an entry counts when the call went through the place in the simulator that the entry
describes. That is narrower than "the flow uses it" in one way and wider in another. A switch counts only where its two
values would have led to different events or answers at that moment; that the flow would have borne the other value
does not clear it (run it under that value to see). An entry counts although the caller hung up before it mattered.
Failures that a test orders (:class:`~sma_flows.simulator.messages.Break`) and events that it sends itself
(:class:`~sma_flows.simulator.messages.Stray`) lean on the entries of what they imitate.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

__all__ = ["DOUBTFUL", "GROUPS", "SOURCES", "Fact", "Ledger", "Question", "doubts", "facts", "ledger"]

SOURCES: Final = ("documented", "observed", "inferred", "unknown")
"""From the surest to the least sure."""

DOUBTFUL: Final = frozenset({"inferred", "unknown"})

GROUPS: Final[Mapping[str, str]] = {
    "rule": "Rules, by the number of the paragraph",
    "event": "Events",
    "action": "Actions",
    "report": "Which actions report when they are not the last of their list",
    "error": "Outcomes: errors of actions and answers",
    "answer": "Outcomes: what is wrong with an answer",
    "hangup": "Outcomes: how legs end",
    "request": "Requests of an application",
    "browser": "Browsers in meetings",
}
"""The parts of the ledger with their titles."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry. ``key`` is what the code calls it: the number of a rule with a word for a branch, else group and name.

    ``where`` are pages, logs and samples (``name: place``), ``because`` the reason of what is inferred, ``switches``
    the questions that nobody can answer, ``tests`` the tests that hold it, as ``file::function`` in tests/simulator.
    """

    key: str
    group: str
    says: str
    source: str
    where: tuple[str, ...] = ()
    because: str = ""
    switches: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The key as people read it."""
        return f"rule {self.key}" if self.group == "rule" else self.key


@dataclass(frozen=True, slots=True)
class Question:
    """A switch: what it asks, and what a flow suffers if the service does the other thing."""

    name: str
    asks: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything. ``facts`` are in the order of the file, ``sources`` explains the names in ``where``."""

    facts: Mapping[str, Fact]
    questions: Mapping[str, Question]
    sources: Mapping[str, str]


@cache
def ledger() -> Ledger:
    """The ledger that is shipped with the package."""
    text = resources.files("sma_flows.simulator").joinpath("ledger.toml").read_text("utf-8")
    data = tomllib.loads(text)
    found: dict[str, Fact] = {}
    for group in GROUPS:
        for name, entry in data[group].items():
            key = name if group == "rule" else f"{group} {name}"
            found[key] = _fact(key, group, entry, found)
    questions = {name: Question(name, one["asks"], one["otherwise"]) for name, one in data["switch"].items()}
    return Ledger(found, questions, data["sources"])


def _fact(key: str, group: str, entry: Mapping[str, Any], known: Mapping[str, Fact]) -> Fact:
    if "rules" not in entry:
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
        }
        return Fact(key, group, **given)
    rules = [known[rule] for rule in entry["rules"]]
    weakest = max(rules, key=lambda rule: SOURCES.index(rule.source))
    return Fact(
        key,
        group,
        entry["says"],
        weakest.source,
        tuple(dict.fromkeys(one for rule in rules for one in rule.where)),
        f"by {', '.join(rule.name for rule in rules)}",
        tuple(dict.fromkeys(one for rule in rules for one in rule.switches)),
        tuple(dict.fromkeys(one for rule in rules for one in rule.tests)),
    )


def facts(keys: Iterable[str]) -> tuple[Fact, ...]:
    """The entries with these keys, in the order of the ledger. Keys that are not in it are left out."""
    wanted = set(keys)
    return tuple(fact for key, fact in ledger().facts.items() if key in wanted)


def doubts(keys: Iterable[str]) -> tuple[Fact, ...]:
    """Those of :func:`facts` that are inferred or unknown: what a strict test must not lean on."""
    return tuple(fact for fact in facts(keys) if fact.source in DOUBTFUL)
