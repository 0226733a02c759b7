"""Sonic: songs with vocals, operations on them, voices and uploads."""

from musicapi_nb.engines.sonic.batch import Batch
from musicapi_nb.engines.sonic.clip_tools import (
    AlignedLyrics,
    Bpm,
    Download,
    Midi,
    StemsBasic,
    StemsFull,
    UpsampleTags,
    Wav,
)
from musicapi_nb.engines.sonic.create import (
    AddInstrumental,
    AddVocals,
    Concat,
    Cover,
    CoverUpload,
    Create,
    Extend,
    ExtendUpload,
    PersonaMusic,
    Remaster,
)
from musicapi_nb.engines.sonic.generation import MODELS
from musicapi_nb.engines.sonic.remix import Mashup, ReplaceSection, Sample
from musicapi_nb.engines.sonic.uploads import Upload, UploadCover, UploadExtend
from musicapi_nb.engines.sonic.voices import CreatePersona, CreateVoice, Vox

__all__ = [
    "MODELS",
    "AddInstrumental",
    "AddVocals",
    "AlignedLyrics",
    "Batch",
    "Bpm",
    "Concat",
    "Cover",
    "CoverUpload",
    "Create",
    "CreatePersona",
    "CreateVoice",
    "Download",
    "Extend",
    "ExtendUpload",
    "Mashup",
    "Midi",
    "PersonaMusic",
    "Remaster",
    "ReplaceSection",
    "Sample",
    "StemsBasic",
    "StemsFull",
    "Upload",
    "UploadCover",
    "UploadExtend",
    "UpsampleTags",
    "Vox",
    "Wav",
]
