"""``bots`` of a calls file: which export stands for which bot. ``{env.BOT_ALIAS: bots/reception.zip}``."""

from __future__ import annotations

import re
from typing import Final

from sma_flows.flow.nodes import Node, Scalar
from sma_flows.simulator.bot_export import Bot, BotExportError, load_bot
from sma_flows.testing.mistake import Mistake
from sma_flows.testing.script_parties import file_beside

__all__ = ["Bot", "read_bot", "read_bot_name"]

CODE: Final = "SF513"
_NAME: Final = re.compile(r"env\.[A-Za-z_][A-Za-z0-9_]*|arn:aws[a-zA-Z-]*:lex:\S+:bot-alias/\S+/\S+")


def read_bot_name(node: Scalar) -> str:
    """Which bot it is: ``env.NAME`` of the flow, or the ARN of its alias.

    Raises:
        Mistake: it is neither.
    """
    if not _NAME.fullmatch(node.text):
        raise Mistake(CODE, node, f"'{node.text}' is no bot", "write env.NAME as in the flow, or the ARN of its alias")
    return node.text


def read_bot(node: Node) -> Bot:
    """The bot of an export, a zip or a folder whose name is seen from the calls file.

    Raises:
        Mistake: it cannot be read: what is wrong in it, and in which file of it.
    """
    if not isinstance(node, Scalar) or not node.text:
        raise Mistake(CODE, node, "a bot is the name of its export", "write {env.BOT_ALIAS: bots/reception.zip}")
    try:
        return load_bot(file_beside(node, node.text))
    except BotExportError as error:
        help_ = (
            "export the bot with `aws lexv2-models create-export`, and name the zip, or the folder that it unpacks to"
        )
        raise Mistake(CODE, node, f"'{node.text}' cannot be talked to: {error}", help_) from None
