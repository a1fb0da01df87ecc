"""What every answer must fulfil, whatever the event was. Quick enough for a hundred thousand answers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

import sma_flows.protocol

SCHEMAS = Path(sma_flows.protocol.__file__).parent / "schemas"
KEYS = frozenset(("sf", "sc", "sv", "st"))
MOST_BYTES = 16_000


@cache
def validator() -> Any:
    """The answer schema, compiled once."""
    schema = json.loads((SCHEMAS / "actions.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


class Checker:
    """Checks answers; lists of actions that were seen before are not validated again."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def answer(self, event: Any, response: Any) -> None:
        """The answer is valid, complete, small, and speaks only to legs that are there."""
        assert set(response) <= {"SchemaVersion", "Actions", "TransactionAttributes"}
        assert response["SchemaVersion"] == "1.0"
        json.dumps(response, allow_nan=False)
        actions = response.get("Actions")
        if "Actions" in response:
            assert isinstance(actions, list)
            assert 1 <= len(actions) <= 10
            key = json.dumps(actions)
            if key not in self.seen:
                self.seen.add(key)
                problems = list(validator().iter_errors({"SchemaVersion": "1.0", "Actions": actions}))
                assert not problems, problems[0]
            self._legs(event, actions)
        if "TransactionAttributes" in response:
            attributes = response["TransactionAttributes"]
            assert "sf" in attributes
            assert set(attributes) <= KEYS
            assert all(isinstance(value, str) for value in attributes.values())
            # What comes in can be damaged to more than the service keeps; then nothing is promised of what goes out.
            assert len(json.dumps(attributes)) <= MOST_BYTES or len(json.dumps(event)) > MOST_BYTES, "too large"

    @staticmethod
    def _legs(event: Any, actions: list[dict[str, Any]]) -> None:
        people = people_of(event)
        alive = {call_id for call_id, _, status in people if status != "Disconnected"}
        dead = {call_id for call_id, _, status in people} - alive
        for action in actions:
            params = action["Parameters"]
            assert ("CallId" in params) != ("ParticipantTag" in params), "one of CallId and ParticipantTag"
            if "CallId" in params:
                assert params["CallId"] not in dead, f"{action['Type']} on a leg that is gone"
                assert params["CallId"] in alive, f"{action['Type']} on an unknown leg"


def people_of(event: Any) -> list[tuple[str, str, Any]]:
    """CallId, tag and Status of every participant that can be read."""
    details = event.get("CallDetails") if isinstance(event, dict) else None
    people = details.get("Participants") if isinstance(details, dict) else None
    found = []
    for person in people if isinstance(people, list) else ():
        if isinstance(person, dict):
            call_id, tag = person.get("CallId"), person.get("ParticipantTag")
            if isinstance(call_id, str) and 0 < len(call_id) <= 256 and isinstance(tag, str):
                found.append((call_id, tag, person.get("Status")))
    return found
