"""`python -m guitaronline.local` runs the whole product; `… exec -- COMMAND` runs one command beside throw-away servers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import config
from guitaronline.local import ending, folder, process, supervisor, throwaway
from guitaronline.local.errors import StartFailed, Stopped

BAD_SETTINGS, STOPPED = 2, 130


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        settings = config.load()
    except config.BadConfig as error:
        print(error, file=sys.stderr)
        return BAD_SETTINGS
    try:
        ending.listen()
        process.bind_to_my_parent()
        if options.what == "exec":
            return throwaway.execute(options.command, settings)
        if options.what == "wipe":
            folder.wipe(folder.Folder(Path(settings.VAR_DIR).resolve()))
            return 0
        supervisor.start(settings)
    except Stopped:
        supervisor.say("stopped")
        return STOPPED if options.what == "exec" else 0  # a command that was cut short has not succeeded
    except StartFailed as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m guitaronline.local", description=__doc__)
    what = made.add_subparsers(dest="what", metavar="")
    what.add_parser("run", help="the whole product (also without a word)")
    what.add_parser("wipe", help="remove the data of the runs in VAR_DIR")
    execute = what.add_parser("exec", help="one command beside throw-away, migrated servers")
    execute.add_argument("command", nargs="+", metavar="COMMAND", help="after `--`")
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
