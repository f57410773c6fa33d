"""Replicate. docs/providers/replicate.md says what is sent, and what happens when it goes wrong.

The official client creates predictions. Everything else is its REST call made directly: the client
raises on any status that it does not know, on ``aborted`` too, which Replicate documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.errors import (
    ConfigurationError,
    OutcomeUnknown,
    ProviderUnavailable,
    UsageError,
)
from ai_content_pipeline.jobs import (
    Billed,
    CancelAnswer,
    Failed,
    Gone,
    Handle,
    JobRequest,
    JobStatus,
    Json,
    Output,
    Queued,
    Reason,
    Running,
    Sighting,
    Sightings,
    Succeeded,
    Upload,
    WireRequest,
)
from ai_content_pipeline.providers.access import base_of, key_of
from ai_content_pipeline.providers.answers import (
    is_policy,
    last_line,
    moment,
    object_of,
    progress,
    result_urls,
    same,
    says_404,
    text,
)
from ai_content_pipeline.providers.payload import payload_of
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.providers.transport import Patience, VendorTransport

_HOME = "https://api.replicate.com"
_ENDPOINT = re.compile(r"\w[\w.-]*/\w[\w.-]*(:[0-9a-f]{8,64})?", re.ASCII)
_POLL = 30.0  # seconds
#: Replicate deletes what an API prediction took and made this long after its end.
_KEPT = timedelta(hours=1)
#: An upload is used again until this long before its end.
_MARGIN = timedelta(minutes=10)
#: How far a prediction's time in the listing may lie before ours.
_SLACK = timedelta(minutes=10)
_PAGES = 100
_ENDED = {"succeeded", "failed", "canceled", "aborted"}


class ReplicateProvider:
    """Thread-safe. `patience` is for tests."""

    name = "replicate"
    repeatable = False
    soonest = 0.5

    def __init__(self, surroundings: Surroundings, patience: Patience | None = None) -> None:
        from replicate.client import Client

        token = key_of(surroundings.environ, "REPLICATE_API_TOKEN", "replicate")
        override = base_of(surroundings.environ, "REPLICATE_BASE_URL")
        self._base = override or _HOME
        self._http = VendorTransport(
            "replicate", token, ("api.replicate.com",), override, patience, heard=surroundings.heard
        )
        self._client = Client(api_token=token, base_url=self._base, transport=self._http)
        self._client._client  # noqa: B018 - made here, because threads that race for it make dozens
        # The client's own connection tries a GET ten times, and sleeps for as long as it is told.
        self._api = httpx.Client(
            base_url=self._base,
            transport=self._http,
            headers={"Authorization": f"Bearer {token}", "User-Agent": "ai-content-pipeline"},
            timeout=_POLL,
            follow_redirects=False,
        )

    def close(self) -> None:
        self._http.close()

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        # Not the client's files.create(): it refuses an answer without `name` or `etag`, which newer
        # versions of the API no longer promise.
        with path.open("rb") as file:
            content = (f"input{artifact.suffix}", file, artifact.info.media_type)
            response = self._api.post("/v1/files", files={"content": content}, timeout=None)
        stored = object_of(self._http.checked(response))
        urls = stored.get("urls")
        url = text(urls, "get") if isinstance(urls, dict) else ""
        if not url:
            raise ProviderUnavailable("replicate stored the file, but not under which address")
        expires = moment(stored.get("expires_at"))
        return Upload(url, self._ours(expires) - _MARGIN if expires else datetime.now(UTC) + _KEPT)

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        endpoint = request.model.endpoint
        if not _ENDPOINT.fullmatch(endpoint):
            raise UsageError(
                f"replicate:{endpoint} is no model of Replicate's",
                hint="write it as replicate:owner/model or replicate:owner/model:version",
            )
        return WireRequest(endpoint, payload_of(request, uploads, seed))

    def submit(self, wire: WireRequest, key: str) -> Handle:
        model, _, version = wire.endpoint.partition(":")
        payload = dict(wire.payload)

        def create() -> object:
            if version:
                return self._client.predictions.create(version=version, input=payload)
            return self._client.models.predictions.create(model=model, input=payload)

        prediction_id = text(self._http.submit(create), "id")
        if not prediction_id:
            raise OutcomeUnknown("replicate accepted the request, but not under which id")
        return self._handle(wire.endpoint, prediction_id)

    def _handle(self, endpoint: str, prediction_id: str) -> Handle:
        return Handle(prediction_id, {"endpoint": endpoint, "base": self._base})

    def _path(self, handle: Handle) -> str:
        """Where the API has a prediction. One that was made elsewhere is not looked for here."""
        base = text(handle.data, "base")
        if base != self._base:
            raise ConfigurationError(
                f"prediction {handle.request_id} is at {base}, not at {self._base}",
                hint="collect it with the REPLICATE_BASE_URL that it was made with",
            )
        return f"/v1/predictions/{quote(handle.request_id, safe='')}"

    # -- how it goes -----------------------------------------------------------------------------------

    def poll(self, handle: Handle) -> JobStatus:
        if not text(handle.data, "base"):
            return Gone("the record of the prediction does not say where it was made")
        response = self._http.get(f"{self._base}{self._path(handle)}", self._api.headers, _POLL)
        if says_404(response):
            return Gone(f"replicate does not know the prediction: {self._http.said(response)}")
        prediction = object_of(self._http.checked(response))
        word, log = text(prediction, "status"), text(prediction, "logs")
        if not word:
            raise ProviderUnavailable("replicate's answer cannot be read")
        if word == "starting":
            return Queued()
        if word == "succeeded":
            return self._succeeded(prediction)
        if word in _ENDED:
            return self._failed(word, prediction)
        said = last_line(log) if word == "processing" else f"replicate says {word}"
        return Running(progress(log), self._http.words(said or "") or None)

    def _succeeded(self, prediction: Mapping[str, Json]) -> Succeeded | Gone:
        output = prediction.get("output")
        ended = moment(prediction.get("completed_at")) or moment(prediction.get("created_at"))
        expires = self._ours(ended) + _KEPT if ended else None
        # No output is an end like any other (the model made none) until the time of deletion has come.
        late = output is None and expires is not None and expires < datetime.now(UTC)
        if prediction.get("data_removed") is True or late:
            return Gone("replicate has deleted the output; it keeps one for an hour")
        return Succeeded(tuple(map(Output, result_urls(output))), expires=expires)

    def _failed(self, word: str, prediction: Mapping[str, Json]) -> Failed:
        said = self._http.words(text(prediction, "error"))
        if word == "aborted":  # its deadline came before it started
            return Failed(Reason.CANCELLED, said or "it was stopped before it started", Billed.NO)
        if word == "canceled":
            return Failed(Reason.CANCELLED, said or "it was cancelled while it ran", Billed.YES)
        reason = Reason.CONTENT if is_policy(said) else Reason.PROVIDER
        # A failed prediction costs nothing on some models and its GPU time on others, and does not say.
        return Failed(reason, said or "it failed without a word", Billed.UNKNOWN)

    def cancel(self, handle: Handle) -> CancelAnswer:
        if not text(handle.data, "base"):
            return CancelAnswer.UNKNOWN_JOB
        response = self._api.post(f"{self._path(handle)}/cancel")
        if says_404(response):
            return CancelAnswer.UNKNOWN_JOB
        word = text(object_of(self._http.checked(response)), "status")
        if word in ("canceled", "aborted"):
            return CancelAnswer.CANCELLED
        return CancelAnswer.TOO_LATE if word in _ENDED else CancelAnswer.REQUESTED

    # -- the listing -----------------------------------------------------------------------------------

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        """Every prediction is listed from its first moment, so a full look that finds none proves it.

        It proves nothing when a row cannot be read, when an input was deleted already (after an hour), or
        when our clock was set back since.
        """
        if self._http.seen.ahead is None:
            self._api.get("/v1/account")
        ahead = self._http.seen.ahead or timedelta()
        after = since + ahead - _SLACK
        complete = since < datetime.now(UTC)
        matches: dict[str, Sighting] = {}
        for row in self._rows(after):
            created = moment(row.get("created_at"))
            if created and created < after:
                break  # the newest come first
            verdict = _is_ours(row, wire)
            if verdict:
                found = self._handle(wire.endpoint, text(row, "id"))
                matches[found.request_id] = Sighting(found, created)
            complete = complete and verdict is not None
        return Sightings(tuple(matches.values()), complete)

    def _rows(self, after: datetime) -> Iterator[Mapping[str, Json]]:
        """The listing from the newest back to `after`; an empty row stands for what could not be read."""
        start = after.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        url = f"/v1/predictions?created_after={start}"
        for _ in range(_PAGES):
            page = object_of(self._http.checked(self._api.get(url)))
            rows = page.get("results")
            for row in rows if isinstance(rows, list) else [None]:
                yield row if isinstance(row, dict) else {}
            url = text(page, "next")
            if not url:
                return
        yield {}

    def _ours(self, theirs: datetime) -> datetime:
        """A time on the vendor's clock, on ours."""
        return theirs - (self._http.seen.ahead or timedelta())


def _is_ours(row: Mapping[str, Json], wire: WireRequest) -> bool | None:
    """Whether a listed prediction is the one that was asked for; None when the row does not tell."""
    model, _, version = wire.endpoint.partition(":")
    theirs_made_by = text(row, "version" if version else "model")
    if not (text(row, "id") and moment(row.get("created_at")) and theirs_made_by):
        return None
    if theirs_made_by != (version or model):
        return False
    theirs = row.get("input")
    if not isinstance(theirs, dict) or row.get("data_removed") is True:
        return None
    return same(dict(wire.payload), theirs)
