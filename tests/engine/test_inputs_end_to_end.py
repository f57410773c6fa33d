"""Every form of `input:` and of prompt entries, from the YAML to the files that a vendor is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ai_content_pipeline.artifacts import Frame
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.media import images, video

BOARD = """
name: forms
output_dir: output
steps:
  - name: panels
    type: text_to_image
    model: nano_banana_pro
    params: {parallel: true, prompts: [p1, p2, p3, p4]}
"""


def picture(path: Path, colour: tuple[int, int, int] = (200, 30, 30)) -> str:
    """A PNG large enough for any model; its hash."""
    images.save_png(Image.new("RGB", (320, 320), colour), path)
    return hash_file(path)


def clip(path: Path) -> str:
    """A small clip that goes from black to white; its hash."""
    frames = [Image.new("RGB", (64, 48), (shade, shade, shade)) for shade in (0, 80, 160, 255)]
    video.encode_video(frames, path, fps=4)
    return hash_file(path)


def sent(studio, role: str) -> dict[str, list[str]]:
    """The content that each prompt's request was sent in `role`."""
    return {
        str(job.wire.payload["prompt"]): [url.removeprefix("fake://") for url in job.wire.payload[role]]
        for job in studio.vendor.jobs
        if job.wire.payload.get(role)
    }


def made(result, step: str) -> list[str]:
    return [item.artifact.sha256 for item in result.step(step).items]


def test_num_images_is_one_job_and_several_items(studio, pictures):
    """Several outputs of one request are items of their own, in the vendor's order."""
    studio.vendor.draw = lambda wire, path: _numbered(wire, path)
    result = studio.run(pictures("a", "b", num_images=3))
    assert (result.exit_code, studio.vendor.submits) == (0, 2)
    assert studio.tree() == [f"pictures/pictures_{n}.png" for n in range(1, 7)]
    widths = [images.probe_image(file).width for file in result.step("pictures").outputs]
    assert widths == [8, 9, 10, 8, 9, 10]


def _numbered(wire, path: Path) -> Path:
    """A picture whose width tells which output of its job it is, and its colour which job."""
    index = int(path.name.rsplit("-", 1)[1])
    shade = 40 * (1 + "ab".index(str(wire.payload["prompt"])))
    Image.new("RGB", (8 + index, 8), (shade, index, 0)).save(path, "PNG")
    return path


def test_too_few_outputs_leave_holes_and_keep_what_came(studio, pictures):
    """A vendor that returns one of three files: one item is there, two say so, nothing shifts."""
    from ai_content_pipeline.providers.fake import Act

    studio.vendor.script = lambda wire: Act(outputs=1)
    result = studio.run(pictures("a", num_images=3))
    assert [item.state.value for item in result.items] == ["done", "failed", "failed"]
    assert "1 of 3 files" in result.items[1].error.message
    assert result.exit_code == 7


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("panels", [0, 1, 2, 3]),
        ('"panels[1:]"', [1, 2, 3]),
        ('"panels[:2]"', [0, 1]),
        ('"panels[-1]"', [3]),
        ("panels/panels_3", [2]),
        ('["panels[2:]", panels/panels_1]', [2, 3, 0]),
    ],
)
def test_input_selects_items_in_order(studio, form, wanted):
    """Steps, slices, items and lists of them give exactly the panels they name, in that order."""
    text = f"""{BOARD}  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    input: {form}
    params: {{parallel: true, prompts: {[f"c{n}" for n in range(len(wanted))]}}}
"""
    result = studio.run(text)
    panels = made(result, "panels")
    assert result.exit_code == 0
    assert sent(studio, "start") == {f"c{n}": [panels[at]] for n, at in enumerate(wanted)}


def test_several_steps_as_input(studio):
    """input: [scenes, clips] takes both, in order, and labels that meet twice are told apart."""
    text = f"""{BOARD}  - {{name: small, type: thumbnail}}
  - {{name: all, type: thumbnail, input: [panels, small]}}
"""
    result = studio.run(text)
    assert result.exit_code == 0
    assert [item.label for item in result.step("all").items] == [
        *(f"panels_{n}" for n in (1, 2, 3, 4)),
        *(f"panels_{n}_2" for n in (1, 2, 3, 4)),
    ]


def test_roles_start_and_end(studio):
    """Each clip gets its own start and end picture; the shorter role decides how many there are."""
    text = f"""{BOARD}  - name: clips
    type: image_to_video
    model: veo_3_1_flf
    input: {{start: panels, end: "panels[1:]"}}
    params: {{parallel: true, prompts: [c1, c2, c3]}}
"""
    result = studio.run(text)
    panels = made(result, "panels")
    assert result.exit_code == 0
    assert sent(studio, "start") == {f"c{n}": [panels[n - 1]] for n in (1, 2, 3)}
    assert sent(studio, "end") == {f"c{n}": [panels[n]] for n in (1, 2, 3)}


def test_own_files_by_pattern_in_natural_order(studio):
    """input: {files: [...]} takes the user's pictures, 2 before 10, labelled by their names."""
    hashes = {}
    for name in ("shot10", "shot2", "Ümlaut 1"):
        hashes[name] = picture(studio.root / f"{name}.png", (len(name), 0, 99))
    text = """
name: files
output_dir: output
steps:
  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    input: {files: ["shot*.png", "Ü*.png"]}
    params: {prompts: [c1, c2, c3]}
"""
    result = studio.run(text)
    assert result.exit_code == 0
    assert sent(studio, "start") == {
        "c1": [hashes["shot2"]],
        "c2": [hashes["shot10"]],
        "c3": [hashes["Ümlaut 1"]],
    }
    assert studio.tree() == ["clips/mlaut_1.mp4", "clips/shot10.mp4", "clips/shot2.mp4"]


def test_input_image_feeds_a_first_step(studio):
    """A top-level input_image is the input of a first step that needs one."""
    sha = picture(studio.root / "own.png")
    text = """
name: single
output_dir: output
input_image: own.png
steps:
  - {name: clip, type: image_to_video, model: kling_2_6_pro, params: {prompt: move}}
"""
    assert studio.run(text).exit_code == 0
    assert sent(studio, "start") == {"move": [sha]}


def test_entry_file_replaces_the_input_of_its_slot(studio):
    """A picture as `file:` is the start of that clip alone; the others keep their panels."""
    sha = picture(studio.root / "own.png")
    text = f"""{BOARD}  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {{prompts: [c1, {{prompt: c2, file: own.png}}, c3, c4]}}
"""
    result = studio.run(text)
    panels = made(result, "panels")
    assert sent(studio, "start") == {"c1": [panels[0]], "c2": [sha], "c3": [panels[2]], "c4": [panels[3]]}


def test_own_footage_fills_its_slot_and_costs_nothing(studio):
    """A video as `file:` is the finished clip itself: given, delivered, thumbnailed, never sent."""
    sha = clip(studio.root / "holiday.mp4")
    text = f"""{BOARD}  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params: {{prompts: [c1, {{file: holiday.mp4}}, c3, c4]}}
  - {{name: small, type: thumbnail}}
"""
    result = studio.run(text)
    footage = result.step("clips").items[1]
    assert result.exit_code == 0
    assert (footage.state.value, footage.artifact.sha256, footage.cost) == ("given", sha, 0)
    assert hash_file(footage.file) == sha
    assert [prompt for prompt in studio.prompts if prompt[0] == "c"] == ["c1", "c3", "c4"]
    assert result.step("small").outputs[1].name == f"{footage.label}.webp"


def test_own_picture_in_text_to_image(studio, pictures):
    """An entry with `file:` puts the user's own picture into its slot of a text_to_image step."""
    sha = picture(studio.root / "own.png")
    result = studio.run(pictures("a", {"file": "own.png"}, "c"))
    assert made(result, "pictures")[1] == sha
    assert sorted(studio.prompts) == ["a", "c"]


def test_start_and_end_of_an_entry(studio):
    """start: and end: take files, item addresses, and stills of clips of earlier steps."""
    sha = picture(studio.root / "own.png")
    text = f"""{BOARD}  - name: first
    type: image_to_video
    model: kling_2_6_pro
    input: "panels[:1]"
    params: {{prompts: [f1]}}
  - name: clips
    type: image_to_video
    model: veo_3_1_flf
    input: {{start: panels, end: panels}}
    params:
      prompts:
        - {{prompt: c1, start: own.png, end: panels/panels_2}}
        - {{prompt: c2, start: first/panels_1.last_frame, end: first/panels_1.first_frame}}
        - c3
        - c4
"""
    result = studio.run(text)
    assert result.exit_code == 0, result.items
    panels = made(result, "panels")
    starts, ends = sent(studio, "start"), sent(studio, "end")
    assert (starts["c1"], ends["c1"]) == ([sha], [panels[1]])
    assert (starts["c3"], ends["c3"]) == ([panels[2]], [panels[2]])
    made_first = result.step("first").outputs[0]
    assert _pixels(studio, starts["c2"][0]) == _frame(made_first, Frame.LAST)
    assert _pixels(studio, ends["c2"][0]) == _frame(made_first, Frame.FIRST)


def _pixels(studio, sha256: str) -> bytes:
    stored = next((studio.root / ".aicp/artifacts").rglob(f"{sha256}*"))
    return images.open_image(stored).convert("RGB").tobytes()


def _frame(path: Path, which: Frame) -> bytes:
    return video.frame(path, which).convert("RGB").tobytes()


def test_previous_last_frame_chains_clips_in_order(studio):
    """previous.last_frame makes each clip wait for the one before, and start where that one ended."""
    studio.vendor.draw = _moving
    text = f"""{BOARD}  - name: clips
    type: image_to_video
    model: kling_2_6_pro
    params:
      parallel: true
      prompts:
        - c1
        - {{prompt: c2, start: previous.last_frame}}
        - {{prompt: c3, start: previous.last_frame}}
        - c4
"""
    result = studio.run(text)
    assert result.exit_code == 0
    order = [prompt for prompt in studio.prompts if prompt in ("c1", "c2", "c3")]
    assert order == ["c1", "c2", "c3"]
    starts = sent(studio, "start")
    for before, after in ((0, "c2"), (1, "c3")):
        made_before = result.step("clips").outputs[before]
        assert _pixels(studio, starts[after][0]) == _frame(made_before, Frame.LAST)
        assert _pixels(studio, starts[after][0]) != _frame(made_before, Frame.FIRST)


def _moving(wire, path: Path) -> Path:
    """Clips whose first and last frames differ; panels as usual."""
    from ai_content_pipeline.providers.fake import sketch

    if "video" not in wire.endpoint:
        return sketch(wire, path)
    shade = 60 * "1234".index(str(wire.payload["prompt"])[-1])
    frames = [Image.new("RGB", (64, 48), (shade, level, 0)) for level in (0, 100, 250)]
    video.encode_video(frames, path, fps=3)
    return path


def test_entry_params_seed_and_model_win_over_the_steps(studio):
    """An entry's own params, seed and model are what is sent for it; its siblings keep the step's."""
    text = """
name: entries
output_dir: output
seed: 1
steps:
  - name: pictures
    type: text_to_image
    model: nano_banana_pro
    params:
      parallel: true
      seed: 2
      aspect_ratio: "1:1"
      prompts:
        - a
        - {prompt: b, seed: 3, params: {aspect_ratio: "16:9"}}
        - {prompt: c, model: nano_banana}
"""
    result = studio.run(text)
    assert result.exit_code == 0, result.items
    wires = {str(job.wire.payload["prompt"]): job.wire for job in studio.vendor.jobs}
    sent = {name: (wire.payload["seed"], wire.payload["aspect_ratio"]) for name, wire in wires.items()}
    assert sent == {"a": (2, "1:1"), "b": (3, "16:9"), "c": (2, "1:1")}
    assert wires["c"].endpoint != wires["a"].endpoint
    assert [item.model for item in result.items] == ["nano_banana_pro", "nano_banana_pro", "nano_banana"]


def test_disabled_steps_are_not_there(studio):
    """enabled: false takes a step out; the next one falls back to the input before it."""
    text = f"""{BOARD}  - {{name: cut, type: split_image, enabled: false, params: {{grid: 2x2}}}}
  - {{name: small, type: thumbnail}}
"""
    result = studio.run(text)
    assert [step.name for step in result.steps] == ["panels", "small"]
    assert len(result.step("small").items) == 4


def test_the_output_tree_is_as_the_design_draws_it(studio, story):
    """One folder a step, one file an item, under labels that stay the same along the chain."""
    assert studio.run(story).exit_code == 0
    scenes = [f"scene_{n}" for n in (1, 2, 3, 4)]
    assert studio.tree("output/love_story") == [
        *(f"clips/{name}.mp4" for name in scenes),
        *(f"scenes/{name}.png" for name in scenes),
        "storyboard/storyboard_1.png",
        *(f"thumbnail_1/{name}.webp" for name in scenes),
    ]
    stats = [path.stat() for path in (studio.root / "output").rglob("*.*")]
    assert {stat.st_nlink for stat in stats} == {1}


def test_without_intermediates_only_the_end_is_shown_and_nothing_is_lost(studio, story):
    """save_intermediates: false delivers the last step and its thumbnails; all the rest stays stored."""
    extra = "  - {name: sheets, type: thumbnail, input: storyboard}\n"
    result = studio.run(story.replace("output_dir", "save_intermediates: false\noutput_dir") + extra)
    scenes = [f"scene_{n}" for n in (1, 2, 3, 4)]
    assert result.exit_code == 0
    assert studio.tree("output/love_story") == [
        *(f"clips/{name}.mp4" for name in scenes),
        *(f"thumbnail_1/{name}.webp" for name in scenes),
    ]
    assert result.step("storyboard").items[0].file is None
    stored = {path.stem for path in (studio.root / ".aicp/artifacts").rglob("*.*")}
    assert {item.artifact.sha256 for item in result.items} <= stored
    studio.run(story)
    assert studio.vendor.submits == 5
    assert "storyboard/storyboard_1.png" in studio.tree("output/love_story")


def test_turning_intermediates_off_removes_them_again(studio, story):
    """What an earlier run showed of the intermediates is tidied up, because nobody changed it."""
    studio.run(story)
    studio.run(story.replace("output_dir", "save_intermediates: false\noutput_dir"))
    assert {name.split("/")[0] for name in studio.tree("output/love_story")} == {"clips", "thumbnail_1"}
    assert not (studio.root / "output/love_story/scenes").exists()


def test_the_draft_renderer_runs_a_chain_for_real(studio):
    """model: draft draws, splits, moves and thumbnails: four clips that decode, of the asked length."""
    from ai_content_pipeline.engine.run import RunOptions, run
    from ai_content_pipeline.engine.workshop import open_workshop

    text = """
name: draft
seed: 5
prompt: "A 2x2 grid. Panel 1: a cup. Panel 2: a tree. Panel 3: a house. Panel 4: stars"
output_dir: output
steps:
  - {name: board, type: text_to_image, model: draft, params: {width: 192, height: 128, grid: "2x2"}}
  - {name: scenes, type: split_image, params: {grid: "2x2", naming: "scene_{n}"}}
  - name: clips
    type: image_to_video
    model: draft
    params: {parallel: true, prompt: zoom in, width: 96, height: 64, duration: 0.5, fps: 8}
  - {type: thumbnail}
"""
    expansion = studio.expand(text)
    options = RunOptions(studio.root, ("output",), "run", lambda address: "")
    with open_workshop(studio.project, {}) as workshop:
        result = run(expansion, workshop, options, lambda event: None)
    assert result.exit_code == 0, result.items
    clips = [video.verify_video(path) for path in result.step("clips").outputs]
    assert [(found.width, found.height, found.seconds) for found in clips] == [(96, 64, 0.5)] * 4
    assert len({item.artifact.sha256 for item in result.step("clips").items}) == 4
