"""`arignote summary`: the table of a network."""

from __future__ import annotations

import argparse

from arignote.commands.networks import HELP, read_network

SUMMARY = "show the layers of a network"
MORE = "Show what each layer of a network gives, holds, works and sees."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("network", metavar="NET", help=HELP)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    network, _ = read_network(options.network)
    print(network.summary())
    return 0
