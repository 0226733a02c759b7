"""What a notebook touches: connect(), jobs that show themselves, the opt-in nested loop."""

from musicapi_nb.notebook.connecting import connect, form
from musicapi_nb.notebook.handle import Handle
from musicapi_nb.notebook.job import Job
from musicapi_nb.notebook.nested import enable_nested_asyncio

__all__ = ["Handle", "Job", "connect", "enable_nested_asyncio", "form"]
