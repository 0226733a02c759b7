"""The command line: buy songs, check plans, run experiments and export, without a notebook."""

try:
    from musicapi_nb.cli._main import main
except Exception:  # another package may be too old
    from musicapi_nb.requirements import old_dependency

    if error := old_dependency():
        raise SystemExit(str(error)) from None
    raise

__all__ = ["main"]
