"""The profile of a sound, to compare it with others: its harmony, its timbre and a fingerprint.

A profile is small enough to be stored for each song; comparisons need no sound.
`profile_measurement` measures it.
"""

import base64
import io
import zipfile
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

VERSION = "2"
"""Changes whenever a profile can differ for the same file."""
NOTES_PER_SECOND = 2
BITS_PER_SECOND = 10
"""Rates of the two sequences of a profile."""
COEFFICIENTS = 13  # after the first one, which is the level


class Profile(NamedTuple):
    """What is compared of a sound.

    Attributes
    ----------
    notes
        Shares of the twelve notes, from C, in the course of the song: float32 (frames, 12), two
        frames a second; those of silence are 0.
    timbre
        Mean of the mel-frequency cepstral coefficients 1 to 13 of all frames, and their covariance:
        float32 (14, 13), the mean first. The coefficient 0, the level, is left out.
    bits
        Fingerprint: uint32, ten a second. A bit says whether the difference in energy of two
        neighbouring bands rose or fell (Haitsma and Kalker, "A highly robust audio fingerprinting
        system", ISMIR 2002).
    """

    notes: NDArray[np.float32]
    timbre: NDArray[np.float32]
    bits: NDArray[np.uint32]

    def to_text(self) -> str:
        """Return the profile as a text, notes to a 255th."""
        file = io.BytesIO()
        notes = np.round(self.notes * 255).astype(np.uint8)
        np.savez_compressed(file, notes=notes, timbre=self.timbre, bits=self.bits)
        return base64.b64encode(file.getvalue()).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the text of a profile; ValueError if it is not one."""
        try:
            with np.load(io.BytesIO(base64.b64decode(text))) as arrays:
                profile = cls(
                    arrays["notes"].astype(np.float32) / 255, arrays["timbre"], arrays["bits"]
                )
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError("this text is not a profile") from error
        notes, timbre, bits = profile
        has_shapes = notes.shape[1:] == (12,) and timbre.shape == (1 + COEFFICIENTS, COEFFICIENTS)
        if not (has_shapes and len(notes) and bits.ndim == 1 and bits.dtype == np.uint32):
            raise ValueError("this text is not a profile of this version")
        return profile
