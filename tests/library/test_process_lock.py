"""The locks of open libraries, with the calls of Unix and with those of Windows."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from musicapi_nb.library import process_lock


def _lock_byte(file: int, mode: str, _: int) -> None:
    """Lock as msvcrt.locking does: for one handle, with an error if another one has the lock."""
    if sys.platform == "win32":
        raise NotImplementedError
    import fcntl  # noqa: PLC0415 - not on Windows

    fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if mode == "try" else 0))


def _module_for_windows() -> ModuleType:
    """Load process_lock as on Windows, where msvcrt is the module of file locks."""
    spec = importlib.util.spec_from_file_location("process_lock_of_windows", process_lock.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    stand_in = SimpleNamespace(LK_LOCK="wait", LK_NBLCK="try", locking=_lock_byte)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "msvcrt", stand_in)
        patch.setattr(sys, "platform", "win32")
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("calls", ["this system", "Windows"])
def test_a_library_is_alive_until_it_is_closed(calls: str, tmp_path: Path) -> None:
    if calls == "Windows" and sys.platform == "win32":
        pytest.skip("the same as this system")
    module = _module_for_windows() if calls == "Windows" else process_lock
    first, second = (module.ProcessLock(tmp_path / "open") for _ in range(2))
    reader = module.ProcessLock(tmp_path / "open", read_only=True)
    try:
        for other in (second, reader):
            assert other.is_alive(first.id)
            assert not other.is_alive("0000000000000000")
        assert first.is_alive(first.id)
        first.close()
        assert not second.is_alive(first.id)
        assert reader.is_alive(second.id)
    finally:
        first.close()
        second.close()
    assert not reader.is_alive(second.id)
    assert list((tmp_path / "open").iterdir()) == []


@pytest.mark.parametrize("calls", ["this system", "Windows"])
def test_lock_of_an_ended_process_is_removed(calls: str, tmp_path: Path) -> None:
    if calls == "Windows" and sys.platform == "win32":
        pytest.skip("the same as this system")
    module = _module_for_windows() if calls == "Windows" else process_lock
    lock = module.ProcessLock(tmp_path)
    (tmp_path / "of-an-ended-one.lock").touch()
    try:
        assert not lock.is_alive("of-an-ended-one")
        assert [path.stem for path in tmp_path.iterdir()] == [lock.id]
    finally:
        lock.close()
