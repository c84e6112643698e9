"""The front end for sound against what it says it does, and real recordings."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.io import wavfile

from bench import datasets
from bench.datasets.kinds.parquet_audio import Sounds
from bench.datasets.reading.log_mel import bands, log_mel
from bench.datasets.reading.options import FrontEnd, Options
from bench.errors import InputError
from bench.study import validate
from tests.datasets.build import sound, table


def slow_log_mel(samples):
    """The definition in loops, for 8,000 samples at 8 kHz."""
    found = np.zeros((49, 40))
    mels = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 4000 / 700), 42)
    edges = 700 * (10 ** (mels / 2595) - 1)
    for i in range(49):
        frame = samples[160 * i : 160 * i + 320]
        window = [np.sin(np.pi * k / 320) ** 2 for k in range(320)]
        turns = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(320)) / 512)
        power = np.abs(turns @ (frame * window)) ** 2
        for band in range(40):
            total = 0.0
            for k in range(257):
                f = k * 8000 / 512
                low, centre, high = edges[band : band + 3]
                if low < f < high:
                    total += power[k] * (
                        (f - low) / (centre - low) if f < centre else (high - f) / (high - centre)
                    )
            found[i, band] = (10 * np.log10(max(total, 1e-30)) + 60) / 100
    return np.clip(found, 0, 1)


def test_it_is_its_definition():
    samples = np.random.default_rng(0).normal(0, 0.05, 8000)
    assert log_mel(samples, 8000)[..., 0] == pytest.approx(slow_log_mel(samples), abs=1e-6)


@pytest.mark.parametrize("band", [5, 20, 35])
def test_a_tone_is_loudest_in_its_band(band):
    mels = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 4000 / 700), 42)
    tone = 700 * (10 ** (mels[band + 1] / 2595) - 1)
    found = log_mel(np.sin(2 * np.pi * tone * np.arange(8000) / 8000), 8000)
    assert set(found[..., 0].argmax(axis=1)) <= {band - 1, band, band + 1}


def test_every_frequency_in_between_counts_once():
    """The triangles of neighbours add up to 1."""
    total = bands().sum(axis=1)
    frequencies = np.arange(257) * 8000 / 512
    inner = (frequencies > 80) & (frequencies < 3600)
    assert bands().shape == (257, 40)
    assert total[inner] == pytest.approx(1)


def test_silence_is_zero_and_what_is_missing_is_silence():
    assert not log_mel(np.zeros(0), 8000).any()
    found = log_mel(np.random.default_rng(0).normal(0, 0.1, 4000), 8000)
    assert found[:23].all()
    assert not found[25:].any()


def test_what_comes_after_a_second_is_cut():
    samples = np.random.default_rng(0).normal(0, 0.1, 12000)
    assert np.array_equal(log_mel(samples, 8000), log_mel(samples[:8000], 8000))


def wav(samples, rate=8000):
    buffer = io.BytesIO()
    wavfile.write(buffer, rate, samples)
    return buffer.getvalue()


def test_formats_of_one_sound_give_one_spectrogram():
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    expected = log_mel(tone, 8000)
    loud = expected > 0.4
    for samples in (
        (tone * 2**15).astype(np.int16),
        (tone * 2**31).astype(np.int32),
        tone.astype(np.float32),
        np.round(tone * 128 + 128).astype(np.uint8),
        (np.stack([tone, tone], axis=1) * 2**15).astype(np.int16),
    ):
        assert Sounds().first(wav(samples))[loud] == pytest.approx(expected[loud], abs=0.01)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_other_rates_are_resampled(rate):
    def tone(rate):
        return 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)

    inner = np.s_[2:-2, 5:15]
    found, expected = log_mel(tone(rate), rate), log_mel(tone(8000), 8000)
    assert found[inner] == pytest.approx(expected[inner], abs=0.02)


def put(folder, names, labels, **more):
    for split in ("train", "test"):
        made = table("audio", [sound(i) for i in range(len(names))], labels, names=names, **more)
        pq.write_table(made, folder / f"{split}.parquet")
    return datasets.load(f"{folder}/")


def test_speakers_are_in_the_names_of_files(tmp_path):
    data = put(tmp_path, ["0_ann_0.wav", "1_bob_0.wav", "1_ann_7.wav"], [0, 1, 1])
    assert data.groups == ("ann", "bob", "ann")
    assert "speakers in the file names" in data.notes[0]


@pytest.mark.parametrize("names", [["a.wav"] * 3, ["0_ann_0.wav", "0_bob_0.wav", "1_ann_7.wav"]])
def test_names_that_do_not_begin_with_the_label_say_nothing(tmp_path, names):
    assert put(tmp_path, names, [0, 1, 1]).groups is None


def test_a_column_of_speakers_says_it(tmp_path):
    data = put(tmp_path, ["a", "b", "c"], [0, 1, 1], speaker_id=[7, 8, 7])
    assert data.groups == ("7", "8", "7")


def test_real_recordings(shared_data):
    data = datasets.load(str(shared_data / "spoken-digits"))
    assert data.x_train.shape == (2700, 49, 40, 1)
    assert data.x_train.dtype == np.float32
    assert set(data.groups) == {"george", "jackson", "lucas", "nicolas", "theo", "yweweler"}
    assert all(data.groups.count(speaker) == 50 for speaker in set(data.groups))
    assert np.bincount(data.y_test).tolist() == [30] * 10
    # The nearest mean spectrogram, though words begin at any time, is far above chance: 30 of 300,
    # SD 5.2.
    centres = np.stack([data.x_train[data.y_train == c].mean(axis=0).ravel() for c in range(10)])
    x = data.x_test.reshape(300, -1)
    nearest = ((x[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == data.y_test).sum() > 60


FRONT = FrontEnd(bands=10)
"""49 x 10, as MLPerf Tiny's keyword spotting has its inputs (Banbury et al. 2021)."""


def test_fewer_bands_are_wider_ones_of_other_data(tmp_path):
    put(tmp_path, ["a.wav"] * 3, [0, 1, 1])
    name, options = f"{tmp_path}/", Options(audio=FRONT)
    data = datasets.load(name, options=options)
    assert data.x_train.shape == (3, 49, 10, 1)
    assert datasets.size(name, options).pixels == 490
    assert data.notes == ("sound: log-mel spectrograms with bands = 10",)
    assert datasets.identity(name, options) != datasets.identity(name)
    assert datasets.identity(name, Options(audio=FrontEnd())) == datasets.identity(name)


@pytest.mark.parametrize(
    ("field", "value", "shape"),
    [
        ("rate", 16000, (49, 40, 1)),
        ("seconds", 0.5, (24, 40, 1)),
        ("window_ms", 20.0, (50, 40, 1)),
        ("hop_ms", 10.0, (97, 40, 1)),
    ],
)
def test_windows_follow_from_length_window_and_step(field, value, shape):
    front = FrontEnd(**{field: value})
    samples = np.random.default_rng(0).normal(0, 0.1, front.rate)
    assert front.shape == log_mel(samples, front.rate, front).shape == shape
    assert (bands(front).sum(axis=0) > 0).all() or field == "window_ms"


def test_decibels_are_cut_where_the_study_says():
    samples = np.random.default_rng(0).normal(0, 0.05, 8000)
    wide = log_mel(samples, 8000) * 100 - 60
    inner = log_mel(samples, 8000, FrontEnd(floor_db=-10.0, ceiling_db=10.0)) * 20 - 10
    assert inner == pytest.approx(np.clip(wide, -10, 10), abs=1e-4)


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        ({"bands": 400}, "audio.bands: 400, of which"),
        ({"window_ms": 900, "seconds": 0.5}, "windows of 7200 samples, 160 apart, in 4000 samples"),
        ({"floor_db": 0, "ceiling_db": 0}, "allowed: a floor below the ceiling"),
        ({"hertz": 3}, "audio.hertz: unknown field"),
        ({"rate": "fast"}, "audio.rate: found 'fast'"),
    ],
)
def test_a_front_end_that_gives_no_spectrogram_is_refused(audio, said):
    with pytest.raises(InputError) as caught:
        validate({"audio": audio}, "study")
    assert said in str(caught.value)
