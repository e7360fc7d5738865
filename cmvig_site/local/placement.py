"""Decides under which account, and where, the embedded server runs: PostgreSQL refuses to run as root."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cmvig_site.local import binaries
from cmvig_site.local.problems import Problem

LESSER_ACCOUNTS = ("postgres", "nobody")
ELSEWHERE = Path("/var/lib")


@dataclass(frozen=True)
class Placement:
    """Where the data and programs are, and how a process of the server is started.

    `prefix` goes before the command; `account` is the account to become, None for our own. `manner` is one of
    "own account", "account NAME", "user namespace": what the tests and the first line of the log say.
    """

    data: Path
    programs: Path
    major: int
    manner: str = "own account"
    prefix: tuple[str, ...] = ()
    account: pwd.struct_passwd | None = None

    def command(self, program: str, *arguments: object) -> list[str]:
        """The full command line of one of the server's programs."""
        return [*self.prefix, str(self.programs / program), *map(str, arguments)]

    def popen_options(self) -> dict:
        """What subprocess needs: a clean environment, a neutral directory and, for root, the lesser account."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_ALL": "C"}
        options: dict = {"cwd": "/", "env": environment}
        if self.account:
            options |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return options

    def make_private(self, directory: Path) -> None:
        """Make a directory that only the server's account (and root) can enter."""
        directory.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            os.chown(directory, self.account.pw_uid, self.account.pw_gid)


def place(data: Path) -> Placement:
    """Choose for one data directory, and the programs that fit it. Nothing that exists is ever made readable to others.

    - anybody but root: our own account;
    - root: the account that owns the data, else `postgres` or `nobody`, if it can reach data and programs;
    - root below a private directory such as /root: a user namespace, in which root's files belong to `nobody`;
    - root where user namespaces are refused: data and, if need be, a copy of the programs below /var/lib.

    Raises Problem when the data belong to somebody else, or to a version of PostgreSQL that is not here.
    """
    owner_uid = data.stat().st_uid if data.exists() else None
    moved = ELSEWHERE / f"cmvig-{_short_hash(data)}"
    if os.geteuid() != 0:
        if owner_uid not in (None, os.geteuid()):
            owner = pwd.getpwuid(owner_uid).pw_name
            raise Problem(
                f"{data} belongs to {owner}: start as that account or as root, or set CMVIG_VAR to a directory of your own."
            )
        return _here(data)
    here = _here(moved / "data" if (moved / "data").exists() else data)
    if here.data == data:
        for account in _accounts(owner_uid):
            stepped_down = replace(here, account=account, manner=f"account {account.pw_name}")
            if _reaches(stepped_down):
                return stepped_down
        if owner_uid in (None, 0) and (inside := _in_user_namespace(here)):
            return inside
        if data.exists():
            raise Problem(
                f"PostgreSQL refuses to run as root, no other account reaches {data}, and user namespaces are refused."
            )
    return _elsewhere(here, moved)


def _here(data: Path) -> Placement:
    """On these data, as ourselves, with the programs of the version that made them."""
    version = data / "PG_VERSION"
    found = binaries.find(major=int(version.read_text()) if version.exists() else None)
    return Placement(data, found.directory, found.major)


def _accounts(owner_uid: int | None) -> Iterator[pwd.struct_passwd]:
    if owner_uid is not None:
        if owner_uid != 0:
            yield pwd.getpwuid(owner_uid)
        return
    for name in LESSER_ACCOUNTS:
        try:
            yield pwd.getpwnam(name)
        except KeyError:
            continue


def _reaches(placement: Placement) -> bool:
    """Whether the account can run the programs and enter the directory of the data: tried, not worked out from modes."""
    probe = ["sh", "-c", '"$1" --version && test -x "$2"', "sh", placement.programs / "postgres", placement.data.parent]
    return _succeeds(probe, placement)


def _in_user_namespace(here: Placement) -> Placement | None:
    nobody = pwd.getpwnam("nobody")
    prefix = ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
    inside = replace(here, prefix=prefix, manner="user namespace")
    return inside if _succeeds([*prefix, "true"], inside) else None


def _elsewhere(here: Placement, moved: Path) -> Placement:
    account = next(_accounts(None), None)
    if account is None:
        raise Problem("PostgreSQL refuses to run as root, and this machine has neither an account postgres nor nobody.")
    moved.mkdir(mode=0o755, exist_ok=True)
    moved.chmod(0o755)
    placement = replace(here, data=moved / "data", account=account, manner=f"account {account.pw_name}")
    if not _reaches(placement):
        placement = replace(placement, programs=_copied(here.programs, moved))
    return placement


def _copied(programs: Path, moved: Path) -> Path:
    """Copy the tree the programs belong to (…/bin, …/lib, …/share, and the wheel's libraries beside it), once per version."""
    tree = programs.parent
    package = tree.parent
    stamp = _short_hash(f"{programs} {(programs / 'postgres').stat().st_mtime_ns}")
    kept = moved / f"programs-{stamp}"
    if not kept.exists():
        for old in moved.glob("programs-*"):
            shutil.rmtree(old)
        unfinished = moved / "programs-unfinished"
        shutil.copytree(tree, unfinished / package.name / tree.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        unfinished.chmod(0o755)
        (unfinished / package.name).chmod(0o755)
        unfinished.rename(kept)
    return kept / package.name / tree.name / programs.name


def _succeeds(command: list, placement: Placement) -> bool:
    try:
        return subprocess.run(command, capture_output=True, **placement.popen_options()).returncode == 0
    except OSError:
        return False


def _short_hash(value: object) -> str:
    return hashlib.sha256(str(value).encode()).hexdigest()[:12]
