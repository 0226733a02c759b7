"""Where results of a measure are looked up and stored: a library, else this process."""

from __future__ import annotations

import dataclasses
import logging

from musicapi_nb.errors import LibraryError
from musicapi_nb.library import Library, Measure, Measurement
from musicapi_nb.library.measurements import dtypes_of, merge_dtypes
from musicapi_nb.measures.worker import Outcome

_log = logging.getLogger(__name__)
_NOT_STORED = (
    "%s; what %r measures is not stored in the library, only in this process until it ends"
)
_in_memory: dict[tuple[str, str, str], Outcome] = {}
"""Results by measure, version and hash, for which there is no library that can be written."""


class ResultStore:
    """The results of one measure by the hash of the file, without errors that are not final."""

    def __init__(self, measure: Measure, library: Library | None) -> None:
        self._measure, self._library = measure, library
        self.name = measure.name
        self._can_write = library is not None
        self.columns = dict(measure.columns)

    def open(self) -> None:
        """Make this version the one that tables show, and read its columns."""
        if self._library is None:
            return
        try:
            self._library.use_measure(self._measure)
        except LibraryError as error:
            self._stop_writing(error)
        for item in self._library.measures():
            if (item.name, item.version) == (self._measure.name, self._measure.version):
                self.columns = merge_dtypes(self.columns, item.columns)

    def get(self, sha256: str) -> Outcome | None:
        """Return the stored outcome of a file; None if it has to be computed."""
        outcome = _in_memory.get((self._measure.name, self._measure.version, sha256))
        if self._library is not None:
            measurement = self._library.measurements(self._measure, [sha256]).get(sha256)
            if measurement is not None:
                outcome = Outcome(measurement.values, measurement.error, final=True)
        if outcome is not None:  # perhaps of another process, with columns of its own
            self.columns = merge_dtypes(self.columns, dtypes_of(outcome.values))
        return outcome

    def put(self, sha256: str, outcome: Outcome) -> None:
        """Store an outcome, unless it is an error that another try may not have."""
        if outcome.error is not None and not outcome.final:
            return
        dtypes = dtypes_of(outcome.values)
        self.columns = merge_dtypes(self.columns, dtypes)
        if self._library is not None and self._can_write:
            try:
                self._library.store_measurements(
                    dataclasses.replace(self._measure, columns=dtypes),
                    [Measurement(sha256, outcome.values, outcome.error)],
                )
            except LibraryError as error:
                self._stop_writing(error)
            else:
                return
        _in_memory[self._measure.name, self._measure.version, sha256] = outcome

    def _stop_writing(self, error: LibraryError) -> None:
        self._can_write = False
        _log.warning(_NOT_STORED, error.message, self._measure.name)
