"""The same story in every surrounding: one song is bought once, found, listed and paid once.

The story (`tests/story.py`) is told in a process of its own, against a simulator in this one, which
has the last word about what was bought.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import ssl
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from tests.raw_http_server import KEY, relay
from tests.stderr import lines_of
from tests.story import BEAT

ROOT = Path(__file__).parent.parent
CERTIFICATES = Path(__file__).parent / "certificates"
NEVER_WRITES = 1  # CAP_DAC_OVERRIDE: the superuser may write to read-only files
DROP_CAPABILITY = 24  # PR_CAPBSET_DROP

PREPARE = """
import asyncio, mmap, multiprocessing, os, sys, threading
from pathlib import Path
import musicapi_nb as mnb
from tests.story import *
address, library = sys.argv[1:]
"""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(seconds=(1, 1.2), speed=600)) as simulator:
        yield simulator


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a process with `folder` as its home."""
    homes = {"HOME": str(folder), "USERPROFILE": str(folder)}
    return os.environ | {"PYTHONPATH": str(ROOT)} | homes


def run_story(
    code: str, *arguments: str, folder: Path, flags: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run the code after `PREPARE` in a process of its own; return the facts that it prints."""
    process = subprocess.run(
        [sys.executable, *flags, "-c", PREPARE + textwrap.dedent(code), *arguments],
        cwd=folder,
        env=environment(folder),
        preexec_fn=without_superuser if sys.platform == "linux" and os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert lines_of(process.stderr) == []
    *_, facts = process.stdout.splitlines()
    return dict(json.loads(facts))


def without_superuser() -> None:
    """Make file modes count for the programs that this process starts."""
    if ctypes.CDLL(None).prctl(DROP_CAPABILITY, NEVER_WRITES, 0, 0, 0) != 0:
        raise PermissionError("the superuser's right to write everywhere cannot be given up")


def check_facts(
    facts: Mapping[str, Any], simulator: Simulator, *, bought: str = "before", journal: str = "wal"
) -> None:
    """Assert that the song was bought once, seen everywhere and paid for once."""
    price = BEAT.price()
    (song,) = facts["songs"]
    assert facts == {
        "state": "succeeded",
        "songs": [song],
        "in the library": [song],
        "in the table": [song],
        "files": [True],
        "paid": price,
        "folder": facts["folder"],
        "bought": bought,
        "found": [song],
        "same folder": True,
        "paid at last": price,
        "journal": journal,
    }
    assert len(simulator.request_log.paid) == len(simulator.request_log.posts) == 1
    assert [charge.credits for charge in simulator.accounts.charges()] == [price]


# --- processes and threads -----------------------------------------------------------------

TELL = "tell_and_print(address, library)"
FORKED = """
mnb.connect(simulator=address, library="library of the parent")  # it has a loop and sockets
sys.stdout.flush()  # else the child would print it, too
child = os.fork()
if not child:
    tell_and_print(address, library)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
SPAWNED = """
context = multiprocessing.get_context("spawn")
child = context.Process(target=tell_and_print, args=(address, library))
child.start()
child.join()
assert child.exitcode == 0
"""
THREAD = """
mnb.connect(simulator=address, library="library of the main thread")
thread = threading.Thread(target=tell_and_print, args=(address, library))
thread.start()
thread.join()
"""


@pytest.mark.parametrize(
    ("code", "flags"),
    [
        pytest.param(TELL, ("-W", "error", "-X", "dev"), id="script"),
        pytest.param(
            FORKED,
            ("-W", "ignore:This process:DeprecationWarning"),  # Python's: it has threads
            id="forked child",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork"),
        ),
        pytest.param(SPAWNED, (), id="spawned child"),
        pytest.param(THREAD, ("-W", "error"), id="thread"),
    ],
)
def test_processes_and_threads(
    code: str, flags: tuple[str, ...], simulator: Simulator, tmp_path: Path
) -> None:
    facts = run_story(code, simulator.url, "library", folder=tmp_path, flags=flags)
    check_facts(facts, simulator)


def test_kernel(simulator: Simulator, tmp_path: Path) -> None:
    code = f"""
from tests.story import connect_to, print_facts, tell
print_facts(await tell(connect_to({simulator.url!r}, "library")))"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute(env=environment(tmp_path))
    printed = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
    check_facts(json.loads(printed.splitlines()[-1]), simulator)


# --- folders -------------------------------------------------------------------------------


@pytest.mark.parametrize("home", [True, False], ids=["in the home folder", "above"])
def test_other_working_directory(home: bool, simulator: Simulator, tmp_path: Path) -> None:  # noqa: FBT001 - parametrised
    facts = run_story(
        f"""
        connect = connect_to(address)
        for name in ("project", "project/notebooks", "elsewhere"):
            Path(name).mkdir()
        os.chdir("project")
        if not {home}:
            session = connect()
            name = session.library.path.name
            session.close()
            mnb.Library(name).close()  # from now on it is the project's
        other = "../elsewhere" if {home} else "notebooks"
        print_facts(asyncio.run(tell(connect, lambda: os.chdir(other))))
        """,
        simulator.url,
        "",
        folder=tmp_path,
    )
    check_facts(facts, simulator)
    assert Path(facts["folder"]).parent == (tmp_path if home else tmp_path / "project")


def test_read_only_folders(simulator: Simulator, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("file modes of Windows do not protect a folder")
    facts = run_story(
        """
        working = Path("read-only")
        working.mkdir()
        os.chdir(working)
        shut(Path.cwd())
        connect = connect_to(address, library)
        facts = asyncio.run(tell(connect, lambda: shut(Path(library))))
        for path in Path(library).rglob("*"):
            path.chmod(0o755)
        Path(library).chmod(0o755)
        print_facts(facts)
        """,
        simulator.url,
        str(tmp_path / "library"),
        folder=tmp_path,
    )
    # What was bought is shown; nothing can be bought, not even by mistake.
    check_facts(facts, simulator, bought="LibraryReadOnly")


NETWORK_FOLDER = """
from musicapi_nb.library import file_system
file_system.network_type = lambda _: "nfs4"
def refuse(*_, **__):
    raise OSError(19, "No such device")  # no shared memory
mmap.mmap = refuse
"""


def test_network_folder(simulator: Simulator, tmp_path: Path) -> None:
    code = NETWORK_FOLDER + TELL
    facts = run_story(code, simulator.url, "library", folder=tmp_path)
    check_facts(facts, simulator, journal="rollback")


def test_network_folder_without_locks(simulator: Simulator, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has locks on all file systems")
    code = """
    import errno, fcntl, json
    def lock(*_):
        raise OSError(errno.ENOLCK, "No locks available")
    fcntl.lockf = fcntl.flock = lock
    try:
        connect_to(address, library)()
    except mnb.MusicAPIError as error:
        print_facts({"error": str(error)})
    """
    facts = run_story(
        NETWORK_FOLDER + textwrap.dedent(code), simulator.url, "library", folder=tmp_path
    )
    assert "cannot be locked" in facts["error"]
    assert "local disk" in facts["error"]
    assert simulator.request_log.posts == []


# --- networks ------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def relay_to(
    port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[int]]]:
    """Pass connections on to a port of this machine; yield the own port, and the connections."""
    connections: list[int] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(port)
        await relay(reader, writer, port)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], connections


async def test_proxy(simulator: Simulator, tmp_path: Path) -> None:
    code = f"""
    from musicapi_nb.notebook.event_loop import BackgroundLoop
    def connect():
        client = mnb.MusicAPI(  # as connect() makes it, at the speed of the simulator
            {KEY!r}, base_url="http://localhost:{simulator.port}", proxy=address, speed=600, pace=0,
            ledger=(opened := mnb.Library(library)),
        )
        return Session(client, BackgroundLoop(), library=opened)
    print_facts(asyncio.run(tell(connect)))
    """
    async with relay_to(simulator.port) as (port, connections):
        facts = await asyncio.to_thread(
            run_story, code, f"http://127.0.0.1:{port}", "library", folder=tmp_path
        )
    check_facts(facts, simulator)
    assert connections


AUTHORITY = str(CERTIFICATES / "authority.pem")
WITH_ARGUMENT = f"""
def connect():
    return mnb.connect(simulator=address, library=library, ssl={AUTHORITY!r})
print_facts(asyncio.run(tell(connect)))
"""
FROM_THE_ENVIRONMENT = f"""
os.environ["SSL_CERT_FILE"] = {AUTHORITY!r}  # as late as in a cell
tell_and_print(address, library)
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(FROM_THE_ENVIRONMENT, id="environment"),
        pytest.param(WITH_ARGUMENT, id="argument"),
    ],
)
async def test_own_certificate_authority(code: str, simulator: Simulator, tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATES / "server.pem")
    async with relay_to(simulator.port, tls) as (port, connections):
        address = f"https://localhost:{port}"
        facts = await asyncio.to_thread(run_story, code, address, "library", folder=tmp_path)
    check_facts(facts, simulator)
    assert connections
