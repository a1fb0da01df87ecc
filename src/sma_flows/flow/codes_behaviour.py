"""Catalogue of SF3xx: call behaviour."""

from __future__ import annotations

from typing import Final

from sma_flows.flow.codes_base import Code

CODES: Final[tuple[Code, ...]] = (
    Code(
        "SF301",
        "prefix-keys",
        "error",
        "One key of a state is the beginning of another.",
        "After the shorter one nobody knows whether another key follows. A note where `key_gap` decides it.",
        'keys: {1: sales, "12": support}',
        "keys: {1: sales, 2: support}",
    ),
    Code(
        "SF302",
        "secret-outlives-invocation",
        "error",
        "A secret would have to be saved.",
        "A secret is never written to the attributes of the call. It can be read only in the invocation in "
        "which it arrived: in the states that follow the question, up to the next answer.",
        "ask_pin -> say: one_moment -> run: verify_pin(pin)",
        "ask_pin -> run: verify_pin(pin)",
    ),
    Code(
        "SF303",
        "secret-shown",
        "error",
        "A secret goes where it can be seen.",
        "Texts, headers, bot attributes, names of places, queues and tables are read by people and written to logs.",
        'say: "Your PIN is {pin}."',
        'say: "Thank you."',
    ),
    Code(
        "SF304",
        "dials-anything",
        "error",
        "Callers decide what is dialled, and nothing limits it.",
        "Premium numbers are called this way at the expense of whoever runs the flow.",
        'bridge: "+1{number}"',
        "dial_policy: {allow: [+1206]}",
    ),
    Code(
        "SF305",
        "leg-b-busy",
        "error",
        "A second connection is made while leg B is connected.",
        "There is one leg B. Joining a meeting and talking to a bot are possible only with the caller alone.",
        "keys: {1: call_support}     # of a bridge; call_support is a bridge too",
        "keys: {1: free_b}\nfree_b: {hangup: normal, leg: B, next: call_support}",
    ),
    Code(
        "SF306",
        "verb-in-aside",
        "error",
        "A verb is not possible while a bridge or meeting goes on.",
        "An aside may speak, play, wait, mute, switch noise suppression and recording, send digits, run hooks "
        "and decide. Questions and recordings would talk into the conversation.",
        "connected: ask_rating      # gather",
        "next: {ended: ask_rating}",
    ),
    Code(
        "SF308",
        "nothing-to-go-back-to",
        "error",
        "`back` where no state has listened yet.",
        "`back` returns to the last state that listened: gather, menu, record, bot, bridge, join_meeting, or "
        "play and wait with keys.",
        "start: hello\nstates: {hello: {say: welcome, next: back}}",
        "next: main_menu",
    ),
    Code(
        "SF309",
        "no-leg-b",
        "error",
        "Leg B is addressed where there is none.",
        "Leg B exists from the connection of a bridge or meeting to its end; states that run then are reached "
        "by keys, updates or `connected`.",
        "start: hello\nstates: {hello: {say: welcome, leg: B}}",
        "connected: hello",
    ),
    Code(
        "SF310",
        "no-pressed-key",
        "error",
        "`here`, `other` or `key.*` where no key was pressed.",
        "These words mean the key that led to the state.",
        "start: focus\nstates: {focus: {voice_focus: on, leg: here}}",
        "keys: {1: focus}",
    ),
    Code(
        "SF311",
        "mute-outside-meeting",
        "error",
        "Somebody is muted outside of a meeting.",
        "Only attendees of a meeting have a microphone that can be switched.",
        "start: quiet\nstates: {quiet: {mute: on}}",
        'join_meeting: room\nkeys: {"*6": quiet}',
    ),
    Code(
        "SF312",
        "literal-prompt",
        "note",
        "Words stand in the flow instead of the catalogue.",
        "Fine for a prototype; later they cannot be translated or recorded.",
        'say: "Welcome"',
        "say: welcome",
    ),
    Code(
        "SF313",
        "literal-address",
        "warning",
        "An ARN, a bucket or a telephone number is written into a flow.",
        "Test and production need different ones.",
        "bridge: +12065550150",
        "bridge: env.SALES_NUMBER",
    ),
    Code(
        "SF315",
        "limit-per-target",
        "note",
        "A limit can be used up by a stranger.",
        "A count per value of a variable is the same for all callers: somebody who types the number of a "
        "meeting and wrong PINs closes it for everybody until the window ends.",
        "limit: {wrong: 3 per meeting per 1h}",
        "limit: {wrong: [3 per caller per 1h, 50 per meeting per 1h]}",
    ),
    Code(
        "SF316",
        "effect-of-cleanup",
        "error",
        "A hook that only reads stands where something has to be done or undone.",
        "Undo and clean-up hooks change something, and only what has an effect can be undone.",
        "cleanup: [{run: find_room(name)}]     # effect: read",
        "cleanup: [{run: close_room(name)}]    # effect: repeatable",
    ),
    Code(
        "SF317",
        "alike-actions",
        "note",
        "Two actions that follow each other cannot be told apart and fail to different states.",
        "A failed action is reported by what it is. Where that could mean two states the list is cut, and the "
        "call needs one more invocation.",
        "a: {say: hello, next: {done: b, failed: x}}\nb: {say: hello, next: {done: c, failed: y}}",
        "a: {say: hello, next: {done: b, failed: x}}\nb: {say: hello, next: {done: c, failed: x}}",
    ),
    Code(
        "SF318",
        "back-plays-again",
        "note",
        "`back` starts a file from the beginning.",
        "The service cannot go on in the middle of a file.",
        "play: long_story\nkeys: {1: volume}    # volume: next: back",
        "keys: {1: main_menu}",
    ),
    Code(
        "SF319",
        "late-rejection",
        "warning",
        "A call is rejected after it was answered.",
        "`busy` and `unavailable` are answers to a call that nobody has taken yet. After the first word the "
        "caller only hears that the call ends, and has paid for it.",
        "say: closed\nhangup: busy",
        "start: closed\nstates: {closed: {hangup: busy}}",
    ),
    Code(
        "SF320",
        "hidden-period",
        "warning",
        "A period of a schedule is never taken.",
        "The first match from top to bottom counts, and the periods above cover all its times.",
        "open: [mon-fri 09:00-17:00]\nlunch: [mon-fri 12:00-13:00]",
        "lunch: [mon-fri 12:00-13:00]\nopen: [mon-fri 09:00-17:00]",
    ),
    Code(
        "SF321",
        "long-hook",
        "error",
        "A long hook is not waited for, or something waits for a hook that is not long.",
        "A hook with `long: true` works in an invocation of its own, and its result comes later, by an update of the "
        "call. Somebody must be on the line until then, and hear something.",
        "look_up:\n  run: ask_archive(number)    # long: true",
        "look_up:\n  run: ask_archive(number)\n  while: hold_music\n  at_most: 45s",
    ),
    Code(
        "SF322",
        "deaf-wait",
        "warning",
        "A wait is over before any key can be heard.",
        "The service tells of a key when nothing has followed it for `key_gap` (1s unless said). A wait that is not "
        "longer has ended by then, and so has its listening: keys of the last `key_gap` of a state are lost.",
        "wait: 1s\nkeys: {1: sales}",
        "wait: 1s\nkeys: {1: sales}\nkey_gap: 250ms",
    ),
)
