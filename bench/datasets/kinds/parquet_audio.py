"""A folder of Parquet as on the Hugging Face hub, of sound: WAV of about a second, and labels."""

import io
import json
import re
import warnings
from importlib.metadata import version

import numpy as np

from bench.datasets import Source
from bench.datasets.reading.examples import Groups, source
from bench.datasets.reading.images import Undecodable
from bench.datasets.reading.labels import Labels
from bench.datasets.reading.log_mel import VERSION, log_mel
from bench.datasets.reading.options import DEFAULT, FrontEnd, Options

EXAMPLE = "./sounds (Parquet)"
COLUMNS = ("audio", "speech", "sound")
HIGHEST_RATE = 384_000

_SPOKEN = re.compile(r"(?P<word>[^_/]+)_(?P<speaker>[^_/]+)_\d+\.\w+")


def recognize(name: str, where: str, options: Options = DEFAULT) -> Source | None:
    """A Parquet file, or a folder of such, with a column of sound by one of its names."""
    sounds = Sounds(options.audio)
    return source(name, where, COLUMNS, sounds, options, _speakers, sounds.version, by_type=False)


class Sounds:
    """The decoder of WAV files: log-mel spectrograms, see log_mel.py."""

    dtype = np.dtype(np.float32)
    scale = 1.0
    allowed = "allowed: WAV, uncompressed"
    takes = frozenset({"audio"})

    def __init__(self, front: FrontEnd = DEFAULT.audio) -> None:
        self.front = front
        changed = front.changed()
        self.version = f"{VERSION} {json.dumps(changed, sort_keys=True)}" if changed else VERSION
        """Part of the data's identity."""

    def versions(self) -> dict[str, str]:
        return {"sounds": self.version} | {name: version(name) for name in ("numpy", "scipy")}

    def notes(self) -> tuple[str, ...]:
        changed = self.front.changed()
        said = ", ".join(f"{name} = {value:g}" for name, value in changed.items())
        return (f"sound: log-mel spectrograms with {said}",) if changed else ()

    def first(self, blob: bytes) -> np.ndarray:
        """float32 (windows, bands, 1). Raises Undecodable."""
        samples, rate = _wav(blob)
        return log_mel(samples, rate, self.front)

    def into(self, blob: bytes, out: np.ndarray) -> None:
        """Decode into float32 (windows, bands, 1). Raises Undecodable."""
        assert out.shape == self.front.shape
        out[...] = self.first(blob)


def _wav(blob: bytes) -> tuple[np.ndarray, int]:
    """float64 samples, full scale being 1, and their rate. Raises Undecodable."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that it skips
            rate, samples = wavfile.read(io.BytesIO(blob))
    except Exception:  # SciPy's reader raises what it likes on bytes that are damaged
        raise Undecodable("bytes that are no sound") from None
    if not 0 < rate <= HIGHEST_RATE or not samples.size:
        raise Undecodable(f"{samples.size} samples at {rate} a second")
    if samples.dtype == np.uint8:  # WAV's 8 bits have no sign
        return (samples.astype(np.float64) - 128) / 128, rate
    if samples.dtype.kind == "i":
        return samples / float(-np.iinfo(samples.dtype).min), rate
    if not np.isfinite(samples).all():
        raise Undecodable("samples that are not finite")
    return samples.astype(np.float64), rate


def _speakers(paths: tuple[str, ...], labels: Labels, names: tuple[str, ...]) -> Groups:
    """Speakers by file names such as 7_jackson_32.wav, if all are so and begin with the label."""
    known = labels.words or names
    speakers = []
    for path, code in zip(paths, labels.codes.tolist(), strict=False):
        match = _SPOKEN.fullmatch(path.rsplit("/", 1)[-1])
        if match is None or match["word"] not in {str(code), *known[code : code + 1]}:
            return None
        speakers.append(match["speaker"])
    if not speakers:
        return None
    return "groups: the speakers in the file names (label_speaker_number)", tuple(speakers)
