"""How a target is written, and that what is wrong is told without a secret."""

from __future__ import annotations

import pytest

from webhook.errors import UsageError
from webhook.runner import address, targets
from webhook.runner.address import Address


def test_the_parts_of_a_target() -> None:
    """As in any URL; what is behind # are options, in the order written, percent-decoded."""
    text = "https://[::1]:8443/a%20b?x=1#status=200&header=A: b%26c&header=D: e+f="

    assert Address(
        "https",
        "::1",
        8443,
        "/a%20b",
        "x=1",
        (("status", "200"), ("header", "A: b&c"), ("header", "D: e+f=")),
    ) == address.parse(text)


WRONG = [
    ("db:5432", "db:5432: is no target; write one like tcp://db:5432"),
    ("", "'': is no target; write one like tcp://db:5432"),
    (
        "tcp://me:s3cret@db:1",
        "tcp://db:1: has a user; leave it out: nothing secret stands in a URL",
    ),
    ("tcp://db:0", "tcp://db:0: has a port that is none; write one from 1 to 65535"),
    ("tcp://db:port", "tcp://db:port: has a port that is none; write one from 1 to 65535"),
    ("tcp://d b:1", "tcp://d b:1: has a character that no URL has; write it percent-encoded"),
    ("tcp://-db:1", "tcp://-db:1: has no host that can be asked for; write a name or an address, "
     "IPv6 in brackets"),
    ("tcp://db:1#x", "tcp://db:1: has something behind # that is no option; write "
     "#name=value&name=value"),
    ("tcp://db:1#x=1", "tcp://db:1: unknown option 'x'; it has none"),
    ("tls://db#host=x", "tls://db: unknown option 'host'; it has: ca, name, verify"),
    ("tls://db#ca=/nowhere", "tls://db: /nowhere holds no certificates that can be read: "
     "No such file or directory"),
    ("tls://db#name=a&name=b", "tls://db: option 'name' is written twice; write it once"),
    ("redis://db#ca=/x", "redis://db: option 'ca' is for TLS; add tls=true"),
    ("redis://db#tls=yes", "redis://db: option 'tls' is 'yes'; write true or false"),
    ("redis://db/0", "redis://db/0: a target of redis has no path; write redis://db"),
    ("dns://db:53", "dns://db:53: a target of dns has no port; leave it out"),
    ("tcp://db", "tcp://db: has no port; write one"),
    ("grpc://ledger", "grpc://ledger: has no port; write one"),
    ("grpc://ledger:1#tls=true", "grpc://ledger:1: unknown option 'tls'; it has none"),
    ("ftp://db", "ftp://db: unknown scheme 'ftp'; did you mean tcp?"),
    ("http://a#status=20", "http://a: status '20' is none; write one like 200, 200-299 or 200,404"),
    ("http://a#method=X", "http://a: method 'X' is none of GET, HEAD, POST, PUT, OPTIONS"),
    ("http://a#header=s3cret", "http://a: has a header that is none; write it as Name: value"),
    ("http://a#header=A: b%0d%0aC: d", "http://a: has a character in option 'header' that no "
     "option has; leave out control characters"),
    ("postgres://db/%00", "postgres://db/%00: no database has %00 in its name; leave it out"),
    ("http://a#header=Host: b", "http://a: header Host is not yours to set; leave it out"),
    ("http://a#header-file=/nowhere", "http://a: /nowhere cannot be read: "
     "No such file or directory"),
    ("http://a#body=(", "http://a: '(' is no pattern of RE2: missing ): ("),
    ("http://a#ca=/x", "http://a: unknown option 'ca'; it has: body, expect, header, header-file, "
     "method, status"),
    ("postgres://db/a/b", "postgres://db/a/b: write the database as the path, and nothing behind "
     "it"),
    ("tcp://" + "a" * 9000, "tcp://" + "a" * 194 + ": is longer than 8192 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    """With what to do about it."""
    with pytest.raises(UsageError) as error:
        targets.read([text])

    assert told == str(error.value)
