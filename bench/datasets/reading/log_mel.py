"""The front end for sound: log-mel spectrograms of one second, with fixed parameters.

    rate        8 kHz, one channel (the mean of several); other rates are resampled
    length      1 s: longer sounds are cut at the end, shorter ones filled with silence
    windows     49 of 40 ms, each 20 ms after the one before, weighted by Hann's
    bands       40 triangles, equally wide on the mel scale (2595 log10(1 + f / 700)) from 20 Hz to
                4 kHz, each of height 1, over the power spectrum of 512 points
    value       the band's power in decibels, -60 dB at 0 and 40 dB at 1; beyond that it is cut

VERSION is part of the data's identity, and is raised whenever the values change.
"""

from functools import lru_cache

import numpy as np

VERSION = "log-mel 1"
RATE = 8000
LENGTH = RATE
WINDOW, HOP = 320, 160
POINTS = 512
BANDS = 40
LOWEST, HIGHEST = 20.0, RATE / 2
FLOOR_DB, CEILING_DB = -60.0, 40.0

SHAPE = (1 + (LENGTH - WINDOW) // HOP, BANDS, 1)


def log_mel(samples: np.ndarray, rate: int) -> np.ndarray:
    """float32 (49, 40, 1), values from 0 to 1.

    samples: float (n,) or (n, channels), full scale being 1; rate: samples per second.
    """
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    mono = _resampled(mono[: rate + 1].astype(np.float64), rate)[:LENGTH]
    mono = np.pad(mono, (0, LENGTH - len(mono)))
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::HOP]
    # Hann's window in its periodic form, as spectrograms have it.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(frames * window, POINTS)) ** 2
    decibels = 10 * np.log10(np.maximum(power @ bands(), 1e-30))
    scaled = (decibels - FLOOR_DB) / (CEILING_DB - FLOOR_DB)
    found: np.ndarray = np.clip(scaled, 0, 1).astype(np.float32)[..., None]
    return found


@lru_cache
def bands() -> np.ndarray:
    """float64 (POINTS / 2 + 1, BANDS): the weight of each frequency in each band."""
    edges = _hertz(np.linspace(_mel(LOWEST), _mel(HIGHEST), BANDS + 2))
    frequencies = np.fft.rfftfreq(POINTS, 1 / RATE)[:, None]
    below, centre, above = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - below) / (centre - below)
    falling = (above - frequencies) / (above - centre)
    return np.maximum(0, np.minimum(rising, falling))


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: np.ndarray) -> np.ndarray:
    hertz: np.ndarray = 700 * (10 ** (mel / 2595) - 1)
    return hertz


def _resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    if rate == RATE:
        return samples
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(rate, RATE)
    found: np.ndarray = resample_poly(samples, RATE // common, rate // common)
    return found
