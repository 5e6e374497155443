from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from webhook import settings
from webhook.errors import UsageError

SERVABLE = {"policies": ("p",), "self_signed": True}


def _problems(
    flags: dict[str, object] | None = None,
    environment: dict[str, str] | None = None,
    config: Path | None = None,
) -> list[str]:
    with pytest.raises(UsageError) as caught:
        settings.resolve(
            SERVABLE | (flags or {}), environment or {}, config=str(config) if config else None
        )
    return str(caught.value).splitlines()


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_defaults_are_those_of_the_table() -> None:
    """What nobody sets is as the table says."""
    found = settings.resolve(SERVABLE, {})

    for setting in settings.TABLE:
        if setting.name not in SERVABLE:
            assert setting.default == getattr(found, setting.name)


def test_a_flag_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    """Each source wins over the ones below it, setting by setting."""
    config = _file(tmp_path, "port: 1\nhealth-port: 1\nhost: file\n")
    environment = {"INITJECT_PORT": "2", "INITJECT_HEALTH_PORT": "2"}
    found = settings.resolve(SERVABLE | {"port": "3"}, environment, config=str(config))

    assert (3, 2, "file") == (found.port, found.health_port, found.host)


def test_lists_replace_each_other(tmp_path: Path) -> None:
    """A list from a stronger source replaces the weaker one's; it does not add to it."""
    config = _file(tmp_path, "mirrors: [a/*, b/*]\nkeep-first: c\n")
    found = settings.resolve(SERVABLE, {"INITJECT_MIRRORS": "d/*,e/*"}, config=str(config))

    assert ("d/*", "e/*") == found.mirrors
    assert ("c",) == found.keep_first


def test_an_empty_list_is_a_list() -> None:
    """An empty text empties a list; for anything else an empty variable says nothing."""
    environment = {"INITJECT_EXCLUDED_NAMESPACES": "", "INITJECT_HOST": ""}
    found = settings.resolve(SERVABLE | {"keep_first": ("",)}, environment)

    assert ((), (), "127.0.0.1") == (found.excluded_namespaces, found.keep_first, found.host)


def test_paths_stand_between_colons_in_the_environment() -> None:
    """INITJECT_POLICIES is a list like PATH."""
    found = settings.resolve({"self_signed": True}, {"INITJECT_POLICIES": "a:b/c"})

    assert ("a", "b/c") == found.policies


def test_paths_in_the_file_count_from_its_folder(tmp_path: Path) -> None:
    """A relative path in the file means the same wherever the process is started."""
    config = _file(tmp_path, "policies: [p, /q]\ncert-dir: certs\n")
    found = settings.resolve({}, {}, config=str(config))

    assert (f"{tmp_path}/p", "/q") == found.policies
    assert f"{tmp_path}/certs" == found.cert_dir


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    """INITJECT_CONFIG names the settings file where no flag does."""
    config = _file(tmp_path, "port: 1234\n")

    assert settings.resolve(SERVABLE, {"INITJECT_CONFIG": str(config)}).port == 1234


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    """A file of comments, and a key without a value, leave the defaults."""
    for text in ("", "# port: 1\n", "port:\nmirrors: null\n"):
        found = settings.resolve(SERVABLE, {}, config=str(_file(tmp_path, text)))
        assert settings.resolve(SERVABLE, {}) == found


def test_our_own_namespace_is_left_alone_too() -> None:
    """INITJECT_NAMESPACE, as the downward API gives it, joins the excluded ones."""
    found = settings.resolve(SERVABLE, {"INITJECT_NAMESPACE": "initject"})

    assert (*found.excluded_namespaces, "initject") == found.excluded
    assert found.excluded_namespaces == settings.resolve(SERVABLE, {}).excluded


def test_tells_all_problems_with_their_places(tmp_path: Path) -> None:
    """Whatever is wrong anywhere is said in one go: file with line and column, variable, flag."""
    config = _file(
        tmp_path,
        "port: many\nlogLevel: debug\ndrain-second: 1\nmirrors: {a: b}\nhost: [x]\nport: 2\n"
        "xyzzy: 1\n",
    )
    environment = {"INITJECT_LOG_LEVEL": "loud", "INITJECT_DRAIN_SECOND": "1"}
    flags: dict[str, object] = {"port": "70000", "drain_seconds": "soon"}

    assert [
        f"{config}:2:1: logLevel: no such setting; did you mean log-level?",
        f"{config}:3:1: drain-second: no such setting; did you mean drain-seconds?",
        f"{config}:4:10: mirrors: is more than that; write one value or a list of them",
        f"{config}:5:7: host: is more than that; write one value",
        f"{config}:6:1: port: stands twice; leave one",
        f"{config}:7:1: xyzzy: no such setting; docs/reference/settings.md lists all",
        "INITJECT_DRAIN_SECOND: no such setting; did you mean INITJECT_DRAIN_SECONDS?",
        f"{config}:1:7: port: 'many' is out of place; write a whole number from 0 to 65535",
        "INITJECT_LOG_LEVEL: 'loud' is none of its values; write debug, info, warning or error",
        "--port: '70000' is out of place; write a whole number from 0 to 65535",
        "--drain-seconds: 'soon' is out of place; write seconds, from 0 to 3600",
    ] == _problems(flags, environment, config)


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("port: [1\n", ":2:1: ", "mend the YAML here"),
        ("- port\n", ":1:1: is no mapping; ", "write `port: 8443`, a line each"),
        ("a\n", ":1:1: is no mapping; ", "write `port: 8443`, a line each"),
        ("port: \x01\n", ": ", "mend the YAML"),
        ("? [a]\n: b\n", ":1:3: : no such setting; ", "docs/reference/settings.md lists all"),
    ],
)
def test_tells_what_is_wrong_with_the_file(
    tmp_path: Path, text: str, place: str, advice: str
) -> None:
    """What is no YAML, or no mapping, is said with its place."""
    config = _file(tmp_path, text)
    (problem,) = _problems(config=config)

    assert problem.startswith(f"{config}{place}")
    assert problem.endswith(advice)


def test_tells_that_the_file_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder, another encoding: said with what to do."""
    (tmp_path / "latin").write_bytes(b"host: caf\xe9")

    assert [f"{tmp_path}/no: cannot be read: No such file or directory; check --config"] == (
        _problems(config=tmp_path / "no")
    )
    assert [f"{tmp_path}: cannot be read: Is a directory; check --config"] == (
        _problems(config=tmp_path)
    )
    assert [f"{tmp_path}/latin: is no UTF-8 text; save it as UTF-8"] == (
        _problems(config=tmp_path / "latin")
    )


def test_a_service_called_initject_sets_nothing() -> None:
    """What the kubelet adds for Services of our name is no setting and no mistake."""
    environment = {
        "INITJECT_PORT": "tcp://10.0.0.1:443",
        "INITJECT_PORT_443_TCP": "tcp://10.0.0.1:443",
        "INITJECT_PORT_443_TCP_PORT": "443",
        "INITJECT_SERVICE_HOST": "10.0.0.1",
        "INITJECT_SERVICE_PORT": "443",
        "INITJECT_HEALTH_PORT": "tcp://10.0.0.2:8081",
        "INITJECT_HEALTH_SERVICE_PORT_METRICS": "8081",
    }

    assert settings.resolve(SERVABLE, {}) == settings.resolve(SERVABLE, environment)


def test_other_programs_variables_are_not_ours() -> None:
    """A variable of our prefix that looks like none of ours is somebody's own."""
    assert settings.resolve(SERVABLE, {"INITJECT_HOME": "x", "PORT": "y"}).port == 8443


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("port", ["0", "65535"], ["-1", "65536", "1.5", "", "²", "0x10"]),
        ("drain_seconds", ["0", "0.5", "3600", "10s"], ["-1", "nan", "inf", "3601", "1m"]),
        ("idle_seconds", ["0.05"], ["0"]),
        ("max_body_bytes", ["1024"], ["1023", "1e9", "99999999999"]),
        ("inject", ["all", "opt-in"], ["ALL", "optin"]),
        ("image_mirror", ["mirror.internal:5000/hub"], []),
        ("pull_secrets", ["mirror"], ["Mirror", "a/b"]),
        ("recipe_images", ["flyway=a/b:1", "initject=a@sha256:0"], ["flyway", "x=a", "flyway="]),
        ("wait_exit_code", ["1", "255"], ["0", "256"]),
        ("log_format", ["auto", "json", "text"], ["yaml"]),
    ],
)
def test_values_have_bounds(name: str, good: list[str], bad: list[str]) -> None:
    """A value outside its bounds is refused, with the bounds."""
    for text in good:
        assert settings.resolve(SERVABLE | {name: text}, {})
    for text in bad:
        assert _problems({name: text})[0].startswith(f"--{name.replace('_', '-')}: {text!r} is ")


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("1", True), ("False", False), ("0", False)]
)
def test_a_switch_can_be_set_by_a_variable(text: str, *, expected: bool) -> None:
    """Outside the command line a switch is true or false."""
    found = settings.resolve(
        {"policies": ("p",)}, {"INITJECT_SELF_SIGNED": text, **_certs(expected)}
    )

    assert expected == found.self_signed


def _certs(self_signed: bool) -> dict[str, str]:
    return {} if self_signed else {"INITJECT_CERT_DIR": "certs"}


def test_a_switch_is_nothing_else() -> None:
    """Any other word for a switch is refused."""
    problems = _problems(environment={"INITJECT_SELF_SIGNED": "maybe"})

    assert ["INITJECT_SELF_SIGNED: 'maybe' is neither; write true or false"] == problems


def test_serving_needs_policies_and_a_certificate() -> None:
    """Without either, `serve` says what is missing and where to get it."""
    with pytest.raises(UsageError) as caught:
        settings.resolve({}, {})

    assert [
        "--cert-dir: missing; name a folder with tls.crt and tls.key (`initject certs` makes one), "
        "or say --self-signed for local work, or --certificate-secret in a cluster",
        "--policies: missing; name a file or folder with policies",
    ] == str(caught.value).splitlines()


def test_settings_may_not_contradict_each_other() -> None:
    """Two certificates, or two doors on one port, are refused; two free ports are not."""
    assert ["--cert-dir and --self-signed: both are given; choose one"] == (
        _problems({"cert_dir": "c"})
    )
    assert ["--port and --health-port: both are 9; choose two"] == (
        _problems({"port": "9", "health_port": "9"})
    )
    assert settings.resolve(SERVABLE | {"port": "0", "health_port": "0"}, {}).port == 0


def test_a_verb_knows_only_its_own_settings() -> None:
    """`preview` needs no certificate, and takes from the sources what decisions depend on."""
    environment = {"INITJECT_PORT": "1", "INITJECT_INJECT": "opt-in"}
    found = settings.resolve({"policies": ("p",)}, environment, table=settings.DECISION)

    assert ("opt-in", 8443) == (found.inject, found.port)


def test_each_setting_explains_itself() -> None:
    """Every setting has a help text, a flag and a variable, and every number an origin."""
    for setting in settings.TABLE:
        assert setting.help.endswith("."), setting.name
        assert setting.env in setting.explained
        assert setting.shown_default in setting.explained
        if setting.kind in (settings.Kind.INTEGER, settings.Kind.SECONDS):
            assert setting.origin, setting.name

    names = [(setting.flag, setting.env, setting.key) for setting in settings.TABLE]
    assert len(names) == len({name for triple in zip(*names, strict=True) for name in triple}) / 3


def test_is_quick_to_import() -> None:
    """Settings without a file bring neither YAML nor anything else of weight."""
    code = (
        "import sys; from webhook import settings;"
        "settings.resolve({'policies': ('p',), 'self_signed': True}, {});"
        "print([m for m in ('yaml', 'pydantic', 'click', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_cluster_needs_no_files() -> None:
    """Policies and namespaces are then objects, wherever the API server is."""
    found = settings.resolve({"source": "cluster", "self_signed": True}, {})

    assert ("cluster", (), None) == (found.source, found.policies, found.kubeconfig)


def test_each_source_has_its_own_settings() -> None:
    """What the chosen source would not look at is refused, not ignored."""
    only = "--kubeconfig: is for --source cluster and --certificate-secret only; leave it out"
    assert [only] == _problems({"kubeconfig": "k"})
    told = _problems({"source": "cluster", "namespaces": ["n"]})
    assert ["--policies", "--namespaces"] == [line.partition(":")[0] for line in told]


OWN = {"self_signed": False, "certificate_secret": "keys", "own_namespace": "initject"}


def test_certificates_of_its_own_go_with_either_source() -> None:
    """A kubeconfig then is of use with policies from files, too."""
    found = settings.resolve(SERVABLE | OWN | {"kubeconfig": "k", "ca_days": "365d"}, {})

    assert ("keys", "initject", 365) == (found.certificate_secret, found.service, found.ca_days)


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (
            {"self_signed": True},
            "--self-signed and --certificate-secret: both are given; choose one",
        ),
        (
            {"self_signed": True, "cert_dir": "c"},
            "--cert-dir and --self-signed and --certificate-secret: all are given; choose one",
        ),
        (
            {"own_namespace": ""},
            "--certificate-secret: in which namespace? Set INITJECT_NAMESPACE",
        ),
        (
            {"service": "Initject_"},
            "--service: 'Initject_' is no name of an object; write small letters and `-`",
        ),
        (
            {"ca_days": "30"},
            "--ca-days: is less than --leaf-days; a CA must outlive what it signs",
        ),
        (
            {"ca_days": "0.001", "leaf_days": "0.001"},
            "--ca-days: passes before a new CA is known; lower --propagation-seconds",
        ),
        (
            {"leaf_days": "soon"},
            "--leaf-days: 'soon' is out of place; write days, from 0.0001 to 3650",
        ),
    ],
)
def test_what_certificates_of_its_own_need_is_demanded(
    flags: dict[str, object], problem: str
) -> None:
    """Each contradiction is named, with the way out."""
    assert [problem] == _problems(OWN | flags)


def test_images_are_named_by_their_words() -> None:
    """A flag repeated, or one variable with commas; a mirror is a host, not an address."""
    expected = (("initject", "a:1"), ("flyway", "b@sha256:0"))
    variables = {"INITJECT_RECIPE_IMAGES": "initject=a:1, flyway=b@sha256:0"}

    assert expected == settings.resolve(SERVABLE, variables).recipe_images
    flags = {"recipe_images": ["initject=a:1", "flyway=b@sha256:0"]}
    assert expected == settings.resolve(SERVABLE | flags, {}).recipe_images
    (told,) = _problems({"image_mirror": "https://mirror"})
    assert told == "--image-mirror: 'https://mirror' is none; write HOST or HOST/PATH alone"
