"""References through both vendors' protocols: what arrives, how often it is uploaded, what is paid again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SIZE = (320, 320)
SUBJECTS = {"front.png": "crimson", "side.png": "maroon", "mug.png": "teal", "panel.png": "khaki"}
TOP = """
name: kept
references:
  mia: {images: [front.png, side.png], description: a woman in a red coat, strength: 0.7}
  mug: {images: [mug.png], description: a blue mug}
consistency_groups: {both: [mia, mug]}
steps:
"""
CLIP = "{{name: c, type: text_to_video, model: {model}, references: {names}, params: {{{params}}}}}"
PICTURE = CLIP.replace("text_to_video", "text_to_image")


@pytest.fixture
def project(account: Any) -> Any:
    """An account whose project has pictures of two subjects, and a panel."""
    for name, color in SUBJECTS.items():
        Image.new("RGB", SIZE, color).save(account.root / name)
    return account


def made(project: Any, step: str, top: str = TOP) -> list[Any]:
    """The jobs of a file of one step, in the order in which the vendors took them."""
    project.write(top + f"  - {step}\n")
    said = project.chain()
    assert said.code == 0, said.text
    return sorted(project.sandbox.jobs(), key=lambda job: job.created)


def files(project: Any, urls: Any) -> list[str]:
    """Which of the project's files lie behind addresses; "made" is none of them."""
    known = {hashlib.sha256((project.root / name).read_bytes()).hexdigest(): name for name in SUBJECTS}
    return [known.get(content(project, url), "made") for url in urls]


def content(project: Any, url: str) -> str:
    """The sha256 of an uploaded file: Replicate says it of a file, fal hands the file out."""
    import httpx

    token = {"Authorization": f"Bearer {project.environ['REPLICATE_API_TOKEN']}"} if "/v1/" in url else {}
    found = httpx.get(url, headers=token)
    return str(found.json()["checksums"]["sha256"]) if token else hashlib.sha256(found.content).hexdigest()


def test_fal_takes_a_list(project: Any) -> None:
    """The pictures of every subject in one list under the card's name; the prompt calls them by the
    vendor's tags; no start picture is needed."""
    step = CLIP.format(model="kling_o1_ref", names="[both]", params="prompt: '@mia holds @mug'")
    (job,) = made(project, step)
    assert job.endpoint == "fal-ai/kling-video/o1/reference-to-video"
    assert job.payload["prompt"] == "@Image1 holds @Image3"
    assert files(project, job.payload["image_urls"]) == ["front.png", "side.png", "mug.png"]


def test_fal_takes_one(project: Any) -> None:
    """A field of one file gets one address; the strength goes where the model has a parameter for it."""
    step = (
        "{name: c, type: text_to_image, model: flux_pulid, references: [mia], params: {prompt: '@mia reads'}}"
    )
    (job,) = made(project, step, TOP.replace("front.png, side.png", "front.png"))
    assert job.payload["prompt"] == "a woman in a red coat reads"
    assert files(project, [job.payload["reference_image_url"]]) == ["front.png"]
    assert job.payload["id_weight"] == 0.7


def test_fal_takes_elements(project: Any) -> None:
    """Each subject is an element with its front and its other sides, beside the start picture."""
    step = (
        "{name: c, type: image_to_video, model: kling_3_pro, input: {files: [panel.png]}, references: [both],"
        " params: {prompt: '@both meet'}}"
    )
    (job,) = made(project, step)
    first, second = job.payload["elements"]
    assert files(project, [first["frontal_image_url"], *first["reference_image_urls"]]) == [
        "front.png",
        "side.png",
    ]
    assert files(project, [second["frontal_image_url"], *second["reference_image_urls"]]) == ["mug.png"] * 2
    assert files(project, [job.payload["start_image_url"]]) == ["panel.png"]
    assert job.payload["prompt"] == "@Element1 and @Element2 meet"


def test_replicate_takes_a_list(project: Any) -> None:
    """As many as the card says, under Replicate's name, for a model that also makes clips from words."""
    step = CLIP.format(model="seedance_1_lite", names="[mia]", params="prompt: '@mia walks'")
    (job,) = made(project, step)
    assert job.endpoint == "bytedance/seedance-1-lite"
    assert job.payload["prompt"] == "a woman in a red coat walks"
    assert files(project, job.payload["reference_images"]) == ["front.png", "side.png"]


def test_replicate_takes_one(project: Any) -> None:
    """One subject in a field of one file, beside the start picture."""
    step = (
        "{name: c, type: image_to_video, model: minimax_video_01, input: {files: [panel.png]},"
        " references: [mug], params: {prompt: 'a hand takes @mug'}}"
    )
    (job,) = made(project, step)
    assert files(project, [job.payload["subject_reference"], job.payload["first_frame_image"]]) == [
        "mug.png",
        "panel.png",
    ]


def test_runway_gets_tags(project: Any) -> None:
    """Each picture has a tag of its own in the parallel list, and the prompt names the first of a subject."""
    step = PICTURE.format(model="runway_gen4_image", names="[both]", params="prompt: '@mug of @mia, @tom'")
    (job,) = made(project, step)
    assert job.payload["reference_tags"] == ["ref1", "ref2", "ref3"]
    assert job.payload["prompt"] == "@ref3 of @ref1, @tom"
    assert files(project, job.payload["reference_images"]) == ["front.png", "side.png", "mug.png"]


@pytest.mark.parametrize(
    ("model", "still", "field", "start"),
    [
        ("kling_2_6_pro", "fal-ai/nano-banana-pro/edit", "image_urls", "start_image_url"),
        ("kling_2_1_replicate", "google/nano-banana-pro", "image_input", "start_image"),
    ],
)
def test_a_still_is_made_first(project: Any, model: str, still: str, field: str, start: str) -> None:
    """Two stages: each panel is redrawn with the references behind it, and the clip starts with the result.
    A scene without references goes straight from its panel."""
    step = (
        f"{{name: c, type: image_to_video, model: {model}, input: {{files: [panel.png, mug.png]}},"
        " references: [mia], params: {prompts: ['@mia waves', {prompt: 'steam', references: []}]}}"
    )
    jobs = made(project, step)
    (first,) = [job for job in jobs if job.endpoint == still]
    second, alone = sorted(
        (job for job in jobs if job.endpoint != still), key=lambda job: str(job.payload["prompt"])
    )
    assert files(project, first.payload[field]) == ["panel.png", "front.png", "side.png"]
    assert first.payload["prompt"].endswith("The scene: a woman in a red coat waves")
    assert second.payload["prompt"] == "a woman in a red coat waves"
    assert files(project, [second.payload[start]]) == ["made"]
    assert alone.payload["prompt"] == "steam"
    assert files(project, [alone.payload[start]]) == ["mug.png"]
    output = project.root / "output" / "kept"
    assert sorted(path.stem for path in (output / "c").iterdir()) == ["mug", "panel"]
    assert sorted(path.stem for path in (output / "c_keyframes").iterdir()) == ["panel"]


@pytest.mark.parametrize(
    ("model", "endpoint"),
    [
        ("kling_2_6_pro_t2v", "fal-ai/kling-video/v2.6/pro/text-to-video"),
        ("seedance_1_lite", "bytedance/seedance-1-lite"),
    ],
)
def test_words_alone_are_the_last_resort(project: Any, model: str, endpoint: str) -> None:
    """What a prompt does not mention is described behind it; no picture is uploaded."""
    step = (
        f"{{name: c, type: text_to_video, model: {model}, references: [both], route: prompt,"
        " params: {prompt: '@mia smiles'}}"
    )
    (job,) = made(project, step)
    assert job.endpoint == endpoint
    assert job.payload["prompt"] == "a woman in a red coat smiles\n\nThe same in every scene: a blue mug."
    assert job.payload.keys() - {"seed"} == {"prompt"}
    assert not [call for call in project.sandbox.counts() if call.endswith(".upload")]


@pytest.mark.parametrize("vendor", ["fal", "replicate"])
@pytest.mark.parametrize("how", ["", "strategy: batch, ", "parallel: true, max_workers: 9, "])
def test_nine_scenes_share_one_upload(project: Any, vendor: str, how: str) -> None:
    """However many scenes there are and however they run, each file goes to a vendor once."""
    model = {"fal": "kling_o1_ref", "replicate": "seedance_1_lite"}[vendor]
    prompts = ", ".join(f"scene {number}" for number in range(9))
    step = CLIP.format(model=model, names="[mia]", params=f"{how}prompts: [{prompts}]")
    assert len(made(project, step)) == 9
    assert project.sandbox.counts()[f"{vendor}.upload"] == 2


TWO = "prompts: ['@mia walks', b]"
PANELS = (
    "{{name: c, type: image_to_video, model: {model}, input: {{files: [panel.png, panel.png]}},"
    " references: [{names}], params: {{prompts: ['@mia walks', b]}}}}"
)
#: By vendor and route, a step of two scenes; and how many jobs see the reference pictures themselves.
ROUTES = {
    "fal, server, a list": (CLIP.format(model="kling_o1_ref", names="[mia]", params=TWO), 2),
    "fal, server, one file": (PICTURE.format(model="flux_pulid", names="[mug]", params=TWO), 2),
    "fal, server, elements": (PANELS.format(model="kling_3_pro", names="mia"), 2),
    "replicate, server, a list": (CLIP.format(model="seedance_1_lite", names="[mia]", params=TWO), 2),
    "replicate, server, one file": (PANELS.format(model="minimax_video_01", names="mug"), 2),
    "replicate, server, tags": (PICTURE.format(model="runway_gen4_image", names="[mia]", params=TWO), 2),
    "fal, keyframe": (PANELS.format(model="kling_2_6_pro", names="mia"), 2),
    "replicate, keyframe": (PANELS.format(model="kling_2_1_replicate", names="mia"), 2),
    "fal, prompt": (CLIP.format(model="kling_2_6_pro_t2v", names="[mia]", params=TWO), 0),
    "replicate, prompt": (
        CLIP.format(model="seedance_1_lite", names="[mia], route: prompt", params=TWO),
        0,
    ),
}


@pytest.mark.parametrize("how", ROUTES)
def test_one_pixel_is_another_reference(project: Any, how: str) -> None:
    """A change of one pixel makes every scene anew that is sent the picture; without it all is there, and
    where words alone are sent nothing depends on it."""
    step, seeing = ROUTES[how]
    before = len(made(project, step))
    assert len(made(project, step)) == before
    for name in ("side.png", "mug.png"):
        with Image.open(project.root / name) as picture:
            picture.putpixel((3, 3), (1, 2, 3))
            picture.save(project.root / name)
    jobs = made(project, step)
    anew = {job.endpoint for job in jobs[before:]}
    assert len(jobs) - before in (seeing, before if seeing else 0)
    assert bool(anew) is bool(seeing)


@pytest.mark.parametrize("how", ROUTES)
def test_names_are_only_names(project: Any, how: str) -> None:
    """Files, references and steps that are only called otherwise are all there already, by every route."""
    step, _ = ROUTES[how]
    before = len(made(project, step))
    (project.root / "front.png").rename(project.root / "moved.png")
    top = TOP.replace("front.png", "moved.png").replace("mia", "eva").replace("mug:", "cup:")
    top = top.replace("[mia, mug]", "[eva, cup]").replace("[eva, mug]", "[eva, cup]")
    again = step.replace("mia", "eva").replace("[mug]", "[cup]").replace("name: c", "name: d")
    assert len(made(project, again, top)) == before


def test_groups_are_only_names(project: Any) -> None:
    """A group that is called otherwise, or written out, asks for the same."""
    step = CLIP.format(model="kling_o1_ref", names="[both]", params="prompt: '@both meet'")
    assert len(made(project, step)) == 1
    assert len(made(project, step.replace("both", "all"), TOP.replace("both", "all"))) == 1
    assert len(made(project, step.replace("[both]", "[mia, mug]"))) == 1


def test_a_reference_is_made_by_an_earlier_step(project: Any) -> None:
    """What a step makes is sent as a reference as soon as it is there, and its change is a new key."""
    top = """
name: kept
references:
  mia: {images: [{step: portrait}, mug.png]}
steps:
  - {name: portrait, type: text_to_image, model: nano_banana_pro, params: {prompt: a face}}
"""
    step = CLIP.format(model="kling_o1_ref", names="[mia]", params="prompt: '@mia walks'")
    portrait, clip = made(project, step, top)
    assert portrait.payload["prompt"] == "a face"
    assert files(project, clip.payload["image_urls"]) == ["made", "mug.png"]
    assert len(made(project, step, top)) == 2
    assert len(made(project, step, top.replace("a face", "another face"))) in (3, 4)


@pytest.mark.parametrize("name", ["server", "keyframe", "prompt"])
def test_the_pipelines_we_show_run(account: Any, name: str) -> None:
    """Each route's example runs through the sandbox, and a second run pays nothing."""
    folder = Path(__file__).parents[2] / "input" / "pipelines" / "references"
    shutil.copytree(folder, account.root, dirs_exist_ok=True)
    said = account.chain(file=f"{name}.yaml")
    assert said.code == 0, said.text
    paid = account.accepted
    assert paid == {"server": 3, "keyframe": 7, "prompt": 2}[name]
    assert account.chain(file=f"{name}.yaml").code == 0
    assert account.accepted == paid
