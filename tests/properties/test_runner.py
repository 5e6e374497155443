"""Laws of the runner's small parts."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.errors import UsageError
from webhook.runner import address, backoff, check, duration, report, targets
from webhook.runner.kinds import mongodb


@given(st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_rests_grow_to_a_bound_and_never_vanish(chances: list[float]) -> None:
    """Each is at least half of the one that it could be at most, and that grows to the bound."""
    found = list(itertools.islice(backoff.rests(iter(chances).__next__), 40))
    most = list(itertools.islice(backoff.rests(lambda: 1.0), 40))

    assert all(whole / 2 <= rest <= whole for rest, whole in zip(found, most, strict=True))
    assert most == sorted(most)
    assert (backoff.FIRST, backoff.MOST) == (most[0], most[-1])


def test_pods_that_start_together_do_not_stay_together() -> None:
    """What chance says changes the rest."""
    assert next(backoff.rests(lambda: 0.0)) < next(backoff.rests(lambda: 1.0))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300.0), ("1h30m", 5400.0), ("90s", 90.0), ("500ms", 0.5), ("1.5h", 5400.0)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """As Kubernetes users write them."""
    assert seconds == duration.parse(text)


@pytest.mark.parametrize("text", ["", "5", "-5m", "5 m", "5M", "m", "1d", "5m\n", "\u0665m"])
def test_what_is_no_duration_is_told(text: str) -> None:
    """A number without a unit, too: nobody knows which."""
    with pytest.raises(ValueError, match="is no duration; write one like 5m, 90s or 500ms"):
        duration.parse(text)


@given(st.integers(60, 86400))
def test_whole_seconds_are_written_as_they_are_read(seconds: int) -> None:
    """From a minute on, what is written means the same again."""
    assert seconds == duration.parse(duration.written(seconds))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (3.21, "3.2s"), (59.96, "1m"), (300.0, "5m"), (3661, "1h1m1s")],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    """Tenths below a minute."""
    assert text == duration.written(seconds)


@given(st.text(max_size=50), st.integers(3, 60))
def test_a_shortened_line_fits(line: str, most: int) -> None:
    """In bytes, and as text; one that fits is left alone."""
    found = report.shortened(line, most)

    assert len(found.encode()) <= most
    assert found == line or found.endswith("…")


@given(st.binary(max_size=600))
def test_what_a_server_says_moves_no_terminal(text: bytes) -> None:
    """One line of bounded length without control characters."""
    said = check.sentence(text)

    assert len(said) <= 200
    assert said.isprintable() or not said.isascii()
    assert all(ord(char) >= 0x20 and not 0x7F <= ord(char) < 0xA0 for char in said)


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda b: b"\0\0\0\0\x10a\0" + b))
def test_any_bytes_are_a_document_or_none(document: bytes) -> None:
    """BSON from a hostile server ends, in one of the ways that are told."""
    try:
        found = mongodb.numbers(document)
    except (ValueError, IndexError, struct.error):
        return

    assert all(isinstance(value, float | int) for value in found.values())


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9_.-]{0,20}[a-z0-9])?", fullmatch=True)
PORTS = st.none() | st.integers(1, 65535)


@given(NAMES, PORTS)
def test_what_is_shown_is_what_was_written(host: str, port: int | None) -> None:
    """Without query and options, a target's text is the target again."""
    text = f"tcp://{host}" if port is None else f"tcp://{host}:{port}"
    found = address.parse(f"{text}?token=s3cret#header=s3cret")

    assert (text, host, port) == (str(found), found.host, found.port)


@given(st.text(max_size=60) | st.text("tcp:/@#?[]%&=.5\n ", max_size=30))
def test_any_text_is_a_target_or_wrong_usage(text: str) -> None:
    """No text makes reading fail in another way, and what is told has no line of its own."""
    try:
        targets.read([text])
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017


@given(st.text("abc@:/?#", max_size=12), st.sampled_from(["db", "db:0", "d b", ""]))
def test_a_password_is_never_told(extra: str, rest: str) -> None:
    """Wherever the mistake is, the user's part of a URL is left out."""
    try:
        targets.read([f"redis://me:s3cret{extra}@{rest}"])
    except UsageError as error:
        assert "s3cret" not in str(error)  # noqa: PT017
