"""Flags over environment over file over default: one `Settings`, or every problem at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from webhook.errors import UsageError
from webhook.settings.given import Given, nearest
from webhook.settings.setting import NAME, PREFIX, Kind, Setting
from webhook.settings.table import TABLE, Settings

CONFIG_VARIABLE = "INITJECT_CONFIG"
_VARIABLES = {setting.env: setting for setting in TABLE}
# What the kubelet sets for a Service whose name begins with `initject`, INITJECT_PORT among them.
_SERVICE_LINK = re.compile(
    r"_PORT(_\d+_[A-Z]+)?=(tcp|udp|sctp)://|_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?="
    r"|_PORT_\d+_[A-Z]+_(PROTO|PORT|ADDR)="
)


DAY = 86400  # seconds
LEAST = 6  # twice the third of its lifetime in which a CA is replaced


def resolve(
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    *,
    config: str | None = None,
    table: Collection[Setting] = TABLE,
) -> Settings:
    """The settings in force; raises UsageError whose text lists every problem, a line each.

    `flags` holds what the command line gave, by `Setting.name`: texts, lists of them for a setting
    that is `many`, True for a switch; None, False and an empty list mean not given. `config` is the
    file of `--config`, else INITJECT_CONFIG may name one. `table` are the settings that the verb
    knows: what the sources say about others is checked and then unused. Lists replace each other.
    """
    problems: list[str] = []
    values: dict[str, object] = {}
    path = config or environment.get(CONFIG_VARIABLE)
    given = _from_file(path, problems) if path else []
    given += [*_from_environment(environment, problems), *_from_flags(flags)]
    for one in given:
        try:
            value = one.setting.parse(one.text)
        except ValueError as error:
            problems.append(f"{one.where}: {error}")
        else:
            if one.setting in table:
                values[one.setting.name] = value
    settings = Settings(**values)  # type: ignore[arg-type]  # the table is the type
    problems += _contradictions(settings, {setting.name for setting in table})
    if problems:
        raise UsageError("\n".join(problems))
    return settings


def _from_file(path: str, problems: list[str]) -> list[Given]:
    from webhook.settings import file  # brings YAML, 50 ms: only for who has a file

    return file.read(path, problems)


def _from_flags(flags: Mapping[str, object]) -> Iterator[Given]:
    for setting in TABLE:
        value = flags.get(setting.name)
        if value is None or value is False:
            continue
        items = value if isinstance(value, tuple | list) else [value]
        if items:
            texts = tuple(str(item) for item in items)
            yield Given(setting, setting.flag, _split(setting, texts))


def _from_environment(environment: Mapping[str, str], problems: list[str]) -> Iterator[Given]:
    """An empty variable is an empty list; for a single value it counts as not set."""
    for name in sorted(environment):
        text = environment[name]
        if not name.startswith(PREFIX) or _SERVICE_LINK.search(f"{name}={text}"):
            continue
        setting = _VARIABLES.get(name)
        if setting is None:
            problems += [] if name == CONFIG_VARIABLE else _misspelt(name)
        elif setting.kind is Kind.PATHS:
            yield Given(setting, name, tuple(text.split(":")))
        elif text or setting.many:
            yield Given(setting, name, _split(setting, (text,)))


def _misspelt(name: str) -> list[str]:
    """A variable of our prefix may be another program's: only what is nearly ours is a problem."""
    near = nearest(name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in _VARIABLES])
    return [f"{name}: no such setting; did you mean {PREFIX}{near}?"] if near else []


def _split(setting: Setting, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Names, globs and images may share one text, between commas: none of them has one."""
    if not setting.commas:
        return texts
    return tuple(item.strip() for text in texts for item in text.split(","))


def _contradictions(settings: Settings, known: Collection[str]) -> list[str]:
    """What is wrong with settings together, as far as the verb knows them."""
    found = []
    mirror = settings.image_mirror
    if "://" in mirror or any(sign.isspace() for sign in mirror):
        found.append(f"--image-mirror: {mirror!r} is none; write HOST or HOST/PATH alone")
    if "cert_dir" in known:
        found += _certificate(settings)
    if "policies" in known:
        found += _source(settings)
    same_port = settings.port == settings.health_port != 0
    if "port" in known and same_port:
        found.append(f"--port and --health-port: both are {settings.port}; choose two")
    return found


def _certificate(settings: Settings) -> list[str]:
    """There is one certificate, and what it takes to make it."""
    ways = {
        "--cert-dir": bool(settings.cert_dir),
        "--self-signed": settings.self_signed,
        "--certificate-secret": bool(settings.certificate_secret),
    }
    chosen = [flag for flag, given in ways.items() if given]
    if not chosen:
        return [
            "--cert-dir: missing; name a folder with tls.crt and tls.key (`initject certs` makes "
            "one), or say --self-signed for local work, or --certificate-secret in a cluster"
        ]
    if len(chosen) > 1:
        number = "both" if len(chosen) == 2 else "all"
        return [f"{' and '.join(chosen)}: {number} are given; choose one"]
    return _authority(settings) if settings.certificate_secret else []


def _authority(settings: Settings) -> list[str]:
    found = []
    if not settings.own_namespace:
        found.append("--certificate-secret: in which namespace? Set INITJECT_NAMESPACE")
    for flag, name in (
        ("--certificate-secret", settings.certificate_secret or ""),
        ("--service", settings.service),
        ("--webhook-configuration", settings.webhook_configuration),
    ):
        if not NAME.fullmatch(name):
            found.append(f"{flag}: {name!r} is no name of an object; write small letters and `-`")
    if settings.ca_days < settings.leaf_days:
        found.append("--ca-days: is less than --leaf-days; a CA must outlive what it signs")
    if settings.ca_days * DAY < LEAST * settings.propagation_seconds:
        found.append("--ca-days: passes before a new CA is known; lower --propagation-seconds")
    return found


def _source(settings: Settings) -> list[str]:
    """Each source has its own settings."""
    if settings.source == "files":
        found = (
            []
            if settings.policies
            else ["--policies: missing; name a file or folder with policies"]
        )
        if settings.kubeconfig and not settings.certificate_secret:
            found.append(
                "--kubeconfig: is for --source cluster and --certificate-secret only; leave it out"
            )
        return found
    return [
        f"{flag}: is for --source files only; leave it out, or apply the objects to the cluster"
        for flag, paths in (
            ("--policies", settings.policies),
            ("--namespaces", settings.namespaces),
        )
        if paths
    ]
