"""fal's storage: the CDN token, one-shot and multipart uploads to the CDN, and the signed-URL upload."""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
from collections.abc import Callable, Mapping
from functools import partial

from ai_content_pipeline.sandbox.actions import ExpireUpload
from ai_content_pipeline.sandbox.faults import Call
from ai_content_pipeline.sandbox.files import note_leak
from ai_content_pipeline.sandbox.messages import Malformed, Reply, Request, Response
from ai_content_pipeline.sandbox.routing import Actions, Routed
from ai_content_pipeline.sandbox.state import State, Upload
from ai_content_pipeline.sandbox.times import iso

from .answers import answer, error, refused
from .queue import lifecycle_seconds

TOKEN_SECONDS = 3600.0
_PART = re.compile(r"^(?P<path>/files/b/.+)/multipart/(?P<id>[^/]+)/(?P<part>\d+|complete)$")
_SIGNED = re.compile(r"^/storage/signed/(?P<id>[0-9a-f]+)$")


def recognise(request: Request, state: State) -> Routed | None:
    """A request for a token, an upload or a part of one."""
    serve = _POSTS.get(request.path) if request.method == "POST" else None
    if serve:
        return Routed(Call("fal", "upload" if serve is _upload else "token"), partial(serve, state))
    part, signed = _PART.match(request.path), _SIGNED.match(request.path)
    if part and request.method in ("PUT", "POST"):
        return Routed(Call("fal", "upload"), partial(_part, state, part))
    if signed and request.method == "PUT":
        return Routed(Call("fal", "upload"), partial(_signed, state, signed["id"]))
    return None


def _token(state: State, request: Request, _: Actions) -> Response:
    denied = refused(state, request)
    if denied:
        return denied
    token = secrets.token_urlsafe(24)
    state.tokens[token] = state.clock.now() + TOKEN_SECONDS
    expires = iso(state.vendor_now("fal") + TOKEN_SECONDS).replace("Z", "+00:00")
    body = {"token": token, "token_type": "Bearer", "base_url": request.base, "expires_at": expires}
    return answer(request, body)


def _no_token(state: State, request: Request) -> Response | None:
    """The 401 for anything but a CDN token that is still good."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme == "Bearer" and state.tokens.get(token, 0.0) > state.clock.now():
        return None
    return error(request, 401, "Invalid or expired token")


def _new(state: State, request: Request, name: str, content_type: str) -> Upload:
    """A place for a file that is to come. Its name is kept for its suffix alone."""
    suffix = re.sub(r"[^A-Za-z0-9.]", "", name[name.rfind(".") :])[:8] if "." in name else ""
    upload_id, now = secrets.token_hex(12), state.clock.now()
    path = f"/files/b/sandbox/{upload_id}{suffix}"
    seconds = lifecycle_seconds(request)
    expires = now + seconds if math.isfinite(seconds) else math.inf
    return state.store(Upload(upload_id, "fal", path, name, content_type, now, expires))


def _expire(state: State, upload: Upload, actions: Actions) -> None:
    for action in actions:
        if isinstance(action, ExpireUpload):
            upload.expires = state.clock.now() + action.seconds


def _upload(state: State, request: Request, actions: Actions) -> Reply:
    denied = _no_token(state, request)
    if denied:
        return denied
    kind = request.headers.get("content-type", "application/octet-stream")
    upload = _new(state, request, request.headers.get("x-fal-file-name", ""), kind)
    upload.data = request.body
    _expire(state, upload, actions)
    return answer(request, {"access_url": request.base + upload.path})


def _start_parts(state: State, request: Request, _: Actions) -> Reply:
    denied = _no_token(state, request)
    if denied:
        return denied
    kind = request.headers.get("content-type", "application/octet-stream")
    upload = _new(state, request, request.headers.get("x-fal-file-name", ""), kind)
    return answer(request, {"access_url": request.base + upload.path, "uploadId": upload.id})


def _part(state: State, match: re.Match[str], request: Request, actions: Actions) -> Reply:
    denied = _no_token(state, request)
    upload = state.uploads.get(match["path"])
    if denied or upload is None or upload.id != match["id"]:
        return denied or error(request, 404, "Upload not found")
    if match["part"] == "complete":
        return _complete(state, upload, request, actions)
    upload.parts[int(match["part"])] = request.body
    return answer(request, {}, etag=_etag(request.body))


def _complete(state: State, upload: Upload, request: Request, actions: Actions) -> Response:
    """Join the parts. They may be named in any order, and must all be the ones that came."""
    try:
        named = request.json.get("parts")
    except Malformed:
        named = None
    came = {number: _etag(data) for number, data in upload.parts.items()}
    listed = {part.get("partNumber"): part.get("etag") for part in named} if isinstance(named, list) else {}
    if not came or listed != came:
        return error(request, 400, "The parts listed are not the parts received")
    upload.data = b"".join(upload.parts[number] for number in sorted(upload.parts))
    upload.parts.clear()
    _expire(state, upload, actions)
    return answer(request, {"access_url": request.base + upload.path})


def _etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _initiate(state: State, request: Request, _: Actions) -> Reply:
    denied = refused(state, request)
    if denied:
        return denied
    try:
        wish = json.loads(request.body)
        name, kind = str(wish["file_name"]), str(wish["content_type"])
    except (ValueError, KeyError, TypeError):
        return error(request, 422, [{"loc": ["body"], "msg": "Field required", "type": "missing"}])
    upload = _new(state, request, name, kind)
    signed = f"{request.base}/storage/signed/{upload.id}?X-Goog-Signature=sandbox"
    return answer(request, {"upload_url": signed, "file_url": request.base + upload.path})


def _signed(state: State, upload_id: str, request: Request, actions: Actions) -> Response:
    """The storage vendor's own host: the signature is the permission, a key has no business there."""
    note_leak(state, request)
    upload = next((one for one in state.uploads.values() if one.id == upload_id), None)
    if upload is None:
        return Response(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>", "application/xml")
    upload.data = request.body
    _expire(state, upload, actions)
    return Response(200, headers={"etag": _etag(request.body)})


_POSTS: Mapping[str, Callable[[State, Request, Actions], Reply]] = {
    "/storage/auth/token": _token,
    "/storage/upload/initiate": _initiate,
    "/files/upload/multipart": _start_parts,
    "/files/upload": _upload,
}
