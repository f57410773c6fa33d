"""Replicate's files API: uploads that predictions take as input, for a day."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from functools import partial

from ai_content_pipeline.sandbox.actions import ExpireUpload
from ai_content_pipeline.sandbox.faults import Call
from ai_content_pipeline.sandbox.messages import Reply, Request, Response, json_response
from ai_content_pipeline.sandbox.routing import Actions, Routed
from ai_content_pipeline.sandbox.state import State, Upload
from ai_content_pipeline.sandbox.times import iso

from .answers import problem, refused

FILE_SECONDS = 86_400.0
_FILE = re.compile(r"^(?P<path>/v1/files/[^/]+)(?P<download>/download)?$")
_BOUNDARY = re.compile(r'multipart/form-data;.*boundary="?(?P<boundary>[^";]+)"?', re.IGNORECASE)
_PARAMETER = re.compile(r'(?P<name>\w+)="(?P<value>[^"]*)"')


def recognise(request: Request, state: State) -> Routed | None:
    """A request to store, look up, fetch, list or delete a file."""
    if request.path == "/v1/files" and request.method in ("GET", "POST"):
        if request.method == "GET":
            return Routed(Call("replicate", "list"), partial(_list, state))
        return Routed(Call("replicate", "upload"), partial(_store, state))
    match = _FILE.match(request.path)
    if match is None or request.method not in ("GET", "DELETE"):
        return None
    call = Call("replicate", "download" if match["download"] else "upload")
    return Routed(call, partial(_file, state, match))


def _store(state: State, request: Request, actions: Actions) -> Reply:
    denied = refused(state, request)
    if denied:
        return denied
    parts = _parts(request)
    if "content" not in parts:
        return problem(422, "- content: is required\n")
    name, content_type, data = parts["content"]
    try:
        metadata = json.loads(parts["metadata"][2]) if "metadata" in parts else {}
    except ValueError:
        return problem(422, "- metadata: is not JSON\n")
    now, file_id = state.clock.now(), secrets.token_urlsafe(27)
    upload = Upload(
        file_id,
        "replicate",
        f"/v1/files/{file_id}",
        name,
        content_type,
        now,
        now + FILE_SECONDS,
        data,
        metadata,
    )
    for action in actions:
        if isinstance(action, ExpireUpload):
            upload.expires = now + action.seconds
    state.store(upload)
    return json_response(_described(state, upload, request), 201)


def _described(state: State, upload: Upload, request: Request) -> dict[str, object]:
    data, skew = upload.data or b"", state.faults.skew("replicate")
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {
        "id": upload.id,
        "name": upload.name,
        "content_type": upload.content_type,
        "size": len(data),
        "etag": md5,
        "checksums": {"sha256": hashlib.sha256(data).hexdigest(), "md5": md5},
        "metadata": upload.metadata,
        "created_at": iso(upload.created + skew),
        "expires_at": iso(upload.expires + skew),
        "urls": {"get": request.base + upload.path},
    }


def _list(state: State, request: Request, _: Actions) -> Reply:
    alive = [one for path, one in state.uploads.items() if one.vendor == "replicate" and state.uploaded(path)]
    results = [_described(state, one, request) for one in alive]
    return refused(state, request) or json_response({"previous": None, "next": None, "results": results})


def _file(state: State, match: re.Match[str], request: Request, _: Actions) -> Reply:
    denied = refused(state, request)
    upload = state.uploaded(match["path"])
    if denied or upload is None:
        return denied or problem(404)
    if request.method == "DELETE":
        del state.uploads[upload.path]
        return Response(204)
    if match["download"]:
        return Response(body=upload.data or b"", content_type=upload.content_type)
    return json_response(_described(state, upload, request))


def _parts(request: Request) -> Mapping[str, tuple[str, str, bytes]]:
    """A form's parts by name: file name, content type, bytes."""
    match = _BOUNDARY.match(request.headers.get("content-type", ""))
    parts: dict[str, tuple[str, str, bytes]] = {}
    pieces = request.body.split(b"--" + match["boundary"].encode()) if match else []
    for piece in pieces[1:-1]:
        head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (
                line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n")
            )
        }
        named = dict(_PARAMETER.findall(headers.get("content-disposition", "")))
        kind = headers.get("content-type", "application/octet-stream")
        parts[named.get("name", "")] = (named.get("filename", "file"), kind, data.removesuffix(b"\r\n"))
    return parts
