"""Targets as words and in lists: a value stays in its field, and a list leads to nothing secret."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runner import stand, test_http
from tests.runner.test_wait import waited
from webhook.errors import NotReadyError, UsageError
from webhook.runner import reach, schemes, targets, words
from webhook.runner.address import Address

HOSTILE = st.text(
    st.one_of(
        st.sampled_from("#&@=?%/:,;\n\r\0\x85\udc80 \"'$(){}[]\\"), st.characters(codec="utf-8")
    )
)


def parsed(*written: str) -> Address:
    """What the words of one group mean."""
    (group,) = words.split(written)
    assert isinstance(group, words.Group)
    return words.parse(group)


def wrong(*written: str, lists: tuple[str, ...] = ()) -> str:
    with pytest.raises(UsageError) as caught:
        targets.read(written, lists)
    return str(caught.value)


MEANT = [
    (("postgres", "host=db"), Address("postgres", "db")),
    (("postgres", "host=DB.example.com", "port=15432", "database=my orders/2#a?b", "tls=true"),
     Address("postgres", "db.example.com", 15432, "/my%20orders%2F2%23a%3Fb", "",
             (("tls", "true"),))),
    (("redis", "host=fd00::1", "port=", "ca="), Address("redis", "fd00::1")),
    (("grpc", "host=ledger", "port=9090", "service=ledger.v1.Ledger"),
     Address("grpc", "ledger", 9090, "/ledger.v1.Ledger")),
    (("http", "host=auth", "path=/he althz?x#y", "query=a=b&c=d#e f", "status=200,404"),
     Address("http", "auth", None, "/he%20althz%3Fx%23y", "a=b&c=d%23e%20f",
             (("status", "200,404"),))),
    (("http", "url=https://auth:8443/healthz?deep=1", "status=200", "header=X: a#b&c=d"),
     Address("https", "auth", 8443, "/healthz", "deep=1",
             (("status", "200"), ("header", "X: a#b&c=d")))),
]  # fmt: skip


@pytest.mark.parametrize(("written", "meant"), MEANT)
def test_words_mean_what_a_url_means(written: tuple[str, ...], meant: Address) -> None:
    """Each value as it stands, without any encoding; an empty one is as none."""
    assert meant == parsed(*written)


WRONG = [
    (("host=db",), "host=… stands behind no kind; write KIND host=…, or URL#host=…"),
    (("tcp://db:1", "tls=true"), "tls=… stands behind no kind; write KIND tls=…, or URL#tls=…"),
    (("postgres",), "postgres: has no host; add host=NAME"),
    (("postgres", "host=a", "host=b"), "postgres: host is written twice; write it once"),
    (("postgres", "host=db#x=y"),
     "postgres: host 'db#x=y' is none; write a name or an address"),
    (("postgres", "host=me:pw@db"),
     "postgres: host 'me:pw@db' is none; write a name or an address"),
    (("postgres", "host=db", "port=0"), "postgres: port '0' is none; write one from 1 to 65535"),
    (("postgres", "port=5432\n"), "postgres: port has a control character; leave it out"),
    (("postgres", "host=db", "colour=red"),
     "postgres://db: unknown option 'colour'; it has: "
     "ca, login, name, password-file, tls, user, verify"),
    (("redis", "host=db", "path=/x"),
     "redis://db: unknown option 'path'; it has: "
     "ca, login, name, password-file, tls, user, verify"),
    (("http", "url=http://a#header-file=/etc/passwd"),
     "http: write the options of url as words of their own, without #"),
    (("http", "url=tcp://a:1"), "http: url is of another kind; write one with http:// or https://"),
    (("http", "url=http://a", "host=b"), "http: url says it whole; leave out host"),
    (("redi", "host=a"), "redi://a: unknown scheme 'redi'; did you mean redis?"),
    (("kafka", "host=a", "name=" + "x" * 9000), "kafka: is longer than 8192 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "said"), WRONG)
def test_words_that_are_wrong_say_what_to_write(written: tuple[str, ...], said: str) -> None:
    """Before anything is looked at."""
    assert said == wrong(*written)


def test_words_and_urls_stand_beside_each_other() -> None:
    """A kind or a URL begins the next target."""
    written = ["tcp://a:1", "postgres", "host=b", "http", "url=http://c/", "status=200", "tls://d"]

    assert ["tcp://a:1", "postgres://b", "http://c/", "tls://d"] == [
        target.name for target in targets.read(written)
    ]


@given(HOSTILE, st.sampled_from(["host", "port", "database", "user", "ca", "name"]))
def test_a_value_never_leaves_its_field(value: str, field: str) -> None:
    """Whatever it holds: it is refused, or it is that field and changes no other."""
    plain = {"host": "db", "port": "5432", "database": "d", "user": "u", "ca": "c", "name": "n"}
    written = plain | {field: value}
    try:
        found = parsed("postgres", *(f"{name}={text}" for name, text in written.items()))
    except UsageError:
        return

    options = {name: found.one(name) for name in ("user", "ca", "name")}
    seen = {
        "host": found.host,
        "port": "" if found.port is None else str(found.port),
        "database": unquote(found.path.removeprefix("/")),
        **options,
    }
    assert written | {"host": written["host"].lower()} == seen
    assert (found.scheme, found.query) == ("postgres", "")


@given(HOSTILE, HOSTILE)
def test_a_path_and_a_query_are_one_line_of_a_request(path: str, query: str) -> None:
    """Neither ends where it should not: no space, no line, no other part of a URL."""
    try:
        found = parsed("http", "host=a", f"path={path}", f"query={query}")
    except UsageError:
        return

    assert re.fullmatch(r"(/[!-~]*)?", found.path)
    assert not {"?", "#"} & {*found.path}
    assert re.fullmatch(r"[!-~]*", found.query)
    assert "#" not in found.query


@given(HOSTILE)
def test_a_url_as_a_value_is_one_target_of_its_kind(value: str) -> None:
    """It brings no options with it, and no other protocol."""
    try:
        found = parsed("http", f"url={value}", "status=204")
    except UsageError:
        return

    assert found.scheme in ("http", "https") or not value
    assert (("status", "204"),) == found.options


@given(st.lists(HOSTILE))
def test_any_words_are_targets_or_wrong_usage(written: list[str]) -> None:
    """Nothing else can come of them, and every line of what is wrong says something."""
    try:
        said = [target.name for target in targets.read(written, [",".join(written)])]
    except UsageError as error:
        said = str(error).splitlines()

    assert all(said)


def test_a_list_holds_urls() -> None:
    """With commas between them, and spaces and empty places as they come."""
    found = targets.read([], [" tcp://a:1, http://b/x#status=200%2C404,\n", "", "redis://c"])

    assert ["tcp://a:1", "http://b/x", "redis://c"] == [target.name for target in found]


NOT_LISTED = [
    ("https://a#ca=/etc/ca.crt", "ca"),
    ("http://a#header-file=/var/run/secrets/token", "header-file"),
    ("http://a#header=Authorization: x", "header"),
    ("http://a#method=POST", "method"),
    ("postgres://a#login=ADMIN", "login"),
]


@pytest.mark.parametrize(("url", "option"), NOT_LISTED)
def test_a_list_names_no_file_and_sends_nothing_of_its_own(url: str, option: str) -> None:
    """Options that do are for who wrote the command."""
    said = wrong(lists=(url,))

    assert f"option {option!r} cannot stand in --targets" in said


CLOSED = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "0.0.0.0",
]


@pytest.mark.parametrize("host", CLOSED)
def test_a_list_leads_to_no_address_of_the_machine_or_the_cloud(host: str) -> None:
    """However it is written."""
    said = wrong(lists=(f"http://{host}/latest/meta-data",))

    assert said.endswith(": is link-local or a cloud's own address, where --targets cannot lead")


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.16689662"])
@pytest.mark.parametrize(
    "scheme", [s for s, module in schemes.SCHEMES.items() if module not in ("dns", "object")]
)
def test_no_kind_is_led_there_by_a_name(scheme: str, host: str) -> None:
    """What counts is the address that the resolver gives: a name may lead anywhere."""
    (target,) = targets.read([], [f"{scheme}://{host}:80"])

    assert (
        "the address 169.254.169.254 is link-local or a cloud's own, where --targets cannot lead"
        == stand.looked(target)
    )


def test_open_addresses_stay_when_others_are_closed() -> None:
    """A name with several addresses is reached by those that are open."""
    near = (socket.AF_INET, ("127.0.0.1", 80))
    far = (socket.AF_INET6, ("fe80::1%1", 80, 0, 1))

    assert [near] == reach.opened([far, near])
    with pytest.raises(NotReadyError):
        reach.opened([far])


def test_the_command_waits_for_words_and_lists(tmp_path: Path) -> None:
    """All together; what is listed may be empty."""
    with stand.standing(stand.saying(test_http.FINE)) as page, stand.standing(stand.silent) as port:
        status, said = waited(
            *("http", "host=127.0.0.1", f"port={page.port}", "path=/health", "body=UP"),
            *("--targets", f"{port.url('tcp')}, {page.url('http', '/')}"),
        )
    empty = waited("--targets", "")

    names = f"{page.url('http', '/health')}, {port.url('tcp')}, {page.url('http', '/')}"
    assert (0, f"initject wait: ready after …: {names}") == (status, said[-1])
    assert (0, ["initject wait: ready after …: nothing was named"]) == empty
    assert (2, ["initject wait: Missing argument 'TARGET…'; see initject wait --help"]) == waited()


def test_too_many_targets_are_refused() -> None:
    """Each has a thread."""
    said = wrong(lists=(",".join(["tcp://a:1"] * 101),))

    assert "101 targets are too many; wait for at most 100" == said
