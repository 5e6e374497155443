"""What turns data into code: variables that load it, interpreters that run it.

Used by `check` (a template must not fill these) and by the decision (borrowing never takes them,
and one that somebody added to a container of ours changes what runs).
"""

from __future__ import annotations

from collections.abc import Sequence

# Where the API server's ServiceAccount plugin mounts the token, and how it names the volume.
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
TOKEN_VOLUME = "kube-api-access-"  # noqa: S105 - a name

# Variables whose value a common runtime, loader or tool executes or loads code from. Sources:
# ld.so(8), bash(1) "Shell Variables", and the environment sections of the manuals of Python, Perl,
# Ruby, Node.js, the JDK, PHP, Lua, Erlang, git and OpenSSL.
_PREFIXES = (
    "LD_",
    "DYLD_",
    "PYTHON",
    "BASH_FUNC_",
    "GIT_CONFIG",
    "RUBY",
    "PERL5",
    "LUA_",
    "COR_",
    "CORECLR_",
)
_SUFFIXES = ("_OPTIONS", "_OPTS", "_FLAGS", "_JVM_ARGS")
_NAMES = frozenset(
    [
        "PATH",
        "ENV",
        "BASH_ENV",
        "BASHOPTS",
        "SHELLOPTS",
        "SHELL",
        "IFS",
        "PS4",
        "PROMPT_COMMAND",
        "PERLLIB",
        "NODE_PATH",
        "CLASSPATH",
        "JAVA_HOME",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "GEM_HOME",
        "GEM_PATH",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_EXEC_PATH",
        "GIT_EXTERNAL_DIFF",
        "GIT_PAGER",
        "GIT_EDITOR",
        "GIT_ASKPASS",
        "GIT_PROXY_COMMAND",
        "GIT_TEMPLATE_DIR",
        "EDITOR",
        "PAGER",
        "VISUAL",
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "OPENSSL_ENGINES",
        "DOTNET_STARTUP_HOOKS",
        "HOSTALIASES",
        "LOCPATH",
    ]
)

_SHELLS = frozenset(
    [
        "sh",
        "bash",
        "dash",
        "ash",
        "zsh",
        "ksh",
        "mksh",
        "fish",
        "rbash",
        "busybox",
        "pwsh",
        "powershell",
        "cmd",
    ]
)
_INTERPRETERS = frozenset(
    [
        "python",
        "perl",
        "ruby",
        "node",
        "nodejs",
        "php",
        "lua",
        "awk",
        "gawk",
        "mawk",
        "nawk",
        "sed",
        "tclsh",
        "deno",
        "bun",
        "jshell",
        "psql",
        "mysql",
    ]
)
_WRAPPERS = frozenset(
    [
        "env",
        "exec",
        "nice",
        "nohup",
        "timeout",
        "stdbuf",
        "setsid",
        "su",
        "sudo",
        "gosu",
        "su-exec",
        "setpriv",
        "tini",
        "dumb-init",
        "catatonit",
        "chroot",
        "xargs",
        "strace",
        "time",
        "unshare",
        "nsenter",
        "flock",
    ]
)
# Options whose next word is a value of theirs: the program text comes after it.
_WITH_VALUE = frozenset(
    [
        "-o",
        "+o",
        "-O",
        "+O",
        "--rcfile",
        "--init-file",
        "-v",
        "-F",
        "-f",
        "-W",
        "-X",
        "-r",
        "-I",
        "-M",
        "-m",
        "-d",
        "-S",
        "--require",
        "--import",
        "--assign",
        "-ExecutionPolicy",
        "-File",
        "--file",
    ]
)
_WITH_SCRIPT = frozenset(
    [
        "--eval",
        "--execute",
        "--command",
        "--expression",
        "-command",
        "-encodedcommand",
        "--run",
        "--print",
        "/c",
        "/k",
    ]
)


def loads_code(variable: str) -> bool:
    """Whether an environment variable of this name makes a common program load or run its value."""
    name = variable.upper()
    return name in _NAMES or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES)


def _program(word: str) -> str:
    """`/usr/bin/python3.12` as `python`."""
    name = word.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".exe")
    return name.rstrip("0123456789.") or name


def _interpreter(words: Sequence[str]) -> int | None:
    """Where a command line names a shell or another interpreter; wrappers are looked through."""
    for index, word in enumerate(words):
        if _program(word) in _SHELLS or _program(word) in _INTERPRETERS:
            return index
        if _program(words[0]) not in _WRAPPERS:
            return None
    return None


def script_words(words: Sequence[str]) -> frozenset[int]:
    """Which words of a command line (`command`, then `args`) an interpreter reads as program text.

    For `sh -c SCRIPT NAME ARG` that is everything up to SCRIPT; what follows is data. Without a
    recognised flag it is everything up to the first plain word: the file that is run. An empty set
    when no interpreter is named. When in doubt a word counts as text.
    """
    start = _interpreter(words)
    if start is None:
        return frozenset()
    shell = _program(words[start]) in _SHELLS
    index = start + 1
    while index < len(words):
        word = words[index]
        if _program(word) in _SHELLS:  # `busybox sh -c`
            shell = True
        elif _takes_script(word, shell=shell):
            index += 1
            if shell or not _more_scripts(words[index + 1 :]):
                break
        elif word in _WITH_VALUE:
            index += 1
        elif not word.startswith(("-", "+")):
            break
        index += 1
    return frozenset(range(min(index + 1, len(words))))


def looks_like_a_shells(option: str) -> bool:
    """Whether a word is what one writes in front of a script: `-c`, `-ec`, `-lc`."""
    return option[:1] == "-" and option[-1:] == "c" and set(option[1:-1]) <= set("eilux")


def _takes_script(word: str, *, shell: bool) -> bool:
    """`-c`, `-ec`, `-e`, `--eval=…`: the next word, or the rest of this one, is program text."""
    if word.lower().split("=", 1)[0] in _WITH_SCRIPT:
        return "=" not in word
    if not word.startswith("-") or word.startswith("--"):
        return False
    letters = word[1:]
    return (
        "c" in letters
        if shell
        else letters[-1:] in {"c", "e", "E", "n", "p"} and word not in _WITH_VALUE
    )


def _more_scripts(rest: Sequence[str]) -> bool:
    return bool(rest) and rest[0].startswith("-")
