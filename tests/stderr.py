"""What a process wrote to stderr, as tests compare it."""


def lines_of(stderr: str) -> list[str]:
    """Return the lines without asyncio's notes about slow callbacks, which other load causes."""
    return [line for line in stderr.splitlines() if not line.startswith("Executing <")]
