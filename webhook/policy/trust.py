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
# ld.so(8), bash(1) "Shell Variables", and the environment sections of the manuals of Python, pip,
# Perl, Ruby, Bundler, Node.js, npm, the JDK, .NET, PHP, Lua, Erlang, R, Tcl, awk, Go, less, psql,
# PowerShell, kubectl (a kubeconfig names programs that it runs), git, ssh, rsync and OpenSSL.
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
    "NPM_CONFIG_",
    "PIP_",
    "BUNDLE_",
)
_SUFFIXES = ("_OPTIONS", "_OPTS", "_FLAGS", "_JVM_ARGS")
_NAMES = frozenset(
    ("PATH", "ENV", "BASH_ENV", "BASHOPTS", "SHELLOPTS", "SHELL", "IFS", "PS4", "PROMPT_COMMAND",
     "PERLLIB", "NODE_PATH", "CLASSPATH", "JAVA_HOME", "GCONV_PATH", "GLIBC_TUNABLES", "PHPRC",
     "PHP_INI_SCAN_DIR", "GEM_HOME", "GEM_PATH", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_EXEC_PATH",
     "GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_EDITOR", "GIT_ASKPASS", "GIT_PROXY_COMMAND",
     "GIT_TEMPLATE_DIR", "EDITOR", "PAGER", "VISUAL", "OPENSSL_CONF", "OPENSSL_MODULES",
     "OPENSSL_ENGINES", "DOTNET_STARTUP_HOOKS", "HOSTALIASES", "LOCPATH", "AWKLIBPATH", "AWKPATH",
     "BROWSER", "CVS_RSH", "DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "ERL_AFLAGS",
     "ERL_LIBS", "ERL_ZFLAGS", "GOFLAGS", "KUBECONFIG", "LESSCLOSE", "LESSOPEN", "MANPAGER",
     "PSMODULEPATH", "PSQLRC", "PSQL_EDITOR", "PSQL_PAGER", "RSYNC_RSH", "R_ENVIRON",
     "R_ENVIRON_USER", "R_LIBS", "R_LIBS_USER", "R_PROFILE", "R_PROFILE_USER", "SSH_ASKPASS",
     "SUDO_ASKPASS", "SVN_SSH", "TCLLIBPATH")
)  # fmt: skip

_SHELLS = frozenset(
    ("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "rbash", "busybox", "pwsh",
     "powershell", "cmd")
)  # fmt: skip
_INTERPRETERS = frozenset(
    ("python", "perl", "ruby", "node", "nodejs", "php", "lua", "awk", "gawk", "mawk", "nawk",
     "sed", "tclsh", "deno", "bun", "jshell")
)  # fmt: skip
# Clients of databases: their options may stand anywhere, and only statements are program text.
_CLIENTS = frozenset(["psql", "mysql", "mariadb", "mongo", "mongosh"])
_KNOWN = _SHELLS | _INTERPRETERS | _CLIENTS
_WRAPPERS = frozenset(
    ("busybox", "env", "exec", "nice", "nohup", "timeout", "stdbuf", "setsid", "su", "sudo",
     "gosu", "su-exec", "setpriv", "tini", "dumb-init", "catatonit", "chroot", "xargs", "strace",
     "time", "unshare", "nsenter", "flock")
)  # fmt: skip
# Options whose next word is a value of theirs: the program text comes after it.
_WITH_VALUE = frozenset(
    ("-o", "+o", "-O", "+O", "--rcfile", "--init-file", "-v", "-F", "-f", "-W", "-X", "-r", "-I",
     "-M", "-m", "-d", "-S", "--require", "--import", "--assign", "-ExecutionPolicy", "-File",
     "--file")
)  # fmt: skip
_WITH_SCRIPT = frozenset(
    ("--eval", "--execute", "--command", "--expression", "-command", "-encodedcommand", "--run",
     "--print", "/c", "/k")
)  # fmt: skip


def loads_code(variable: str) -> bool:
    """Whether an environment variable of this name makes a common program load or run its value."""
    name = variable.upper()
    return name in _NAMES or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES)


def _program(word: str) -> str:
    """`/usr/bin/python3.12` as `python`."""
    name = word.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".exe")
    return name.rstrip("0123456789.") or name


def _interpreter(words: Sequence[str]) -> int | None:
    """Where a command line names a shell or another interpreter; wrappers are looked through.

    Behind a program that is not known one counts that has an option for a script: `wait -- sh -c`.
    """
    wrapped = bool(words) and _program(words[0]) in _WRAPPERS
    for index, word in enumerate(words):
        if _program(word) not in _KNOWN:
            continue
        following = words[index + 1 : index + 2]
        if _program(word) == "busybox" and following and _program(following[0]) in _KNOWN:
            continue
        if index == 0 or wrapped or any(map(_takes_script, following)):
            return index
    return None


def script_words(words: Sequence[str]) -> frozenset[int]:
    """Which words of a command line (`command`, then `args`) an interpreter reads as program text.

    For `sh -c SCRIPT NAME ARG` that is everything up to SCRIPT; what follows is data. Without a
    recognised flag it is everything up to the first plain word: the file that is run. Of a client
    of a database it is each statement. An empty set when no interpreter is named. When in doubt a
    word counts as text.
    """
    start = _interpreter(words)
    if start is None:
        return frozenset()
    program = _program(words[start])
    if program in _CLIENTS:
        rest = range(start + 1, len(words))
        statements = {i for i in rest if _takes_script(words[i - 1]) or _is_script(words[i])}
        return frozenset({*range(start + 1), *statements})
    end = _shell_script if program in _SHELLS else _program_text
    return frozenset(range(min(end(words, start + 1) + 1, len(words))))


def _shell_script(words: Sequence[str], index: int) -> int:
    """The first word behind the options of a shell: a script after `-c`, else a file."""
    while index < len(words):
        word = words[index]
        if word == "--":
            return index + 1
        if word in _WITH_VALUE:
            index += 1
        elif not word.startswith(("-", "+")) and word.lower() not in _WITH_SCRIPT:
            break
        index += 1
    return index


def _program_text(words: Sequence[str], index: int) -> int:
    """The last word of an interpreter's program: `-e TEXT -e TEXT`, else the file that is run."""
    while index < len(words):
        word = words[index]
        if _takes_script(word):
            index += 1
            if not words[index + 1 : index + 2] or not words[index + 1].startswith("-"):
                break
        elif word in _WITH_VALUE:
            index += 1
        elif not word.startswith(("-", "+")):
            break
        index += 1
    return index


def chooses_host(words: Sequence[str], index: int) -> bool:
    """Whether a word of `initject fetch` says from which host files come."""
    return tuple(words[:2]) == ("initject", "fetch") and words[index].startswith("host=")


def looks_like_a_shells(option: str) -> bool:
    """Whether a word is what one writes in front of a script: `-c`, `-ec`, `-lc`."""
    return option[:1] == "-" and option[-1:] == "c" and set(option[1:-1]) <= set("eilux")


def _takes_script(word: str) -> bool:
    """`-c`, `-ec`, `-e`, `--eval`: the next word is program text."""
    if word.lower() in _WITH_SCRIPT:
        return True
    short = word[:1] == "-" and word[1:2] != "-"
    return short and word[-1:] in {"c", "e", "E"} and word not in _WITH_VALUE


def _is_script(word: str) -> bool:
    """`--eval=TEXT`: the rest of this word is program text."""
    option, equals, _ = word.partition("=")
    return bool(equals) and option.lower() in _WITH_SCRIPT
