"""``memwarden ctl``: ask the guard that runs, or tell it something."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from memwarden.cli import common
from memwarden.cli.main import CANNOT, DONE
from memwarden.errors import InputError

if TYPE_CHECKING:
    import argparse

HELP = "ask the running guard how it is, pause or resume it"
EPILOG = """\
examples:
  sudo memwarden ctl status       how it is, and what it could not get
  sudo memwarden ctl pause        go on looking and recording, decide nothing
  sudo memwarden ctl resume
  sudo memwarden ctl dump         put the last minutes aside, as at a death
  sudo memwarden ctl reload       take the policy anew, as on SIGHUP

A guard that is paused first undoes what it has throttled or frozen. The socket
is root's alone. Exits with 3 when the guard says that it could not be done.
"""
COMMANDS = ("status", "pause", "resume", "dump", "reload")
WAIT_S = 10.0
RELOAD_S = 40.0
"""A guard gives up reading its policy after 30 s, and says so at its next turn."""
LONGEST = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=", ".join(COMMANDS))
    parser.add_argument(
        "--run",
        metavar="DIR",
        default="/run/memwarden",
        dest="run_directory",
        help="where the guard has its socket (default: /run/memwarden)",
    )
    common.add_format_option(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, and print the answer."""
    from memwarden.present import ctl

    answer = _ask(f"{args.run_directory}/socket", args.command)
    if not ctl.is_answer(answer):
        raise InputError(f"{args.run_directory}/socket: what listens there is no guard of this version")
    if args.format == "json":
        common.write_json(answer)
    elif answer["error"]:
        raise InputError(str(answer["error"]))
    else:
        common.write(ctl.text(answer, width=common.width()))
    return CANNOT if answer["error"] else DONE


def _ask(path: str, command: str) -> Any:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(RELOAD_S if command == "reload" else WAIT_S)
        try:
            peer.connect(path)
            peer.sendall(json.dumps({"command": command}).encode() + b"\n")
            said = bytearray()
            while len(said) < LONGEST and (more := peer.recv(1 << 16)):
                said += more
        except TimeoutError:
            raise InputError(f"{path}: the guard does not answer; see journalctl -t memwarden") from None
        except PermissionError:
            raise InputError(f"{path}: only root may ask the guard; try with sudo") from None
        except OSError as error:
            raise InputError(
                f"{path}: no guard runs here ({error.strerror or error}); --run says where"
            ) from None
    try:
        return json.loads(said)
    except ValueError:
        return None
