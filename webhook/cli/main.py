"""The command `initject`: which verbs there are, how they are found, and how a run ends.

A verb is imported only when it is called, so that `--help` and `version` start at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from webhook.errors import InitjectError, PatchError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Each verb is the click command `command` of `webhook.cli.<verb>`; its own help starts with this.
VERBS: Mapping[str, str] = {
    "check": "Find every problem in policies.",
    "preview": "Show what would happen to manifests.",
    "explain": "Say why a policy applies to a pod, or does not.",
    "test": "Run test cases: folders of policy, pod and expected result.",
    "serve": "Answer the API server over HTTPS, with policies from files or a cluster.",
    "schema": "Print the CRDs, or a JSON Schema for editors.",
    "certs": "Write a throw-away CA and a certificate for local work, and say how to use them.",
    "emergency": "Take Initject out of the way of pods, and bring it back.",
    "wait": "Wait until something is there: a port, a page, a database, a Job that has completed.",
    "fetch": "Bring files into a volume: all that was asked for, proven, or none.",
    "version": "Print the version.",
}

NAME = "initject"  # also when it is started as `python -m webhook`
COMPLETE = "_INITJECT_COMPLETE"  # what the shell's completion asks, as click names it
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
PIPE_CLOSED = 141  # 128 + SIGPIPE: what `initject … | head` gives like any other program

EPILOG = """\b
Exit status: 0 fine, 1 problems found or a test failed, 2 wrong usage.
Completion:  eval "$(_INITJECT_COMPLETE=bash_source initject)"   (or zsh_source; in fish:
             _INITJECT_COMPLETE=fish_source initject | source)
"""


class Verbs(click.Group):
    """A group that knows its verbs by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported now, or None."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"webhook.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What can follow `initject`, without importing any verb."""
        from click.shell_completion import CompletionItem

        verbs = [
            CompletionItem(name, help=text)
            for name, text in VERBS.items()
            if name.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


@click.command(
    cls=Verbs,
    epilog=EPILOG,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Inject init containers into pods, by policy."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """Runs the command line and ends the process with its exit status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs `initject` with `arguments`, prints, and returns the exit status."""
    try:
        status = _invoke(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain about it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.ClickException, InitjectError) as error:
        click.echo(_sentence(error), err=True)
        return _status(error)
    return status if isinstance(status, int) else 0


def _invoke(arguments: Sequence[str]) -> object:
    """Click's own `main` without its handling of errors, which ends a closed pipe with status 1."""
    asked = os.environ.get(COMPLETE)
    if asked:
        from click.shell_completion import shell_complete

        return shell_complete(command, {}, NAME, COMPLETE, asked)
    with command.make_context(NAME, list(arguments)) as context:
        return command.invoke(context)


def _status(error: Exception) -> int:
    if isinstance(error, UsageError):
        return click.UsageError.exit_code
    return error.exit_code if isinstance(error, click.ClickException) else 1


def _sentence(error: Exception) -> str:
    """One plain line, also instead of click's usage block."""
    if isinstance(error, PatchError):
        return f"{NAME}: internal error, please report it: {error}"
    if not isinstance(error, click.ClickException):
        return "\n".join(f"{NAME}: {line}" for line in str(error).splitlines())
    message = error.format_message().strip().removesuffix(".")
    if not isinstance(error, click.UsageError):
        return f"{NAME}: {message}"
    path = error.ctx.command_path if error.ctx else NAME
    return f"{path}: {message}; see {path} --help"
