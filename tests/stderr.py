"""What a process wrote to stderr, as tests compare it."""

# asyncio's notes about slow callbacks, which other load causes; libmpg123's about odd MP3 frames
_NOTES = ("Executing <", "[src/libmpg123/")


def lines_of(stderr: str) -> list[str]:
    """Return the lines without notes of libraries that say nothing about the package."""
    return [line for line in stderr.splitlines() if not line.startswith(_NOTES)]
