"""Flows of any size for measurements: menus and questions in a long chain, every text different."""

from __future__ import annotations


def chain(states: int) -> str:
    """A flow of *states* states as YAML text: menus, questions and announcements in turn, closed by a goodbye."""
    out = [
        "sma_flow: 1", "name: chain", "entry: inbound", "vars:", "  number: digits(4)", "defaults:",
        "  next: {no_input: goodbye, no_match: goodbye, exhausted: goodbye, failed: sorry}", "start: s00000", "states:",
    ]  # fmt: skip
    body = states - 2
    for index in range(body):
        name, after = f"s{index:05}", f"s{index + 1:05}" if index + 1 < body else "goodbye"
        out.append(f"  {name}:")
        if index % 3 == 0:
            out += [f'    menu: "Menu number {index:05}. Press 1 to go on."', f"    keys: {{1: {after}, 2: goodbye}}"]
        elif index % 3 == 1:
            out += ["    gather: number", f'    prompt: "Question number {index:05}, please."', f"    next: {after}"]
        else:
            out += [f'    say: "Announcement number {index:05}."', f"    next: {after}"]
    out += ["  sorry:", '    say: "There is a problem."', "    next: goodbye"]
    out += ["  goodbye:", '    say: "Goodbye."', "    hangup: normal"]
    return "\n".join(out) + "\n"
