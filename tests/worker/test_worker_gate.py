"""What every request passes: token, Host, Origin, JSON, size (classes W1, W2 and W7)."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.worker import gate
from ai_content_pipeline.worker.settings import Access, Settings, access_of, check
from tests.worker.conftest import SMALL, TOKEN, Office, Open

JOB = {"type": "sdxl_image_fast", "prompt": "x", "user_id": "u", "config": SMALL}


@pytest.fixture
def office(open_office: Open) -> Office:
    """Nothing need be made here."""
    return open_office(start=False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \u00e9"},
        {"X-Api-Key": TOKEN, "Authorization": "Bearer"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/x", "/metrics", "/openapi.json", "/nowhere"])
def test_no_token_no_answer(office: Office, headers: dict[str, str], path: str) -> None:
    """Without the token, with another or half of it, every address but the probes' is 401."""
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    assert office.client.get(path, headers=raw).status_code == 401


def test_a_token_in_the_address_is_none(office: Office) -> None:
    """Addresses are logged and shared: a token there does not count."""
    query = {"token": TOKEN, "access_token": TOKEN, "authorization": f"Bearer {TOKEN}"}
    assert office.client.get("/v1/jobs", headers={"Authorization": ""}, params=query).status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", "localhost.evil.example", "", "10.0.0.1"],
)
def test_a_rebound_name_is_refused(office: Office, host: str) -> None:
    """A page whose name was pointed at this machine is told nothing, even with the token."""
    assert office.client.get("/v1/jobs", headers={"Host": host}).status_code in (400, 421)
    assert office.client.get("/health", headers={"Host": host}).status_code in (400, 421)


def test_further_names_are_allowed_by_the_operator(open_office: Open) -> None:
    """--allowed-host worker: asked under that name it answers."""
    office = open_office(allowed_hosts=("worker",), start=False)
    assert office.client.get("/v1/jobs", headers={"Host": "worker:8750"}).status_code == 200
    assert office.client.get("/v1/jobs", headers={"Host": "other:8750"}).status_code == 421


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:3000", "http://localhost"]
)
def test_pages_of_other_sites_are_refused(open_office: Open, origin: str) -> None:
    """Another port of this machine is another site, too; no CORS header is ever sent."""
    office = open_office(token=None, start=False)
    answer = office.client.post("/v1/jobs", json=JOB, headers={"Origin": origin})
    assert answer.status_code == 403
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert office.client.post("/v1/jobs", json=JOB, headers={"Origin": office.url}).status_code == 202


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/json"],
)
def test_only_json_is_read(open_office: Open, kind: str) -> None:
    """What a form on some page can send is 415, token or not."""
    office = open_office(token=None, start=False)
    content = json.dumps(JOB).encode()
    for method, path in (("POST", "/v1/jobs"), ("PUT", "/v1/jobs/x")):
        answer = office.client.request(method, path, content=content, headers={"Content-Type": kind})
        assert answer.status_code == 415
    assert office.client.get("/v1/jobs").json() == {"jobs": []}


def test_a_body_is_bounded(open_office: Open) -> None:
    """Too large by its own word, or only when it comes: 413, and nothing is kept."""
    office = open_office(body_limit=10_000, start=False)
    headers = {"Content-Type": "application/json"}
    large = b" " * 10_001
    assert office.client.put("/v1/jobs/x", content=large, headers=headers).status_code == 413
    assert office.client.put("/v1/jobs/x", content=iter([large]), headers=headers).status_code == 413


def test_a_dripping_body_is_given_up(open_office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that does not end is 408 after its time, whatever trickles in."""
    monkeypatch.setattr(gate, "_BODY_SECONDS", 0.3)
    office = open_office(start=False)
    host, port = office.url.removeprefix("http://").split(":")
    head = (
        f"PUT /v1/jobs/x HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(head.encode())
        began = time.monotonic()
        for _ in range(5):
            sock.sendall(b" ")
            time.sleep(0.05)
        assert b" 408 " in sock.recv(100)
    assert time.monotonic() - began < 5


def test_beyond_loopback_a_token_is_needed(tmp_path: Path) -> None:
    """Without one the worker refuses to listen there, with exit code 4."""
    for host in ("0.0.0.0", "::", "10.1.2.3", "worker.example"):
        with pytest.raises(ConfigurationError, match="needs a token"):
            check(Settings(tmp_path, "draft", host=host))
        check(Settings(tmp_path, "draft", host=host, access=Access(token="12345678")))
    for host in ("127.0.0.1", "::1", "localhost"):
        check(Settings(tmp_path, "draft", host=host))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"AICP_WORKER_TOKEN": "short"}, "AICP_WORKER_TOKEN"),
        ({"AICP_WORKER_TOKEN": "with a blank in it"}, "AICP_WORKER_TOKEN"),
        ({"AICP_WORKER_CALLBACK_SECRET": "not base64 !"}, "AICP_WORKER_CALLBACK_SECRET"),
        ({"AICP_WORKER_CALLBACK_SECRET": "whsec_AAAA"}, "24 to 64"),
        ({"AICP_WORKER_CALLBACK_URL": "https://x.example/"}, "AICP_WORKER_CALLBACK_SECRET is not"),
        ({"AICP_WORKER_USER_TOKENS": "nowhere.txt"}, "cannot be read"),
    ],
)
def test_bad_secrets_are_named_and_not_shown(environ: dict[str, str], said: str) -> None:
    """A token or secret that cannot be one is a configuration error that does not repeat it."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        access_of(environ)
    if said != "cannot be read":
        assert not any(value in str(caught.value) for value in environ.values())


def test_users_tokens_come_from_a_file(tmp_path: Path) -> None:
    """user_id=token a line; a token twice, or no id, is refused with its line."""
    file = tmp_path / "tokens"
    file.write_text("# who may\nuser-1=token-one-1\n\nuser-2=token-two-2\n")
    access = access_of({"AICP_WORKER_USER_TOKENS": str(file)})
    assert access.users == {"token-one-1": "user-1", "token-two-2": "user-2"}
    assert "token-one" not in repr(access)
    file.write_text("user-1=token-one-1\nuser-2=token-one-1\n")
    with pytest.raises(ConfigurationError, match=":2: "):
        access_of({"AICP_WORKER_USER_TOKENS": str(file)})
