"""What a container asks of our own program, wherever its words are written."""

from __future__ import annotations

from webhook.manifest.controllers import Json


def words(container: Json) -> list[str]:
    """The verb of `initject` and what stands behind it; nothing for another program.

    Without a command the arguments are for the image's own program, which may be ours.
    """
    command, args = _texts(container.get("command")), _texts(container.get("args"))
    if not command:
        return args
    program = command[0].rpartition("/")[2]
    return [*command[1:], *args] if program == "initject" else []


def _texts(value: object) -> list[str]:
    """A list of texts; none where the API server would refuse what is written."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return []
    return value
