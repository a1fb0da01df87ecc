"""Catalogue of SF5xx: files of calls."""

from __future__ import annotations

from typing import Final

from sma_flows.flow.codes_base import Code

CODES: Final[tuple[Code, ...]] = (
    Code(
        "SF501",
        "unknown-calls-key",
        "error",
        "A file of calls has a key that it does not know.",
        "It would be ignored, and the call would test less than it says.",
        "calls:\n  - call: right PIN\n    stubs: {verify_pin: ok}",
        "calls:\n  - call: right PIN\n    stub: {verify_pin: ok}",
    ),
    Code(
        "SF502",
        "incomplete-call",
        "error",
        "A file of calls does not say what is called, or a call has no name.",
        "Without a flow nobody answers, and a call without a name cannot be found again when it fails.",
        "calls:\n  - script: [hear: welcome]",
        "flow: ../dial-in.yaml\ncalls:\n  - call: hears the greeting\n    script: [hear: welcome]",
    ),
    Code(
        "SF503",
        "calls-shape",
        "error",
        "A list stands where a map belongs, or the other way round.",
        "What was meant cannot be told from it.",
        "script:\n  hear: welcome",
        "script:\n  - hear: welcome",
    ),
    Code(
        "SF504",
        "second-call-of-one-name",
        "error",
        "Two calls of a file have the same name.",
        "A report names calls: nobody would know which of the two has failed.",
        "calls:\n  - call: wrong PIN\n  - call: wrong PIN",
        "calls:\n  - call: wrong PIN\n  - call: wrong PIN, in Spanish",
    ),
    Code(
        "SF505",
        "unknown-step",
        "error",
        "A step of a call is none that exists.",
        "The steps are those of a person on the telephone and of the service; docs/testing.md lists them.",
        'script:\n  - dial: "1"',
        'script:\n  - press: "1"',
    ),
    Code(
        "SF506",
        "wrong-step-value",
        "error",
        "A step is given something that it cannot do.",
        "Keys are 0-9, star, pound and A-D; times have a unit; other steps take one of a few words.",
        "- silence: 3",
        "- silence: 3x",
    ),
    Code(
        "SF507",
        "wrong-moment",
        "error",
        "`at` is not a moment: a date and a time with their zone.",
        "Opening hours are those of a place. Without a zone a call would be on another day on another machine.",
        "at: 2026-11-20T09:30",
        "at: 2026-11-20T09:30-05:00",
    ),
    Code(
        "SF508",
        "wrong-answer-of-callee",
        "error",
        "`answer` of an outbound call is none that a called party can give.",
        "A party answers after a time, does not answer, or is busy.",
        "answer: 8s",
        "answer: after 8s",
    ),
    Code(
        "SF509",
        "wrong-stub",
        "error",
        "What a stub gives is no reply of a hook.",
        "A hook gives one of its outcomes, perhaps with results, or it raises, or it is late.",
        "stub: {verify_pin: {ok: {}, wrong: {}}}",
        "stub: {verify_pin: [ok, wrong]}",
    ),
    Code(
        "SF510",
        "unknown-switch",
        "error",
        "A switch of the simulated service, or its value, does not exist.",
        "Switches stand for questions about the service that nobody can answer from outside.",
        "switches: {overlap: sometimes}",
        "switches: {overlap: parallel}",
    ),
    Code(
        "SF511",
        "wrong-expectation",
        "error",
        "`expect` is given something that cannot be looked at.",
        "How often a hook ran is a number, and of secrets one can only expect that none is seen.",
        "expect: {calls: {verify_pin: often}}",
        "expect: {calls: {verify_pin: 2}}",
    ),
)
