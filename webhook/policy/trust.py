"""What turns data into code: variables that load it, interpreters that run it.

Used by `check` (a template must not fill these) and by the decision (borrowing never takes them, and
one that somebody added to a container of ours changes what runs).
"""

from __future__ import annotations

from collections.abc import Sequence

# Variables whose value a common runtime, loader or tool executes or loads code from. Sources: ld.so(8),
# bash(1) "Shell Variables", and the environment sections of the manuals of Python, Perl, Ruby, Node.js,
# the JDK, PHP, Lua, Erlang, git and OpenSSL.
_PREFIXES = ("LD_", "DYLD_", "PYTHON", "BASH_FUNC_", "GIT_CONFIG", "RUBY", "PERL5", "LUA_", "COR_", "CORECLR_")
_SUFFIXES = ("_OPTIONS", "_OPTS", "_FLAGS", "_JVM_ARGS")
_NAMES = frozenset(
    "PATH ENV BASH_ENV BASHOPTS SHELLOPTS SHELL IFS PS4 PROMPT_COMMAND PERLLIB NODE_PATH CLASSPATH JAVA_HOME"
    " GCONV_PATH GLIBC_TUNABLES PHPRC PHP_INI_SCAN_DIR GEM_HOME GEM_PATH GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH"
    " GIT_EXTERNAL_DIFF GIT_PAGER GIT_EDITOR GIT_ASKPASS GIT_PROXY_COMMAND GIT_TEMPLATE_DIR EDITOR PAGER VISUAL"
    " OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES DOTNET_STARTUP_HOOKS HOSTALIASES LOCPATH".split()
)

_SHELLS = frozenset("sh bash dash ash zsh ksh mksh fish busybox pwsh powershell cmd rbash".split())
_INTERPRETERS = frozenset("python perl ruby node nodejs php lua awk gawk mawk sed tclsh deno bun jshell".split())
_WRAPPERS = frozenset("env exec nice nohup timeout stdbuf setsid su sudo gosu su-exec tini dumb-init chroot xargs".split())


def loads_code(variable: str) -> bool:
    """Whether an environment variable of this name makes a common program load or run its value."""
    name = variable.upper()
    return name in _NAMES or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES)


def _program(word: str) -> str:
    name = word.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".exe")
    return name.rstrip("0123456789.") or name


def interprets(words: Sequence[str]) -> bool:
    """Whether a command line (`command`, then `args`) runs an interpreter of program text.

    Wrappers such as `env` or `timeout` are looked through: any word in front of the first data that
    names a shell or another interpreter counts, since what follows it may be code.
    """
    for word in words:
        program = _program(word)
        if program in _SHELLS or program in _INTERPRETERS:
            return True
        if program not in _WRAPPERS and not word.startswith("-") and "=" not in word and word != words[0]:
            if _program(words[0]) not in _WRAPPERS:
                return False
    return False


def script_words(words: Sequence[str]) -> frozenset[int]:
    """Which words of a command line an interpreter reads as program text, as indexes.

    For `sh -c SCRIPT NAME ARG…` only SCRIPT is text, what follows are data. For an interpreter
    without a recognised script flag every word up to the first plain one is (a file that it runs).
    """
    if not interprets(words):
        return frozenset()
    start = next(
        i for i, w in enumerate(words) if _program(w) in _SHELLS or _program(w) in _INTERPRETERS
    )
    script = set(range(start + 1))
    for index in range(start + 1, len(words)):
        word = words[index]
        script.add(index)
        if _takes_script(word) and index + 1 < len(words):
            script.add(index + 1)
            return frozenset(script)
        if not word.startswith("-") and _program(word) not in _SHELLS:
            return frozenset(script)  # the script's own file name, or an awk/sed program
    return frozenset(script)


def _takes_script(word: str) -> bool:
    """`-c`, `-ec`, `-e`, `--eval`, `-Command`, `/c`: the next word is program text."""
    if word.lower() in {"--eval", "--execute", "-command", "/c", "--run", "--print"}:
        return True
    return word.startswith("-") and not word.startswith("--") and word[-1:] in {"c", "e", "r", "p", "n"}
