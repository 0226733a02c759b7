"""Nuro: its own word lists, ranges and error type (service.md 8, 13), one song a task. No I/O."""

import unicodedata
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from musicapi_nb.simulator import tag_rewriting
from musicapi_nb.simulator.catalog import Call, Operation
from musicapi_nb.simulator.music.lyric_writer import make_title
from musicapi_nb.simulator.music.recording import Recording
from musicapi_nb.simulator.replies import Answer, Links, duration_of, state_word
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.requested_sound import tempo_and_key
from musicapi_nb.simulator.rules import Body, Refusal
from musicapi_nb.simulator.songs import make_id
from musicapi_nb.simulator.tasks import Phase, Song, Task
from musicapi_nb.simulator.vocabulary import word_lists

LYRICS_LIMIT = 2000
DESCRIPTION_LIMIT = 200
CHOICES_LIMIT = 5
VOCAL_SECONDS = (30, 240)
BGM_SECONDS: Mapping[str, tuple[int, int]] = {"v1.0": (1, 60), "v2.0": (30, 120)}
SEGMENT_SECONDS = (5, 120)
SEGMENTS: tuple[str, ...] = ("intro", "verse", "chorus", "inst", "bridge", "outro")


VOCAL_WORDS = word_lists("""
gender: Female, Male;
genre: Folk, Pop, Rock, Chinese Style, Hip Hop/Rap, R&B/Soul, Punk, Electronic, Jazz, Reggae, DJ,
Pop Punk, Disco, Future Bass, Pop Rap, Trap Rap, R&B Rap, Chinoiserie Electronic, GuFeng Music,
Pop Rock, Jazz Pop, Bossa Nova, Contemporary R&B;
mood: Happy, Dynamic/Energetic, Sentimental/Melancholic/Lonely, Inspirational/Hopeful,
Nostalgic/Memory, Excited, Sorrow/Sad, Chill, Romantic, Miss, Groovy/Funky, Dreamy/Ethereal,
Calm/Relaxing;
timbre: Warm, Bright, Husky, Electrified voice, Sweet_AUDIO_TIMBRE, Cute_AUDIO_TIMBRE,
Loud and sonorous, Powerful, Sexy/Lazy
""")
BGM_WORDS = word_lists("""
genre: corporate, dance/edm, orchestral, chill out, rock, hip hop, folk, funk, ambient, holiday,
jazz, kids, world, travel, commercial, advertising, driving, cinematic, upbeat, epic, inspiring,
business, video game, dark, pop, trailer, modern, electronic, documentary, soundtrack, fashion,
acoustic, movie, tv, high tech, industrial, dance, video, vlog, marketing, game, radio,
promotional, sports, party, summer, beauty;
mood: positive, uplifting, energetic, happy, bright, optimistic, hopeful, cool, dreamy, fun,
light, powerful, calm, confident, joyful, dramatic, peaceful, playful, soft, groovy, reflective,
easy, relaxed, lively, smooth, romantic, intense, elegant, mellow, emotional, sentimental,
cheerful happy, contemplative, soothing, proud, passionate, sweet, mystical, tranquil, cheerful,
casual, beautiful, ethereal, melancholy, sad, aggressive, haunting, adventure, serene, sincere,
funky, funny;
instrument: piano, drums, guitar, percussion, synth, electric guitar, acoustic guitar,
bass guitar, brass, violin, cello, flute, organ, trumpet, ukulele, saxophone, double bass, harp,
glockenspiel, synthesizer, keyboard, marimba, bass, banjo, strings;
theme: inspirational, motivational, achievement, discovery, every day, love, technology,
lifestyle, journey, meditation, drama, children, hope, fantasy, holiday, health, family,
real estate, media, kids, science, education, progress, world, vacation, training, christmas,
sales
""")


def _require(condition: object, message: str) -> None:
    if not condition:
        raise Refusal(400, "bad_request", message)


def _text_of(body: Body, name: str) -> str:
    value = body.get(name)
    _require(isinstance(value, str) and value.strip(), f"{name} is required")
    return str(value)


def _check(call: Call) -> None:
    body, kind = call.body, call.body.get("type")
    _require(kind in ("vocal", "bgm"), "type must be vocal or bgm")
    if kind == "bgm":
        _check_bgm(body)
        return
    lyrics = _text_of(body, "lyrics")
    _require(len(lyrics) <= LYRICS_LIMIT, f"lyrics must be at most {LYRICS_LIMIT} characters")
    _require(_is_chinese_or_english(lyrics), "Only Chinese and English lyrics are supported")
    for name, words in VOCAL_WORDS.items():
        _require(body.get(name) in (None, *words), f"{name} is not supported: {body.get(name)}")
    _check_seconds(body.get("duration"), VOCAL_SECONDS, "vocal songs")


def _check_bgm(body: Body) -> None:
    description, version = _text_of(body, "description"), str(body.get("version", "v1.0"))
    _require(version in BGM_SECONDS, "version must be v1.0 or v2.0")
    limit = f"description must be less than {DESCRIPTION_LIMIT} characters"
    _require(version == "v1.0" or len(description) < DESCRIPTION_LIMIT, limit)
    for name, words in BGM_WORDS.items():
        _check_choices(body.get(name), words, name)
    if body.get("segments") is not None:
        _check_segments(body["segments"], version)
    else:
        _check_seconds(body.get("duration"), BGM_SECONDS[version], "background music")


def _check_segments(segments: Any, version: str) -> None:
    _require(version == "v2.0", "segments needs version v2.0")
    _require(isinstance(segments, list) and segments, "segments must be a list")
    names = f"a segment's name must be one of {', '.join(SEGMENTS)}"
    for segment in segments:
        _require(isinstance(segment, Mapping) and segment.get("name") in SEGMENTS, names)
        _check_seconds(segment.get("duration", -1), SEGMENT_SECONDS, "segments")
    total = sum(segment["duration"] for segment in segments)
    _check_seconds(total, BGM_SECONDS["v2.0"], "all segments together")


def _check_choices(choices: Any, words: Sequence[str], name: str) -> None:
    if choices is not None:
        several = isinstance(choices, list) and len(choices) <= CHOICES_LIMIT
        _require(several, f"{name} must be a list of at most {CHOICES_LIMIT}")
        for choice in choices:
            _require(choice in words, f"{name} is not supported: {choice}")


def _check_seconds(value: Any, limits: tuple[int, int], subject: str) -> None:
    low, high = limits
    within = value is None or (type(value) is int and low <= value <= high)
    _require(within, f"Duration must be between {low} and {high} seconds for {subject}")


def _is_chinese_or_english(text: str) -> bool:
    """Return whether at least half of the letters are Latin or Chinese, as nuro requires."""
    letters = [character for character in text if character.isalpha()]
    count = sum(unicodedata.name(letter, "").startswith(("LATIN", "CJK")) for letter in letters)
    return 2 * count >= len(letters)


def _songs(call: Call) -> tuple[Song, ...]:
    """Make nuro's one song; a genre, mood or voice that the request leaves open is drawn."""
    body, seed = call.body, f"{call.seed}/0"
    rng = Random(seed)
    vocal = body["type"] == "vocal"
    voice: tuple[str, ...] = ()
    if vocal:
        details = {name: body.get(name) or rng.choice(words) for name, words in VOCAL_WORDS.items()}
        seconds = float(body.get("duration") or rng.uniform(*call.catalog.seconds))
        text, lyrics = " ".join(details.values()), str(body["lyrics"])
        voice = (f"{details['gender'].lower()} vocals",)
    else:
        chosen = {name: body.get(name) or rng.sample(words, 1) for name, words in BGM_WORDS.items()}
        details = {name: ", ".join(words) for name, words in chosen.items()}
        text = ", ".join((str(body["description"]), *list(details.values())[:3]))
        details |= {"gender": "", "timbre": ""}
        segments = sum(segment["duration"] for segment in body.get("segments") or ())
        seconds, lyrics = float(segments or body.get("duration") or 60), ""
    tags = tag_rewriting.split(tag_rewriting.requested_text(text.replace("/", ", ")))
    song = Song(
        song_id=make_id(seed),
        title=make_title(text, rng),
        tags=tags,
        lyrics=lyrics,
        recording=Recording(
            *(seed, (*tags, *voice), round(seconds, 5), not vocal),
            **tempo_and_key(call, text, seed),
        ),
        model="nuro",
        audio_format="wav",
        details=details,
    )
    return (song,)


def poll(task: Task, now: float, options: ReplyOptions, links: Links) -> Answer:
    """Return the reply to a poll: a flat object, with empty values until the song is done."""
    phase, song = task.phase(now), task.songs[0]
    done = phase is Phase.SUCCEEDED
    details = song.details if done else {}
    body = {
        "task_id": task.task_id,
        "status": state_word(task, phase),
        "progress": task.progress(now),
        "audio_url": links.audio(song) if done else "",
        "lyrics": song.lyrics if done else "",
        "duration": duration_of(task, song) if done else 0,
        **{name: details.get(name, "") for name in ("genre", "mood", "gender", "timbre")},
    }
    if phase is not Phase.FAILED:
        return Answer(200, body)
    problem = {"type": "api_error", "message": task.failure, "refund_processed": task.refunded}
    if options.nuro_failure == "error":
        return Answer(500, problem)
    return Answer(200, {**body, **problem})


CREATE = Operation("nuro.create", 10, _check, _songs, 27.0)
