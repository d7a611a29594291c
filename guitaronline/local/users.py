"""As whom the embedded servers run. PostgreSQL refuses to be root, and a clone may lie in a folder that only root can enter."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from pathlib import Path

from guitaronline.local.errors import StartFailed

USERS_TRIED = ("postgres", "nobody")
ServerUser = pwd.struct_passwd | None  # None: we ourselves
CAPABILITY_BITS = {"dac_read_search": 2, "dac_override": 1}  # linux/capability.h; containers often hold only the second


def server_user(data: Path) -> ServerUser:
    """The user for the servers whose data lie in `data`: None = we ourselves; for root the owner of the data, else another.

    Raises StartFailed when the data belong to somebody we cannot become."""
    owner = data.stat().st_uid if data.exists() else 0
    if os.geteuid() != 0:
        if data.exists() and owner != os.geteuid():
            raise StartFailed(f"{data} belongs to another user: start as that user, or set VAR_DIR to another folder")
        return None
    return user_of(owner) if owner else some_user()


def user_of(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise StartFailed(f"the data belong to user id {uid}, which this machine does not know") from None


def some_user() -> pwd.struct_passwd:
    for name in USERS_TRIED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StartFailed(
        "PostgreSQL must not run as root, and there is no user `postgres` or `nobody`: start as an ordinary user"
    )


def as_user(user: ServerUser, *, reach: list[Path], stop_signal: int = signal.SIGTERM) -> list[str]:
    """The beginning of a command line that makes the rest of it run as `user`; nothing when that is we.

    Folders above `reach` may be closed to that user. They are never opened: the process is given the right to read
    and search, and no other, and only where it is needed."""
    if user is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StartFailed("to start as root `setpriv` is needed (package util-linux); or start as an ordinary user")
    rights = "-all" if all(map(open_to_all, reach)) else f"-all,+{right_to_read()}"
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        f"--inh-caps={rights}",
        f"--ambient-caps={rights}",
        f"--bounding-set={rights}",
        "--securebits=+no_setuid_fixup",  # else access(2), which PostgreSQL asks about its own programs, disregards the right
        "--no-new-privs",
        f"--pdeathsig={signal.Signals(stop_signal).name.removeprefix('SIG')}",  # a change of user clears an earlier one
    ]


def open_to_all(path: Path) -> bool:
    """Whether every user may pass through every folder above `path`."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def right_to_read() -> str:
    """The smallest capability we hold that leads into a closed folder."""
    held = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
    for name, bit in CAPABILITY_BITS.items():
        if held >> bit & 1:
            return name
    raise StartFailed(
        "PostgreSQL runs as another user, to whom this folder is closed: start elsewhere, or as an ordinary user"
    )


def give(path: Path, user: ServerUser) -> None:
    """`path` belongs to `user` and nobody else sees into it."""
    path.chmod(0o700 if path.is_dir() else 0o600)
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
