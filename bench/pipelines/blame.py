"""An error in one line: what it says, and where in somebody's own file it came from."""

import re
import sysconfig
import traceback
from pathlib import Path

LONGEST = 500
"""Characters of a row's `error`."""

_PACKAGE = Path(__file__).parents[1]
_EXTENDED = (_PACKAGE / "models", _PACKAGE / "datasets")
_STANDARD = Path(sysconfig.get_paths()["stdlib"])

_OF_A_TYPE = re.compile(r"\w*(Error|Exception|Interrupt|Exit)\b.*: ")
_IN_USER_CODE = re.compile(r'File "(?P<path>[^"]+)", line (?P<line>\d+), in ')


def explained(error: BaseException) -> str:
    """An error's type, what it says, and the file and line of a user's that it came from."""
    said = _said(str(error))
    text = said if said.startswith(type(error).__name__) else f"{type(error).__name__}: {said}"
    line = users_line(error)
    where = f" ({line})" if line else ""
    return text[: LONGEST - len(where)] + where


def users_line(error: BaseException) -> str | None:
    """`file.py:line`, the innermost place in a traceback that is neither this package's nor an
    installed one's: a model's or a dataset's file. None: there is none."""
    places = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    # AutoGraph runs a rewritten copy, and gives the places of the original in its text.
    places += [(m["path"], int(m["line"])) for m in _IN_USER_CODE.finditer(str(error))]
    for path, number in reversed(places):
        if _is_users(Path(path)):
            return f"{Path(path).name}:{number}"
    return None


def _is_users(path: Path) -> bool:
    if path.name.startswith(("<", "__autograph_generated_file")):
        return False
    if path.is_relative_to(_PACKAGE):
        extended = any(path.is_relative_to(folder) for folder in _EXTENDED)
        return extended and path.name != "__init__.py"
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return not installed and not path.is_relative_to(_STANDARD)


def _said(text: str) -> str:
    """The line of a message that says most: Keras and AutoGraph put a frame around it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    if lines[0].startswith("in user code"):
        of_a_type = [line for line in lines if _OF_A_TYPE.match(line)]
        lines = of_a_type[-1:] or lines[1:]
    if lines[0].startswith("Exception encountered when calling layer") and len(lines) > 1:
        return f"{lines[0]} {lines[1]}"
    return lines[0]
