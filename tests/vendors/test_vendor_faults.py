"""Every fault of the sandbox, through the whole program: the exit code, the words, the charges, and what the
same command comes to once the fault is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ai_content_pipeline.sandbox import actions as do

BOTH = ("fal", "replicate")


@dataclass(frozen=True)
class Case:
    """What `action` on `route` comes to at each of `vendors`.

    First exit `code`, with `says` among the words; then, without the fault, `then` for the same command.
    In all the vendors accept `jobs` jobs and charge for `paid`.
    """

    id: str
    action: do.AnyAction
    route: tuple[str, ...] = ()
    times: int | None = None
    code: int = 0
    says: str = ""
    then: int = 0
    jobs: int = 1
    paid: int = 1
    vendors: tuple[str, ...] = BOTH


#: Over before anybody notices.
SURVIVED = (
    Case("429", do.Status(code=429), ("submit",), 2),
    Case("429, wait 3 s", do.Status(code=429, retry_after=3), ("submit",), 2),
    Case("429, wait until a date", do.Status(code=429, retry_after="date+2"), ("submit",), 1),
    Case("429 as a JSON string", do.Status(code=429, body="json_string"), ("submit",), 1),
    Case("429 to a poll", do.Status(code=429, retry_after=1), ("status", "result"), 3),
    Case("500 to a poll", do.Status(code=500), ("status", "result"), 3),
    Case("502 by a gateway", do.Status(code=502, body="nginx"), ("status", "result"), 3),
    Case("503 to a poll", do.Status(code=503, retry_after=1), ("status", "result"), 3),
    Case("504 after the end", do.Status(code=504, body="empty"), ("result",), 3),
    Case("404 by a gateway", do.Status(code=404, body="nginx"), ("status", "result"), 2),
    Case("polls reset", do.Reset(), ("status", "result"), 3),
    Case("polls reset early", do.Reset(when="before_body"), ("status", "result"), 3),
    Case("polls dropped", do.Drop(), ("status", "result"), 3),
    Case("a poll hangs", do.Hang(), ("status", "result"), 1),
    Case("polls late", do.Delay(seconds=0.1), ("status", "result"), 3),
    Case("polls drip", do.Drip(chunk=64, pause=0.001), ("status", "result"), 2),
    Case("polls truncated", do.Truncate(), ("status", "result"), 3),
    Case("polls cut", do.Cut(), ("status", "result"), 3),
    Case("polls empty", do.Empty(), ("status", "result"), 3),
    Case("polls as HTML", do.Html(), ("status", "result"), 3),
    Case("polls redirected", do.Redirect(url="https://example.com/"), ("status", "result"), 3),
    Case("a submit drips", do.Drip(chunk=16, pause=0.001), ("submit",), 1),
    Case("a slow submit", do.Delay(seconds=0.2), ("submit",), 1),
    Case("500 to a download", do.Status(code=500), ("download",), 3),
    Case("503 to a download", do.Status(code=503, retry_after=1), ("download",), 3),
    Case("a download refused at first", do.Status(code=403), ("download",), 4),
    Case("a download reset", do.Reset(), ("download",), 2),
    Case("a download dropped", do.Drop(), ("download",), 2),
    Case("a download drips", do.Drip(chunk=32, pause=0.005), ("download",), 1),
    Case("a download truncated", do.Truncate(), ("download",), 3),
    Case("a download cut", do.Cut(), ("download",), 3),
    Case("a download empty", do.Empty(), ("download",), 3),
    Case("a download as HTML", do.Html(), ("download",), 3),
    Case("a download that is a GIF", do.WrongMedia(), ("download",), 3),
    Case("runs backwards", do.Backwards(), ()),
    Case("an unknown status", do.UnknownStatus(), ()),
    Case("completed twice", do.CompletedTwice(), ()),
    Case("a clock an hour fast", do.ClockSkew(seconds=3600), ()),
    Case("a clock an hour slow", do.ClockSkew(seconds=-3600), ()),
    Case("a job of its own time", do.RunTime(seconds=0.3), ()),
    Case("a job of a long tail", do.RunTime(seconds=do.Lognormal(median=0.1, sigma=1.0, maximum=0.4)), ()),
    Case("polls late by chance", do.Delay(seconds=do.Uniform(low=0.0, high=0.1)), ("status", "result")),
    Case("a 500 that fal does not bill", do.Fail(code=500), (), 1, jobs=2, vendors=("fal",)),
    Case(
        "stopped before it ran",
        do.Aborted(),
        (),
        1,
        code=1,
        says="stopped before",
        jobs=2,
        vendors=("replicate",),
    ),
)

#: The vendor is down, or its file is: nothing is lost, and the same command mends it.
MENDED = (
    Case("429 for ever", do.Status(code=429), ("submit",), code=75, says="is busy"),
    Case(
        "429 for 30 years",
        do.Status(code=429, retry_after="1000000000"),
        ("submit",),
        code=75,
        says="is busy",
    ),
    Case("a wrong key", do.Status(code=401), ("submit",), code=4, says="check the key"),
    Case("no money", do.Status(code=402), ("submit",), code=4, says="balance"),
    Case("no permission", do.Status(code=403), ("submit",), code=4, says="check the key"),
    Case("no such model", do.Status(code=404), ("submit",), code=1, says="no such model"),
    Case(
        "an error as result, unbilled",
        do.ErrorBody(),
        code=1,
        says="it was not billed; the same command tries again",
        jobs=2,
        vendors=("fal",),
    ),
    Case("refused input", do.Status(code=422), ("submit",), code=1, says="refuses the request"),
    Case("401 to a poll", do.Status(code=401), ("status", "result"), code=4, says="check the key"),
    Case(
        "downloads refused", do.Status(code=403), ("download",), code=75, says="a firewall may be in the way"
    ),
    Case("downloads fail", do.Status(code=503), ("download",), code=75, says="answers 503"),
    Case("downloads reset", do.Reset(), ("download",), code=75, says="cannot be fetched"),
    Case("downloads truncated", do.Truncate(), ("download",), code=1, says="aicp fetch"),
    Case("downloads cut", do.Cut(), ("download",), code=1, says="aicp fetch"),
    Case("downloads empty", do.Empty(), ("download",), code=1, says="aicp fetch"),
    Case("downloads as HTML", do.Html(), ("download",), code=1, says="aicp fetch"),
    Case("downloads that are GIFs", do.WrongMedia(), ("download",), code=1, says="aicp fetch"),
    Case(
        "downloads redirected",
        do.Redirect(url="http://169.254.169.254/latest"),
        ("download",),
        code=1,
        says="only https is fetched",
    ),
)

#: It failed for good, and may have been billed: the same command says so again and pays nothing.
FINAL = (
    Case("rejected", do.Reject(), code=6, says="flagged", then=6, paid=0),
    Case("rejected and billed", do.Reject(billed=True), code=6, says="flagged", then=6),
    Case("failed", do.Fail(), code=1, says="CUDA out of memory", then=1, paid=0, vendors=("replicate",)),
    Case("failed and billed", do.Fail(code=422, billed=True), code=1, says="CUDA out of memory", then=1),
    Case(
        "an error as result",
        do.ErrorBody(billed=True),
        code=1,
        says="returned no output",
        then=1,
        vendors=("fal",),
    ),
    Case(
        "an error as result",
        do.ErrorBody(),
        code=1,
        says="returned no output",
        then=1,
        paid=0,
        vendors=("replicate",),
    ),
    Case("a deleted result", do.Gone(), code=1, says="no longer has the result", then=1),
    Case("a deleted file", do.Gone(what="files"), code=1, says="no longer has the result", then=1),
    Case("no outputs", do.Outputs(count=0), code=1, says="returned no file", then=1),
)


def cases(table: tuple[Case, ...]) -> list[Any]:
    return [pytest.param(case, vendor, id=f"{case.id}-{vendor}") for case in table for vendor in case.vendors]


@pytest.mark.parametrize(("case", "vendor"), cases((*SURVIVED, *MENDED, *FINAL)))
def test_a_fault_and_what_comes_after_it(account: Any, case: Case, vendor: str) -> None:
    """The exit code and the words are those of the table; the same command afterwards pays nothing more."""
    account.script(case.action, vendor=vendor, route=case.route, times=case.times)
    account.write(account.pictures(vendor, ["a cup"]))
    said = account.chain()
    assert said.code == case.code, said.text
    assert case.says in said.text + account.report
    account.unscript()
    assert account.chain().code == case.then, account.said[-1].text
    assert account.accepted == case.jobs
    assert sum(account.paid.values()) == case.paid
    assert "Traceback" not in account.said[0].text


@pytest.mark.parametrize("vendor", BOTH)
@pytest.mark.parametrize("action", [do.Html(), do.Cut(), do.Empty()], ids=lambda action: action.kind)
def test_what_does_not_decode_is_kept_and_fetched_again_for_nothing(
    account: Any, vendor: str, action: do.AnyAction
) -> None:
    """Asked for five times, then kept in quarantine; `aicp fetch` has it once the vendor has."""
    account.script(action, route=("download",))
    account.write(account.pictures(vendor, ["a cup"]))
    assert account.chain().code == 1
    assert (f"what {vendor} sent" if action.kind != "empty" else "is empty") in account.report
    assert "work-" not in account.report  # where it lay in the meantime
    assert account.sandbox.counts()[f"{vendor}.download"] == 5
    kept = list((account.project.state / "quarantine").iterdir())
    assert len(kept) == (0 if action.kind == "empty" else 1) or kept[0].stat().st_size == 0
    assert account.aicp("fetch").code == 1
    account.unscript()
    said = account.aicp("fetch")
    assert (said.code, "collected" in said.text) == (0, True)
    assert account.chain().code == 0
    assert (account.accepted, account.paid) == (1, {"a cup": 1})


@pytest.mark.parametrize("vendor", BOTH)
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://10.0.0.1/a.png", "only https is fetched"),
        ("https://10.0.0.1/a.png", "not a public address"),
        ("https://127.0.0.1:1/a.png", "not a public address"),
        ("http://169.254.169.254/latest/meta-data", "only https is fetched"),
        ("https://[fd00:ec2::254]/a.png", "not a public address"),
        ("https://0x7f000001/a.png", "an unusual way"),
        ("https://localhost/a.png", "not a public host"),
        ("http://fal.media/a.png", "only https is fetched"),
        ("https://fal.media@10.0.0.1/a.png", "names a user"),
        ("file:///etc/passwd", "not an https:// address"),
        ("ftp://fal.media/a.png", "not an https:// address"),
        ("//10.0.0.1/a.png", "not an https:// address"),
        ("gopher://10.0.0.1/", "not an https:// address"),
        ("data:text/html,<h1>hello</h1>", "neither a picture nor a video"),
        ("https://fal.media/\r\nX: y", "a control character"),
    ],
)
def test_a_result_at_a_forbidden_address_is_never_fetched(
    account: Any, vendor: str, url: str, says: str
) -> None:
    """Exit 1 and the reason; the job was paid and stays paid once; nobody is connected to."""
    account.script(do.OutputUrl(url=url))
    account.write(account.pictures(vendor, ["a cup"]))
    said = account.chain()
    assert said.code == 1, said.text
    if vendor == "replicate" and url.startswith(("//", "gopher:", "data:text")):
        says = (
            "returned no file"  # there an output may be any text, and this is nothing like a file's address
        )
    assert says in account.report
    assert account.chain().code == 1
    assert account.sandbox.counts().get(f"{vendor}.download", 0) == 0
    assert not list((account.root / "output").rglob("*.png"))
    assert (account.accepted, account.paid) == (1, {"a cup": 1})


def test_two_of_four_outputs_are_delivered_and_the_others_are_holes(account: Any) -> None:
    """Exit 7; the two that came are there, in order, and the missing ones say so. Nothing is paid again."""
    text = (
        "name: pics\nsteps:\n  - name: pics\n    type: text_to_image\n    model: nano_banana_pro\n"
        "    params: {prompt: a cup, num_images: 4}\n"
    )
    account.script(do.Outputs(count=2))
    for _ in range(2):
        result = account.run(text)
        assert result.exit_code == 7
        assert [item.artifact is not None for item in result.steps[0].items] == [True, True, False, False]
        assert {fault.message for fault in account.faults(result)} == {"2 of 4 files were made"}
    assert account.accepted == 1


@pytest.mark.parametrize("action", [do.Html(), do.Cut()], ids=lambda action: action.kind)
def test_one_output_of_four_that_does_not_decode_spoils_no_other(account: Any, action: do.AnyAction) -> None:
    """Exit 7; three are delivered, with what is made of them; the bad one says what is wrong with it, and
    it alone is fetched again for nothing."""
    text = (
        "name: pics\nsteps:\n  - name: pics\n    type: text_to_image\n    model: nano_banana_pro\n"
        "    params: {prompt: a cup, num_images: 4}\n  - {type: thumbnail}\n"
    )
    account.write(text)
    for nth, downloads in ((2, 8), (1, 13)):
        account.script(action, route=("download",), nth=nth, times=5)
        said = account.chain("--json")
        assert said.code == 7, said.text
        items = said.data["steps"][0]["items"]
        assert [item["error"] is None for item in items] == [True, False, True, True]
        fault = items[1]["error"]
        assert fault["code"] == "bad_media"
        assert "file 2 of 4: what fal sent" in fault["message"]
        assert "aicp fetch" in fault["hint"]
        thumbnails = said.data["steps"][1]["items"]
        assert [item["file"] is not None for item in thumbnails] == [True, False, True, True]
        assert account.sandbox.counts()["fal.download"] == downloads
    assert len(list((account.project.state / "quarantine").iterdir())) == 1
    said = account.aicp("fetch")
    assert (said.code, "collected" in said.text) == (0, True), said.text
    assert account.sandbox.counts()["fal.download"] == 14
    assert account.chain().code == 0
    assert len(list((account.root / "output" / "pics" / "pics").iterdir())) == 4
    assert (account.accepted, account.paid) == (1, {"a cup": 1})


def test_a_bad_output_that_the_vendor_deleted_leaves_the_others(account: Any) -> None:
    """Three of four stay good, and the fourth a hole, also when its file can no longer be fetched."""
    text = (
        "name: pics\nsteps:\n  - name: pics\n    type: text_to_image\n    model: nano_banana_pro\n"
        "    params: {prompt: a cup, num_images: 4}\n"
    )
    account.script(do.Html(), route=("download",), nth=2, times=5)
    assert account.run(text).exit_code == 7
    account.sandbox.script(
        account.rule(do.Status(code=404), route=("download",)),
        account.rule(do.Status(code=404), route=("status", "result")),
    )
    for _ in range(2):
        result = account.run(text)
        assert result.exit_code == 7
        assert [item.artifact is not None for item in result.steps[0].items] == [True, False, True, True]
    assert account.accepted == 1


def test_a_429_is_one_reservation(account: Any) -> None:
    """However often a submit is refused for its rate, the cap for one is enough for one."""
    account.script(do.Status(code=429), route=("submit",), times=4)
    account.write(account.pictures("fal", ["a cup"]))
    assert account.chain("--max-cost", "0.15").code == 0
    assert account.aicp("cost", "--json").data["estimated_usd"] == "0.15"


@pytest.mark.parametrize("phase", ["queued", "running"])
@pytest.mark.parametrize("vendor", BOTH)
def test_a_job_that_never_ends_is_left_for_later(account: Any, vendor: str, phase: Any) -> None:
    """After two hours: exit 75, nothing lost, and `aicp fetch` named; status shows what still runs."""
    account.script(do.Stuck(phase=phase))
    polled = []

    def emit(event: object) -> None:
        polled.append(event)
        if len(polled) == 6:
            account.clock.ahead += account.hours(3)

    result = account.run(account.pictures(vendor, ["a cup"]), emit=emit)
    (fault,) = account.faults(result)
    assert (result.exit_code, fault.retry_with) == (75, "aicp fetch")
    assert "has not finished it yet" in fault.message
    assert account.accepted == 1
    assert "aicp fetch" in account.aicp("status").text


@pytest.mark.parametrize("vendor", BOTH)
def test_a_key_that_the_vendor_does_not_know(account: Any, vendor: str) -> None:
    """Exit 4 with what to check, and no part of the key in it; nothing is accepted, uploaded or charged."""
    account.extra |= {"FAL_KEY": "wrong-id:canary-wrong", "REPLICATE_API_TOKEN": "r8_canary-wrong"}
    account.write(account.pictures(vendor, ["a cup"]))
    said = account.chain()
    assert said.code == 4
    assert "check the key" in account.report
    assert "canary" not in said.text
    assert account.accepted == 0


@pytest.mark.parametrize("vendor", BOTH)
def test_no_key_at_all(account: Any, vendor: str) -> None:
    """Exit 4 before anything runs, with both ways out: set it, or draft."""
    account.extra |= {"FAL_KEY": "", "REPLICATE_API_TOKEN": ""}
    account.write(account.pictures(vendor, ["a cup"]))
    said = account.chain()
    assert said.code == 4
    assert "--draft" in said.text
    assert account.sandbox.counts() == {}


@pytest.mark.parametrize("action", [do.Status(code=503), do.Reset(), do.Html(), do.Status(code=429)], ids=str)
@pytest.mark.parametrize(("vendor", "model"), [("fal", "kling_2_6_pro"), ("replicate", "seedance_1_lite")])
def test_an_upload_that_fails_costs_nothing(
    account: Any, vendor: str, model: str, action: do.AnyAction
) -> None:
    """Tried five times, then exit 75 and no job; trouble that ends before that is not noticed."""
    from PIL import Image

    Image.new("RGB", (640, 640), (9, 90, 200)).save(account.root / "panel.png")
    account.write(
        f"name: clip\ninput_image: panel.png\nsteps:\n"
        f"  - {{name: clip, type: image_to_video, model: {model}, params: {{prompt: waves}}}}\n"
    )
    account.script(action, route=("upload",))
    assert account.chain().code == 75, account.said[-1].text
    assert account.accepted == 0
    assert account.sandbox.counts()[f"{vendor}.upload"] == 5
    account.script(action, route=("upload",), times=4)
    assert account.chain().code == 0
    assert (account.accepted, account.paid) == (1, {"waves": 1})
