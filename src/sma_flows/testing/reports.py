"""What came of calls, for programs and build servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from sma_flows.testing.heard import visible

if TYPE_CHECKING:
    from sma_flows.testing.compared import Leak

__all__ = ["Told", "junit"]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one call, or of a file that cannot be read (then without a call).

    ``hidden``: so many of its values are secrets or masked, and it was played with others, too; ``leaks`` is what of
    them has come out. ``others``: it was played again under so many other values of switches; where it then did not go
    as written it is told once more, with that ``switch`` (NAME=VALUE).
    """

    file: str
    call: str
    line: int
    problem: str
    seconds: float
    left_out: tuple[str, ...] = ()
    played: bool = True
    notes: tuple[str, ...] = ()
    hidden: int = 0
    leaks: tuple[Leak, ...] = ()
    others: int = 0
    switch: str = ""

    @property
    def name(self) -> str:
        """The call, and the switch under which it is told once more."""
        return f"{self.call} ({self.switch})" if self.switch else self.call

    def as_object(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "file": self.file,
            "call": self.call,
            "line": self.line,
            "ok": not self.problem,
            "problem": self.problem,
            "seconds": round(self.seconds, 4),
            "played": self.played,
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "hidden": self.hidden,
            "leaks": [
                {"kind": one.kind, "sink": one.sink, "place": one.place, "checks": list(one.checks)}
                for one in self.leaks
            ],
            "others": self.others,
            "switch": self.switch,
        }


def junit(told: Sequence[Told]) -> bytes:
    """JUnit XML, one test suite for each file, as build servers read it: without characters that XML does not have."""
    root = ElementTree.Element("testsuites", tests=str(len(told)), failures=str(sum(bool(one.problem) for one in told)))
    suites: dict[str, ElementTree.Element] = {}
    for one in told:
        suite = suites.get(one.file)
        if suite is None:
            mine = [each for each in told if each.file == one.file]
            failures = sum(bool(each.problem) for each in mine)
            counts = {"tests": str(len(mine)), "failures": str(failures)}
            suite = suites[one.file] = ElementTree.SubElement(root, "testsuite", {"name": visible(one.file), **counts})
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": visible(one.file),
                "name": visible(one.name) or "(file)",
                "line": str(one.line),
                "time": f"{one.seconds:.4f}",
            },
        )
        if one.problem:
            problem = visible(one.problem)
            failure = ElementTree.SubElement(case, "failure", message=problem.splitlines()[0])
            failure.text = problem
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text
