"""The front end for sound: log-mel spectrograms, by default of one second at 8 kHz.

    rate        8 kHz, one channel (the mean of several); other rates are resampled
    length      1 s: longer sounds are cut at the end, shorter ones filled with silence
    windows     49 of 40 ms, each 20 ms after the one before, weighted by Hann's
    bands       40 triangles, equally wide on the mel scale (2595 log10(1 + f / 700)) from 20 Hz to
                half the rate, each of height 1, over the power spectrum of 512 points
    value       the band's power in decibels, -60 dB at 0 and 40 dB at 1; beyond that it is cut

VERSION, and what a study sets otherwise, is part of the data's identity; VERSION is raised whenever
the values change.
"""

from functools import lru_cache

import numpy as np

from bench.datasets.reading.options import FrontEnd
from bench.errors import InputError

VERSION = "log-mel 1"
LOWEST_HZ = 20.0
DEFAULT = FrontEnd()


def log_mel(samples: np.ndarray, rate: int, front: FrontEnd = DEFAULT) -> np.ndarray:
    """float32 of the front end's shape, (49, 40, 1) by default, values from 0 to 1.

    samples: float (n,) or (n, channels), full scale being 1; rate: samples per second.
    """
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    used = mono[: int(rate * front.seconds) + 1].astype(np.float64)
    mono = _resampled(used, rate, front.rate)[: front.length]
    mono = np.pad(mono, (0, front.length - len(mono)))
    frames = np.lib.stride_tricks.sliding_window_view(mono, front.window)[:: front.hop]
    # Hann's window in its periodic form, as spectrograms have it.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(front.window) / front.window)
    power = np.abs(np.fft.rfft(frames * window, front.points)) ** 2
    decibels = 10 * np.log10(np.maximum(power @ bands(front), 1e-30))
    scaled = (decibels - front.floor_db) / (front.ceiling_db - front.floor_db)
    found: np.ndarray = np.clip(scaled, 0, 1).astype(np.float32)[..., None]
    return found


@lru_cache(maxsize=8)
def bands(front: FrontEnd = DEFAULT) -> np.ndarray:
    """float64 (points / 2 + 1, bands): the weight of each frequency in each band."""
    edges = _hertz(np.linspace(_mel(LOWEST_HZ), _mel(front.rate / 2), front.bands + 2))
    frequencies = np.fft.rfftfreq(front.points, 1 / front.rate)[:, None]
    below, centre, above = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - below) / (centre - below)
    falling = (above - frequencies) / (above - centre)
    weights: np.ndarray = np.maximum(0, np.minimum(rising, falling))
    return weights


def check(front: FrontEnd) -> None:
    """Raises InputError naming the field of a front end that gives no spectrogram."""
    if front.window > front.length or front.hop < 1 or front.window < 2:
        raise InputError(
            "audio",
            f"windows of {front.window} samples, {front.hop} apart, in {front.length} samples",
            "allowed: at least one window of two samples, and a step of one",
        )
    if front.floor_db >= front.ceiling_db:
        raise InputError(
            "audio",
            f"floor_db = {front.floor_db:g} and ceiling_db = {front.ceiling_db:g}",
            "allowed: a floor below the ceiling",
        )
    empty = int((bands(front).sum(axis=0) == 0).sum())
    if empty:
        raise InputError(
            "audio.bands",
            f"{front.bands}, of which {empty} hold no frequency of a window of {front.window_ms:g} "
            f"ms at {front.rate:,} samples a second",
            "allowed: fewer bands, or longer windows",
        )


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: np.ndarray) -> np.ndarray:
    hertz: np.ndarray = 700 * (10 ** (mel / 2595) - 1)
    return hertz


def _resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    if rate == wanted:
        return samples
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(rate, wanted)
    found: np.ndarray = resample_poly(samples, wanted // common, rate // common)
    return found
