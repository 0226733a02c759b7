"""Sonic: songs with vocals, operations on them, voices and uploads."""

from typing import TYPE_CHECKING

from musicapi_nb.engines.sonic._create import AddInstrumental as AddInstrumental
from musicapi_nb.engines.sonic._create import AddVocals as AddVocals
from musicapi_nb.engines.sonic._create import Batch as Batch
from musicapi_nb.engines.sonic._create import Concat as Concat
from musicapi_nb.engines.sonic._create import Cover as Cover
from musicapi_nb.engines.sonic._create import CoverUpload as CoverUpload
from musicapi_nb.engines.sonic._create import Create as Create
from musicapi_nb.engines.sonic._create import Extend as Extend
from musicapi_nb.engines.sonic._create import ExtendUpload as ExtendUpload
from musicapi_nb.engines.sonic._create import PersonaMusic as PersonaMusic
from musicapi_nb.engines.sonic._create import Remaster as Remaster
from musicapi_nb.engines.sonic.clip_tools import AlignedLyrics as AlignedLyrics
from musicapi_nb.engines.sonic.clip_tools import Bpm as Bpm
from musicapi_nb.engines.sonic.clip_tools import CreatePersona as CreatePersona
from musicapi_nb.engines.sonic.clip_tools import CreateVoice as CreateVoice
from musicapi_nb.engines.sonic.clip_tools import Download as Download
from musicapi_nb.engines.sonic.clip_tools import Midi as Midi
from musicapi_nb.engines.sonic.clip_tools import StemsBasic as StemsBasic
from musicapi_nb.engines.sonic.clip_tools import StemsFull as StemsFull
from musicapi_nb.engines.sonic.clip_tools import UpsampleTags as UpsampleTags
from musicapi_nb.engines.sonic.clip_tools import Vox as Vox
from musicapi_nb.engines.sonic.clip_tools import Wav as Wav
from musicapi_nb.engines.sonic.generation import MODELS as MODELS
from musicapi_nb.engines.sonic.remix import Mashup as Mashup
from musicapi_nb.engines.sonic.remix import ReplaceSection as ReplaceSection
from musicapi_nb.engines.sonic.remix import Sample as Sample
from musicapi_nb.engines.sonic.remix import Upload as Upload
from musicapi_nb.engines.sonic.remix import UploadCover as UploadCover
from musicapi_nb.engines.sonic.remix import UploadExtend as UploadExtend
from musicapi_nb.public_names import public_names

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

if not TYPE_CHECKING:
    __getattr__, __dir__ = public_names(__name__, __all__)
