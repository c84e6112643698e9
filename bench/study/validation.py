"""Fields -> a validated study, or one error that names every field that is wrong."""

from typing import Any

from pydantic import ValidationError

from bench.errors import InputError, nearest
from bench.study.fields import Study


def validate(fields: dict[str, Any], source: str) -> Study:
    """A study of these fields. Raises InputError that names every field that is wrong."""
    try:
        return Study.model_validate(fields)
    except ValidationError as error:
        problems = [_explain(dict(e)) for e in error.errors()]
        raise InputError(f"{source}", "\n".join(problems), "nothing was run") from None


def _explain(problem: dict[str, Any]) -> str:
    """One of pydantic's errors as `field: found; allowed`."""
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown field; {nearest(where, Study.model_fields)}"
    if cause is not None:
        return f"{where}: {cause}"
    allowed = problem["msg"].removeprefix("Input should be ")
    return f"{where}: found {problem['input']!r}; allowed: {allowed}"
