"""fal.ai. docs/providers/fal.md says what is sent, and what happens when it goes wrong.

The official client submits and uploads. Status, result, cancel and listing are its REST calls made
directly, each for the reason beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from ai_content_pipeline.artifacts import Artifact, Role
from ai_content_pipeline.errors import OutcomeUnknown, ProviderUnavailable, UsageError
from ai_content_pipeline.jobs import (
    CancelAnswer,
    Gone,
    Handle,
    JobRequest,
    JobStatus,
    Json,
    Queued,
    Running,
    Sighting,
    Sightings,
    Upload,
    WireRequest,
)
from ai_content_pipeline.providers.access import base_of, key_of
from ai_content_pipeline.providers.answers import (
    last_line,
    moment,
    object_of,
    progress,
    same,
    says_404,
    text,
)
from ai_content_pipeline.providers.fal_result import result_of
from ai_content_pipeline.providers.payload import payload_of
from ai_content_pipeline.providers.protocol import Surroundings
from ai_content_pipeline.providers.transport import Patience, VendorTransport

#: Where the key may go. falrun.com is fal's own stand-by for fal.run.
_HOSTS = ("queue.fal.run", "fal.run", "rest.fal.ai", "api.fal.ai", "queue.falrun.com", "falrun.com")
#: Where upload tokens may go; never the key.
_FILE_HOSTS = ("v3.fal.media", "v3b.fal.media", "fal.media")
#: Two names or more; three where fal keeps workflows.
_ENDPOINT = re.compile(
    r"((workflows|comfy)/\w[\w.-]*/|(?!(workflows|comfy)/)\w[\w.-]*/)\w[\w.-]*(/\w[\w.-]*)*", re.A
)
_LISTING = "/v1/models/requests/by-endpoint"
_PAGES = 50
#: Uploads are stored for a week (their files are private), and used again for a day less.
_KEPT, _TRUSTED = 7 * 24 * 3600, timedelta(days=6)
#: How far a request's time in the listing may lie before ours.
_SLACK = timedelta(minutes=10)
_POLL = 30.0  # seconds
_URLS = ("status_url", "response_url", "cancel_url")
_CANCEL_ANSWERS = {
    "OK": CancelAnswer.CANCELLED,
    "CANCELLATION_REQUESTED": CancelAnswer.REQUESTED,
    "ALREADY_COMPLETED": CancelAnswer.TOO_LATE,
    "NOT_FOUND": CancelAnswer.UNKNOWN_JOB,
}


class FalProvider:
    """Thread-safe. `patience` is for tests."""

    name = "fal"
    repeatable = False
    soonest = 0.5

    def __init__(self, surroundings: Surroundings, patience: Patience | None = None) -> None:
        from ai_content_pipeline.providers import fal_sdk

        key = key_of(surroundings.environ, "FAL_KEY", "fal")
        base = base_of(surroundings.environ, "AICP_FAL_URL")
        self._listing = (base or "https://api.fal.ai") + _LISTING
        self._http = VendorTransport("fal", key, _HOSTS, base, patience, heard=surroundings.heard)
        self._files = VendorTransport("fal's file storage", key, _FILE_HOSTS, base, patience)
        self._api = httpx.Client(
            transport=self._http,
            headers={"Authorization": f"Key {key}", "User-Agent": "ai-content-pipeline"},
            timeout=_POLL,
            follow_redirects=False,
        )
        fal_sdk.point(base)
        self._client = fal_sdk.client(key, self._api, self._http, self._files)

    def close(self) -> None:
        self._http.close()
        self._files.close()

    def upload(self, artifact: Artifact, path: Path) -> Upload:
        from fal_client import FalClientError, StorageSettings

        try:
            url = self._client.upload(
                path.read_bytes(),
                artifact.info.media_type,
                f"input{artifact.suffix}",
                fallback_repository="fal_v3",  # its own fallback would send the key to a storage host
                lifecycle=StorageSettings(expires_in=_KEPT),
            )
        except (FalClientError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ProviderUnavailable(f"fal's file storage: {self._http.words(str(error))}") from error
        return Upload(url, datetime.now(UTC) + _TRUSTED)

    def wire(
        self, request: JobRequest, uploads: Mapping[Role, tuple[Upload, ...]], seed: int | None
    ) -> WireRequest:
        endpoint = request.model.endpoint
        if not _ENDPOINT.fullmatch(endpoint):
            raise UsageError(f"fal:{endpoint} is no model of fal's", hint="write it as fal:owner/model")
        return WireRequest(endpoint, payload_of(request, uploads, seed))

    def submit(self, wire: WireRequest, key: str) -> Handle:
        accepted = self._http.submit(lambda: self._client.submit(wire.endpoint, dict(wire.payload)))
        request_id = text(accepted, "request_id")
        if not request_id:
            raise OutcomeUnknown("fal accepted the request, but not under which id")
        return self._handle(wire.endpoint, request_id, accepted)

    def _handle(self, endpoint: str, request_id: str, given: Mapping[str, Json]) -> Handle:
        """fal asks to use the URLs it gives. One that is not fal's is replaced: our key goes there."""
        own = self._client.get_handle(endpoint, request_id)
        data: dict[str, Json] = {"endpoint": endpoint}
        for name in _URLS:
            url = text(given, name)
            data[name] = url if url and self._http.trusts(url) else getattr(own, name)
        return Handle(request_id, data)

    # -- how it goes -----------------------------------------------------------------------------------

    def poll(self, handle: Handle) -> JobStatus:
        # Not the client's status(): it raises on a new status word or a missing field, tries ten times
        # by itself, and its get() loses the header with the billed units.
        if not all(text(handle.data, name) for name in _URLS):
            return Gone("the record of the request does not say where fal has it")
        url = text(handle.data, "status_url")
        response = self._http.get(f"{url}{'&' if '?' in url else '?'}logs=true", self._api.headers, _POLL)
        if says_404(response):
            return Gone(f"fal does not know the request: {self._http.said(response)}")
        status = object_of(self._http.checked(response))
        if not status:
            raise ProviderUnavailable("fal's status cannot be read")
        word = text(status, "status")
        if word == "COMPLETED":
            return self._result(handle, status)
        if word == "IN_QUEUE":
            position = status.get("queue_position")
            return Queued(position if isinstance(position, int) else None)
        log = _log(status)
        said = last_line(log) if word == "IN_PROGRESS" else f"fal says {word}"
        return Running(progress(log), self._http.words(said or "") or None)

    def _result(self, handle: Handle, status: Mapping[str, Json]) -> JobStatus:
        response = self._http.get(text(handle.data, "response_url"), self._api.headers, _POLL)
        if says_404(response):
            return Gone(f"fal no longer has the result: {self._http.said(response)}")
        ended = result_of(response, status, self._http.words)
        if ended is None:
            self._http.checked(response)
            raise ProviderUnavailable("fal's result cannot be read")
        return ended

    def cancel(self, handle: Handle) -> CancelAnswer:
        # Not the client's cancel(): it drops the answer, which says whether it was in time.
        if not text(handle.data, "cancel_url"):
            return CancelAnswer.UNKNOWN_JOB
        response = self._api.put(text(handle.data, "cancel_url"))
        answer = _CANCEL_ANSWERS.get(text(object_of(response), "status"))
        if answer is not None:
            return answer
        if says_404(response):
            return CancelAnswer.UNKNOWN_JOB
        if response.status_code == 400:
            return CancelAnswer.TOO_LATE
        self._http.checked(response)
        return CancelAnswer.REQUESTED

    # -- the listing -----------------------------------------------------------------------------------

    def find(self, wire: WireRequest, since: datetime) -> Sightings:
        """fal lists a request when it has ended, so its absence proves nothing. The client cannot list."""
        if self._http.seen.ahead is None:
            self._api.get(self._listing, params={"endpoint_id": wire.endpoint, "limit": 1})
        after = since + (self._http.seen.ahead or timedelta()) - _SLACK
        matches: dict[str, Sighting] = {}
        for row in self._rows(wire.endpoint, after):
            request_id, sent = text(row, "request_id"), moment(row.get("sent_at"))
            mine = request_id and sent and sent >= after and same(dict(wire.payload), row.get("json_input"))
            if mine:
                matches[request_id] = Sighting(self._handle(wire.endpoint, request_id, {}), sent)
        return Sightings(tuple(matches.values()))

    def _rows(self, endpoint: str, after: datetime) -> Iterator[Mapping[str, Json]]:
        params = {"endpoint_id": endpoint, "expand": "payloads", "limit": "100"}
        params["start"] = after.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        for _ in range(_PAGES):
            response = self._api.get(self._listing, params=params)
            if response.status_code in (403, 404):
                return  # this key may submit, but not list
            page = object_of(self._http.checked(response))
            yield from _objects(page.get("items"))
            params["cursor"] = text(page, "next_cursor")
            if not params["cursor"]:
                return


def _log(status: Mapping[str, Json]) -> str:
    return "\n".join(text(line, "message") for line in _objects(status.get("logs")))


def _objects(rows: Json) -> list[dict[str, Json]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
