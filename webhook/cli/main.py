"""The command `initject`: which verbs there are, how they are found, and how a run ends.

A verb is imported only when it is called, so that `--help` and `version` start at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from webhook.errors import InitjectError, UsageError

# Each verb is the click command `command` of `webhook.cli.<verb>`; its own help starts with this.
VERBS: Mapping[str, str] = {
    "check": "Find every problem in policies.",
    "preview": "Show what would happen to manifests.",
    "explain": "Say why a policy applies to a pod, or does not.",
    "test": "Run test cases: folders of policy, pod and expected result.",
    "serve": "Answer the API server over HTTPS.",
    "schema": "Print the CRDs, or a JSON Schema for editors.",
    "certs": "Make a local CA and a server certificate.",
    "version": "Print the version.",
}

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
        status = command.main(list(arguments), prog_name="initject", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain about it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        return _complain(_sentence(error), error.exit_code)
    except UsageError as error:
        return _complain(f"initject: {error}", click.UsageError.exit_code)
    except InitjectError as error:
        return _complain(f"initject: {error}", 1)
    return status if isinstance(status, int) else 0


def _complain(line: str, status: int) -> int:
    click.echo(line, err=True)
    return status


def _sentence(error: click.ClickException) -> str:
    """One plain line instead of click's usage block."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "initject"
    message = error.format_message().strip().removesuffix(".")
    if isinstance(error, click.UsageError):
        return f"{path}: {message}; see {path} --help"
    return f"{path}: {message}"
