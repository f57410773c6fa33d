"""A request becomes a job: its inputs are looked up, its outcome decided, its media named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from urllib.parse import unquote, urlsplit

from ai_content_pipeline.artifacts import Kind

from . import actions as act
from .files import find_output
from .media import Media, Shows, data_uri, measured, size_of
from .models import bad_inputs, kind_of, outputs_asked, prompt_of, seconds_asked
from .prices import price
from .quantities import Source
from .routing import Actions
from .state import End, Failure, Job, Quirks, State, Stop, new_id

_USUAL_SECONDS = 5.0
_SHOWS: Mapping[type[act.Action], Shows] = {act.OffSubject: "off_subject", act.BlackedOut: "black"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def accept(
    state: State,
    vendor: act.Vendor,
    endpoint: str,
    payload: Mapping[str, object],
    actions: Actions,
    *,
    host: str,
    deadline: float | None = None,
    keeps: float = inf,
) -> Job:
    """Create the job. From here on it runs, costs and ends by the clock alone.

    `host` is what the client called the sandbox, `deadline` seconds after which the vendor ends the
    job, `keeps` seconds for which its files outlive it.
    """
    sources, missing = _inputs(state, payload, host)
    source = measured(sources[0]) if sources else None
    kind = kind_of(endpoint)
    seconds = next(
        (a.seconds for a in actions if isinstance(a, act.RunTime)), state.settings.job_seconds(kind)
    )
    assert isinstance(seconds, float)
    queue, run = _times(seconds, state.settings.queue_share, actions)
    now = state.clock.now()
    job = Job(
        id=new_id(vendor),
        vendor=vendor,
        endpoint=endpoint,
        payload=payload,
        created=now,
        skew=state.faults.skew(vendor),
        queue=queue,
        run=run,
        quirks=_quirks(actions, missing or _refused(endpoint, payload)),
        media=_media(state, kind, payload, sources, source, actions),
        price=price(endpoint, payload, source),
        stop=_stop(actions, now, queue, deadline),
        keeps=keeps,
    )
    if job.end is End.SUCCEEDED:
        for media in job.outputs:
            state.prepare(media)
    return state.add(job)


def _times(seconds: float, queue_share: float, actions: Actions) -> tuple[float, float]:
    stuck = next((action.phase for action in actions if isinstance(action, act.Stuck)), None)
    if stuck == "queued":
        return inf, 0.0
    queue = seconds * queue_share
    return queue, inf if stuck == "running" else seconds - queue


def _stop(actions: Actions, now: float, queue: float, deadline: float | None) -> Stop | None:
    """A job that ends before its time: by the script, or by the deadline the client set."""
    if any(isinstance(action, act.Aborted) for action in actions):
        return Stop(now + queue, End.ABORTED, billed=False)
    if deadline is None:
        return None
    if deadline <= queue:
        return Stop(now + deadline, End.ABORTED, billed=False)
    return Stop(now + deadline, End.CANCELED, billed=True)


def _quirks(actions: Actions, failure: Failure | None) -> Quirks:
    values: dict[str, object] = {}
    for action in actions:
        match action:
            case act.Reject():
                message = "The content could not be processed because it was flagged by a content checker."
                failure = failure or Failure("policy", message, billed=action.billed)
            case act.Fail():
                failure = failure or Failure("model", action.reason, action.code, action.billed)
            case act.ErrorBody():
                values["error_body"] = True
                message = "The model returned no output."
                failure = failure or Failure("model", message, 500, action.billed)
            case act.Backwards():
                values["backwards"] = True
            case act.UnknownStatus():
                values |= {"unknown": action.word, "unknown_polls": action.polls}
            case act.Gone():
                values["gone"] = action.what
            case act.Outputs():
                values["outputs"] = action.count
            case act.OutputUrl():
                values["output_url"] = action.url
            case act.CompletedTwice():
                values["twice"] = True
            case act.BlackedOut():
                values["flagged"] = True
    return Quirks(failure=failure, **values)  # type: ignore[arg-type]


def _refused(endpoint: str, payload: Mapping[str, object]) -> Failure | None:
    bad = next(bad_inputs(endpoint, payload), None)
    if bad is None:
        return None
    kind = "literal_error" if bad.allowed else "missing"
    return Failure("input", bad.message, field=bad.field, value=bad.value, type=kind)


def _media(
    state: State,
    kind: Kind,
    payload: Mapping[str, object],
    sources: tuple[bytes | Media, ...],
    source: Source | None,
    actions: Actions,
) -> tuple[Media, ...]:
    """What the job makes. A clip made of a clip is as long as that, unless another length is asked for."""
    settings, seed = state.settings, payload.get("seed")
    video = kind is Kind.VIDEO
    longest = settings.video_px if video else settings.image_px
    width, height = size_of(payload, kind, source, longest)
    seconds = seconds_asked(payload, (source and source.seconds) or _USUAL_SECONDS)
    first_seed = seed if isinstance(seed, int) else 0
    shows: Shows = next((_SHOWS[type(action)] for action in actions if type(action) in _SHOWS), "subject")
    return tuple(
        Media(
            kind,
            prompt_of(payload),
            width,
            height,
            seconds if video else 0.0,
            settings.video_fps if video else 0,
            first_seed + number,
            sources,
            shows,
        )
        for number in range(1 if video else outputs_asked(payload))
    )


def _inputs(
    state: State, payload: Mapping[str, object], host: str
) -> tuple[tuple[bytes | Media, ...], Failure | None]:
    """The files a payload names, in order, and what is wrong with the first that is not there."""
    found: list[bytes | Media] = []
    for field, text in _strings(payload):
        source = data_uri(text)
        if source is not None:
            found.append(source)
        elif _is_ours(text, host):
            stored = _stored(state, unquote(urlsplit(text).path))
            if stored is None:
                message = "Failed to download the file. It does not exist or has expired."
                return tuple(found), Failure("upload", message, field=field, url=text, value=text)
            found.append(stored)
        elif text.startswith(("http://", "https://")):
            found.append(text.encode())  # never fetched: the sandbox has no network
    return tuple(found), None


def _stored(state: State, path: str) -> bytes | Media | None:
    upload = state.uploaded(path)
    if upload:
        return upload.data
    output = find_output(state, path)
    return output[1] if output else None


def _is_ours(text: str, host: str) -> bool:
    if not text.startswith("http://"):
        return False
    try:
        url, own = urlsplit(text), urlsplit(f"http://{host}")
        return url.hostname in LOOPBACK and url.port == own.port
    except ValueError:  # a malformed port
        return False


def _strings(value: object, field: str = "") -> Iterator[tuple[str, str]]:
    """Every string with the top-level field it stands in."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _strings(inner, field or str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, field)
