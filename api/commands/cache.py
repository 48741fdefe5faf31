"""`arignote cache`: what the cache of compiled kernels holds."""

from __future__ import annotations

import argparse

from arignote.commands.common import FAILED, CommandError

SUMMARY = "show or clear the cache of compiled kernels"
MORE = "Show what the cache of compiled kernels holds, or remove it all: kernels are compiled anew then."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("action", choices=["info", "clear"], help="what to do")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from arignote.compile.disk import cache_info, clear_cache
    from arignote.compile.sizes import size_text

    try:
        info = cache_info()
        if options.action == "clear":
            clear_cache()
    except OSError as error:
        raise CommandError(error, FAILED) from None
    except ValueError as error:  # a variable of the environment that is no size
        raise CommandError(error) from None
    held = f"{info.files} files, {size_text(info.bytes)}"
    if options.action == "clear":
        print(f"removed {held} from {info.folder}")
    else:
        print(f"{info.folder}: {held} of at most {size_text(info.limit)}")
    return 0
