"""Encoded images -> uint8 arrays of one shape. What a decoder raises says: this is no image."""

import io
import struct
import warnings
import zlib
from importlib.metadata import version

import numpy as np

from bench.datasets.reading.limits import MOST_PIXELS

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""What Pillow is asked to read. Not all that it can: for EPS it would start a program."""

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)


class Undecodable(ValueError):
    """Bytes that are no example of their kind; the message says why, in a few words."""


class Images:
    """The decoder of images: gray ones have one channel, all others three.

    resize: (height, width) that each is brought to, its proportions not kept; None: as they are.
    """

    dtype = np.dtype(np.uint8)
    scale = 255.0
    allowed = "allowed: PNG, JPEG and the like"
    takes = frozenset({"resize"})

    def __init__(self, resize: tuple[int, int] | None = None) -> None:
        self._size = resize
        self.version = "" if resize is None else f"resized {resize[0]} x {resize[1]}"
        """Part of the data's identity."""

    def versions(self) -> dict[str, str]:
        """What decides the pixels beside the bytes: a JPEG's differ between decoders by one."""
        resized = {"resize": self.version} if self.version else {}
        return {"images": "1"} | resized | {n: version(n) for n in ("imagecodecs", "pillow")}

    def notes(self) -> tuple[str, ...]:
        if self._size is None:
            return ()
        return (f"images {self.version}, proportions not kept",)

    def first(self, blob: bytes) -> np.ndarray:
        """uint8 (height, width, channels). Raises Undecodable."""
        image = decode(blob)
        if self._size is not None and image.shape[:2] != self._size:
            image = _resized(image, self._size)
        return image if image.ndim == 3 else image[..., None]

    def into(self, blob: bytes, out: np.ndarray) -> None:
        """Decode into uint8 (height, width, channels). Raises Undecodable, and OfAnotherShape."""
        flat = out[..., 0] if out.shape[-1] == 1 else out
        if self._size is not None or _common(blob, flat) is None:
            image = self.first(blob)
            if image.shape != out.shape:
                raise OfAnotherShape(shown(image.shape))
            out[...] = image


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """By Pillow's bilinear filter, whose support grows where an image gets smaller."""
    from PIL import Image

    made = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(made)


class OfAnotherShape(ValueError):
    """An example that is unlike the first; the message is its shape."""


def shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def decode(blob: bytes) -> np.ndarray:
    """uint8 (height, width) or (height, width, 3), as Pillow has it. Raises Undecodable."""
    claimed = _claimed(blob)
    if claimed is not None:
        _check_pixels(*claimed)
        image = _common(blob, None)
        if image is not None:
            return image
    return _pillow(blob)


def _check_pixels(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise Undecodable(
            f"an image of {width} x {height} pixels, more than {MOST_PIXELS:,} are not read"
        )


def _common(blob: bytes, out: np.ndarray | None) -> np.ndarray | None:
    """What nearly all data sets hold, 6 times as fast as Pillow does it; None: ask Pillow.

    PNG in 8 bits, gray or RGB, and JPEG, both with their end (libjpeg would fill the rest with
    gray). An image of another shape than `out` is found by its header.
    """
    import imagecodecs

    if (
        blob.startswith(b"\x89PNG\r\n\x1a\n")
        and blob[24:26] in (b"\x08\x00", b"\x08\x02")
        and blob.endswith(b"IEND\xaeB`\x82")
    ):
        read = imagecodecs.png_decode
    elif blob.startswith(b"\xff\xd8\xff") and blob.endswith(b"\xff\xd9"):
        read = imagecodecs.jpeg8_decode
    else:
        return None
    try:
        image: np.ndarray = read(blob, out=out)
    except Exception:  # of a C library on any bytes; Pillow has the last word
        return None
    plain = image.ndim == 2 or image.shape[2] == 3  # no alpha, no CMYK
    return image if plain and image.dtype == np.uint8 else None


def _claimed(blob: bytes) -> tuple[int, int] | None:
    """(width, height) by the header of a PNG or JPEG; None where there is none."""
    if blob.startswith(b"\x89PNG\r\n\x1a\n") and len(blob) >= 24:
        width, height = struct.unpack(">II", blob[16:24])
        return width, height
    if blob.startswith(b"\xff\xd8\xff"):
        return _claimed_by_jpeg(blob)
    return None


def _claimed_by_jpeg(blob: bytes) -> tuple[int, int] | None:
    """From the start-of-frame segment (ITU T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(blob):
        if blob[at] != 0xFF:
            return None
        marker = blob[at + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:  # fill; without a length
            at += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", blob[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", blob[at + 2 : at + 4])[0]
    return None


def _check_png(blob: bytes) -> None:
    """Raises Undecodable if the header, palette or pixels of a PNG are not those that were written:
    Pillow does not look at the checksums of pixels."""
    at = 8
    while at + 12 <= len(blob):
        (length,) = struct.unpack(">I", blob[at : at + 4])
        kind, end = blob[at + 4 : at + 8], at + 8 + length
        if kind in (b"IHDR", b"PLTE", b"IDAT"):
            stored = blob[end : end + 4]
            if struct.pack(">I", zlib.crc32(blob[at + 4 : end])) != stored:
                raise Undecodable("bytes that are no image any more: a checksum is another")
        at = end + 4


def _pillow(blob: bytes) -> np.ndarray:
    from PIL import Image

    try:
        if blob.startswith(b"\x89PNG\r\n\x1a\n"):
            _check_png(blob)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = Image.open(io.BytesIO(blob), formats=FORMATS)
            _check_pixels(*opened.size)
            if opened.mode.startswith(("I", "F")):
                raise Undecodable(f"an image of more than 8 bits a channel ({opened.mode})")
            if opened.mode not in ("L", "RGB"):
                opened = opened.convert("RGB")
            return np.asarray(opened)
    except Undecodable:
        raise
    except Image.DecompressionBombError as error:
        raise Undecodable(f"an image of too many pixels ({error})") from None
    except Exception:  # Pillow's readers raise what they like on bytes that are damaged
        raise Undecodable("bytes that are no image") from None
