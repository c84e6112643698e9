"""How a study has its data read: what the files themselves do not say."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FrontEnd:
    """Of the log-mel spectrogram that a recording becomes; see log_mel.py.

    rate: samples per second that recordings are resampled to; seconds: of each that are used;
    window_ms, hop_ms: a window's length and the step to the next, in milliseconds; bands: on the
    mel scale; floor_db, ceiling_db: the powers that become 0 and 1, in decibels.
    """

    rate: int = 8000
    seconds: float = 1.0
    window_ms: float = 40.0
    hop_ms: float = 20.0
    bands: int = 40
    floor_db: float = -60.0
    ceiling_db: float = 40.0

    @property
    def length(self) -> int:
        """Samples of a recording."""
        return round(self.rate * self.seconds)

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.rate * self.window_ms / 1000)

    @property
    def hop(self) -> int:
        """Samples from one window to the next."""
        return round(self.rate * self.hop_ms / 1000)

    @property
    def points(self) -> int:
        """Of the Fourier transform: the power of two that holds a window."""
        return 1 << (self.window - 1).bit_length()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(windows, bands, 1)"""
        return 1 + (self.length - self.window) // self.hop, self.bands, 1

    def changed(self) -> dict[str, Any]:
        """What is not as by default."""
        default = asdict(FrontEnd())
        return {name: v for name, v in asdict(self).items() if v != default[name]}


@dataclass(frozen=True)
class Options:
    """resize: (height, width) that images are brought to; label_column: where the labels stand,
    None where that is plain; audio: what sound becomes."""

    resize: tuple[int, int] | None = None
    label_column: str | None = None
    audio: FrontEnd = FrontEnd()

    def changed(self) -> tuple[str, ...]:
        """The fields that are not as by default."""
        default = Options()
        return tuple(n for n in asdict(self) if getattr(self, n) != getattr(default, n))


DEFAULT = Options()
