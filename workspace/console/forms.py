"""The console's forms as the workspace's own requests: every field is checked by the service that gets it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request

from workspace.errors import ApiError, invalid, permission_denied
from workspace.http import Json

MAX_FORM_BYTES = 16_384
Fields = Mapping[str, str]
_WHOLE_NUMBERS = ("status", "retry_after", "after_calls", "times")


async def fields_of(request: Request) -> Fields:
    """The fields of a posted form, the last one of each name. ApiError 400 for anything longer than a form can be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise invalid(f"the form is longer than {MAX_FORM_BYTES} bytes")
    try:
        parsed = parse_qs(body.decode("ascii"), keep_blank_values=True)
    except ValueError as error:
        raise invalid("the form is not application/x-www-form-urlencoded") from error
    return {name: values[-1] for name, values in parsed.items()}


def refuse_other_origins(request: Request) -> None:
    """ApiError 403 for a form that a browser sends from another site, port or frame.

    SameSite alone is not enough here: to a browser, every port of one host is the same site.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    own = f"{request.url.scheme}://{request.headers.get('host')}"
    if (origin is not None and origin != own) or (site is not None and site not in ("same-origin", "none")):
        raise permission_denied("This form was sent from another page; send it from the console itself.")


def fault(fields: Fields) -> Json:
    """The body of a fault rule. A field that was left empty is left out."""
    given = {name: value.strip() for name, value in fields.items() if value.strip()}
    effect = given.get("effect", "")
    body: Json = {name: given[name] for name in ("path", "method", "when") if name in given}
    if effect == "reset":
        body["reset"] = True
    elif effect != "delay":
        body["status"] = _number("effect", effect)
    for name in ("delay_ms", "retry_after", "after_calls", "times"):
        if name in given:
            body[name] = _number(name, given[name])
    return body


def settings(fields: Fields, known: Mapping[str, float]) -> Json:
    """The settings whose value the form changes."""
    given = {name: _number(name, fields[name]) for name in known if name in fields}
    return {name: value for name, value in given.items() if value != known[name]}


def advance(fields: Fields) -> Json:
    """The body that moves the clock: a number of some unit."""
    seconds = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
    unit = fields.get("unit", "seconds")
    if unit not in seconds:
        raise invalid(f"unit is one of {', '.join(seconds)}; received '{unit}'")
    return {"advance_seconds": _number("amount", fields.get("amount", "")) * seconds[unit]}


def _number(name: str, text: str) -> float | int:
    """A number as JSON would read it: whole where it has no decimals."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError as error:
        raise invalid(f"{name} is a number; received '{text}'") from error


__all__ = ["ApiError", "Fields", "advance", "fault", "fields_of", "refuse_other_origins", "settings"]
