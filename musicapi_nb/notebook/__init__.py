"""Connecting from a notebook: sessions, jobs with live display, and optional nested asyncio."""

from musicapi_nb.notebook._connect import connect, form
from musicapi_nb.notebook.job import Job
from musicapi_nb.notebook.nest_asyncio import enable_nested_asyncio
from musicapi_nb.notebook.session import Session

__all__ = ["Job", "Session", "connect", "enable_nested_asyncio", "form"]
