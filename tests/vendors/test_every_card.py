"""Every card's example, through validation, plan and the sandbox: the request that arrives is the vendor's
kind of request, and costs what the plan said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Kind
from ai_content_pipeline.catalog.example import Example, example
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.media.video import encode_video
from ai_content_pipeline.sandbox import JobRow, Sandbox, Settings

SCHEMAS: dict[str, dict[str, dict[str, Any]]] = {
    vendor: json.loads((Path(__file__).parents[1] / f"schemas/{vendor}.json").read_text(encoding="utf-8"))
    for vendor in ("fal", "replicate")
}
INSTANT = Settings(image_seconds=0, video_seconds=0, look="plain", image_px=64, video_px=64, video_fps=1)
WIDTH, HEIGHT, SECONDS = 640, 360, 2

KEYS = catalog.keys()
EXAMPLES: dict[str, tuple[catalog.Card, Task, Example]] = {
    f"{key}-{task}": (card, task, shown)
    for key in KEYS
    for card in [catalog.load(key)]
    for task in card.tasks
    for shown in [example(card, task)]
}
every_example = pytest.mark.parametrize("name", EXAMPLES)


# -- the recorded schemas ------------------------------------------------------------------------------


def schema_of(card: catalog.Card) -> dict[str, Any]:
    return SCHEMAS[card.provider][card.endpoint.partition(":")[0]]


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


def misfits(schema: Mapping[str, Any], value: Any, where: str = "input") -> Iterator[str]:
    """Every way in which `value` is not what the schema describes: the words of JSON Schema that the
    recorded ones use."""
    if "type" in schema:
        wanted = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        fits = any(isinstance(value, TYPES[one]) for one in wanted)
        if not fits or (isinstance(value, bool) and "boolean" not in wanted):
            yield f"{where}: {value!r} is no {' or '.join(wanted)}"
            return
    if "enum" in schema and not any(type(one) is type(value) and one == value for one in schema["enum"]):
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if schema.get("deprecated"):
        yield f"{where}: the vendor does not heed it"
    if schema.get("format") == "uri" and not str(value).startswith(("http://", "https://", "data:")):
        yield f"{where}: {value!r} is no address"
    low, high = schema.get("minimum"), schema.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        yield f"{where}: {value!r} is not within {low} to {high}"
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{where}: {len(value)} are more than {schema['maxItems']}"
        for index, one in enumerate(value):
            yield from misfits(schema.get("items", {}), one, f"{where}[{index}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, one in value.items():
            if name not in known and schema.get("additionalProperties") is False:
                yield f"{where}: no field is called {name}"
            yield from misfits(known.get(name, {}), one, f"{where}.{name}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"duration": 5}, "none of"),
        ({"duration": "7"}, "none of"),
        ({"duraton": "5"}, "no field is called duraton"),
        ({"generate_audio": "yes"}, "no boolean"),
        ({"start_image_url": "start.png"}, "no address"),
        ({"start_image_url": ["https://x.test/a"]}, "no string"),
        ({"prompt": None}, "no string"),
    ],
)
def test_the_schemas_refuse_what_they_should(change: dict[str, Any], words: str) -> None:
    """A request that fits, changed in one field, fits no more."""
    schema = SCHEMAS["fal"]["fal-ai/kling-video/v2.6/pro/image-to-video"]
    good = {"prompt": "x", "duration": "5", "generate_audio": False, "start_image_url": "https://x.test/a"}
    assert list(misfits(schema, good)) == []
    (found,) = misfits(schema, good | change)
    assert words in found
    assert list(misfits(schema, {"prompt": "x"})) == ["input: start_image_url is missing"]


def test_the_schemas_know_lists_bounds_and_what_is_ignored() -> None:
    """Too many files, numbers out of range, truth for a number, and fields that are no longer heeded."""
    edit = SCHEMAS["fal"]["fal-ai/bytedance/seedream/v4/edit"]
    urls = [f"https://x.test/{number}" for number in range(11)]
    assert "more than 10" in next(misfits(edit, {"prompt": "x", "image_urls": urls}))
    lite = SCHEMAS["replicate"]["bytedance/seedance-1-lite"]
    assert "not within" in next(misfits(lite, {"prompt": "x", "duration": 13}))
    assert "no integer" in next(misfits(lite, {"prompt": "x", "seed": True}))
    pro = SCHEMAS["fal"]["fal-ai/bytedance/seedance/v1/pro/image-to-video"]
    sent = {"prompt": "x", "image_url": urls[0], "end_image_url": urls[1]}
    assert "does not heed" in next(misfits(pro, sent))


def test_every_card_has_a_recorded_schema() -> None:
    """No card is without one."""
    assert [key for key in KEYS if not schema_of(catalog.load(key))["properties"]] == []


# -- one run of all examples ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """What came of the examples, by their names."""

    planned: dict[str, Any]
    jobs: dict[str, JobRow]
    charges: dict[str, Decimal]
    items: dict[str, Any]


def aicp(sandbox: Sandbox, folder: Path, *words: str) -> Any:
    """The program as a process of its own; its envelope's data."""
    done = subprocess.run(
        [sys.executable, "-m", "ai_content_pipeline", *words, "--json"],
        cwd=folder,
        env={**os.environ, **sandbox.environ(), "AICP_REPLICATE_PER_MINUTE": "60000"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout[:4000]
    return json.loads(done.stdout)["data"]


def write_files(folder: Path) -> None:
    """The user's own files that examples name."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "teal")
    for name, kind in {file for _, _, shown in EXAMPLES.values() for file in shown.files.items()}:
        if kind is Kind.IMAGE:
            picture.save(folder / name)
        else:
            encode_video([picture] * SECONDS, folder / name, fps=1)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All examples as one file, each a step: validated, planned and run."""
    folder = tmp_path_factory.mktemp("cards")
    (folder / ".aicp").mkdir()
    write_files(folder)
    steps = [{**yaml.safe_load(shown.step)[0], "name": name} for name, (_, _, shown) in EXAMPLES.items()]
    declared = [yaml.safe_load(shown.pipeline).get("references", {}) for _, _, shown in EXAMPLES.values()]
    references = {name: one for some in declared for name, one in some.items()}
    every = {"name": "all", "references": references, "steps": steps}
    (folder / "all.yaml").write_text(yaml.safe_dump(every), encoding="utf-8")
    with Sandbox(INSTANT) as sandbox:
        aicp(sandbox, folder, "validate", "all.yaml")
        plan = aicp(sandbox, folder, "run-chain", "all.yaml", "--dry-run")
        assert sandbox.counts() == {}
        report = aicp(sandbox, folder, "run-chain", "all.yaml", "--yes", "--allow-unpriced")
        assert sandbox.leaks() == ()
        names = {key_of(card, shown): name for name, (card, _, shown) in EXAMPLES.items()}
        jobs = {names[job.endpoint, job.prompt]: job for job in sandbox.jobs()}
        paid = {charge.job: charge.usd for charge in sandbox.charges()}
    items = {step["name"]: item for step in report["steps"] for item in step["items"]}
    charges = {name: paid[job.id] for name, job in jobs.items()}
    return Ran({item["step"]: item for item in plan["items"]}, jobs, charges, items)


def key_of(card: catalog.Card, shown: Example) -> tuple[str, str]:
    """What tells the examples' jobs apart at the vendors: endpoint and prompt. A request that names a
    version does not name its model."""
    (step,) = yaml.safe_load(shown.step)
    params = step.get("params", {})
    entries = params.get("prompts") or [{}]
    endpoint, versioned, _ = card.endpoint.partition(":")
    return "sandbox/unknown" if versioned else endpoint, entries[0].get("prompt") or params.get(
        "prompt"
    ) or ""


def test_one_job_for_each_example(ran: Ran) -> None:
    """Every example made one job, and nothing else was asked for; every card is among them."""
    assert set(ran.jobs) == set(ran.charges) == set(ran.planned) == set(ran.items) == set(EXAMPLES)
    assert {card.key for card, _, _ in EXAMPLES.values()} == set(KEYS)


@every_example
def test_the_request_that_arrives_fits_the_vendors_schema(ran: Ran, name: str) -> None:
    """The payload has the fields, types and values on record, and all that the vendor insists on."""
    card = EXAMPLES[name][0]
    assert list(misfits(schema_of(card), ran.jobs[name].payload)) == []


@every_example
def test_what_was_written_arrives(ran: Ran, name: str) -> None:
    """Prompt, parameters and files of the example are in the payload; a seed is all that is added."""
    card, _, shown = EXAMPLES[name]
    (step,) = yaml.safe_load(shown.step)
    params = {key: value for key, value in step.get("params", {}).items() if key not in ("prompt", "prompts")}
    payload = dict(ran.jobs[name].payload)
    house = {payload.pop(field, None) for field in (card.prompt, card.seed) if field}
    assert {key: payload.pop(key) for key in params} == params
    assert len(house) <= 2
    roles = {field.name for field in card.roles.values()}
    assert set(payload) <= roles
    files = sum(len(urls) if isinstance(urls, list) else 1 for urls in payload.values())
    assert files == len(shown.files)


@every_example
def test_the_plan_is_the_charge(ran: Ran, name: str) -> None:
    """The plan's price is what the vendor's own list comes to, to the last digit; or it is said to be
    unknown."""
    card = EXAMPLES[name][0]
    planned = ran.planned[name]["price_usd"]
    assert ran.planned[name]["model"] == card.key
    if planned is None or card.price is None:
        assert planned is None
        assert card.price is None or card.price.unit == "compute second"
        return
    assert Decimal(planned) == ran.charges[name]


def test_most_examples_have_a_price(ran: Ran) -> None:
    """The law above is about something: most examples are priced, in every unit that can be foretold."""
    priced = [name for name in EXAMPLES if ran.planned[name]["price_usd"] is not None]
    units = {price.unit for name in priced if (price := EXAMPLES[name][0].price)}
    assert len(priced) >= 60
    assert units == {"image", "megapixel", "second", "video", "1M video tokens"}


@every_example
def test_the_result_is_there(ran: Ran, name: str) -> None:
    """The file is of the kind that the task makes."""
    _, task, shown = EXAMPLES[name]
    item = ran.items[name]
    video = Kind.VIDEO in shown.files.values() or task.makes is Kind.VIDEO
    assert item["state"] == "done"
    assert item["kind"] == ("video" if video else "image")
