"""A step that keeps references, expanded: which items there are, what they send, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ai_content_pipeline.artifacts import Pending, Role, Route
from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.generation import artifact_store
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.pipeline.expansion import ExpandedStep, Expansion, expand
from ai_content_pipeline.pipeline.load import load_pipeline

TOP = """
name: kept
references:
  mia: {images: [mia.png], description: a woman}
  tom: {images: [tom.png], description: a man, strength: 0.4}
consistency_groups: {both: [mia, tom]}
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {prompt: board, aspect_ratio: "16:9"}}
  - {name: scenes, type: split_image, params: {grid: "1x2", naming: "scene_{n}"}}
"""
Expand = Callable[..., Expansion]


@pytest.fixture
def expanded(tmp_path: Path) -> Expand:
    """A file of those steps below `top`, expanded."""
    for name in ("mia.png", "tom.png", "panel.png"):
        Image.new("RGB", (400, 400), "red" if name == "mia.png" else "blue").save(tmp_path / name)

    def make(*steps: str, top: str = TOP, draft: bool = False) -> Expansion:
        path = tmp_path / "kept.yaml"
        path.write_text(top + "".join(f"  - {step}\n" for step in steps), encoding="utf-8")
        return expand(load_pipeline(path, environ={}), draft=draft)

    return make


def requests(step: ExpandedStep) -> list[JobRequest]:
    found = [step.verbs.work(item, step.setting) for item in step.items]
    return [work for work in found if isinstance(work, JobRequest)]


def routes(step: ExpandedStep) -> list[Route | None]:
    kept = [step.setting.conditioning.get(item.job) for item in step.items]
    return [one.route if one else None for one in kept]


KLING = "{{name: clips, type: {type}, model: kling_2_6_pro, references: {names}, params: {{{params}}}}}"
CLIPS = KLING.format(type="image_to_video", names="[mia]", params="prompts: ['@mia', b]")
ONE = "{{name: c, type: {type}, model: {model}, references: {names}, params: {{prompt: {prompt}}}}}"


@pytest.mark.parametrize("draft", [False, True])
def test_a_step_becomes_two(expanded: Expand, draft: bool) -> None:
    """Stills of the panels first, each clip from its still; labels are the panels', and a draft has the
    same shape."""
    *_, stills, clips = expanded(CLIPS, draft=draft).steps
    assert [stills.name, clips.name] == ["clips_keyframes", "clips"]
    assert [item.address for item in stills.items] == ["clips_keyframes/scene_1", "clips_keyframes/scene_2"]
    assert [item.address for item in clips.items] == ["clips/scene_1", "clips/scene_2"]
    for still, clip, panel in zip(stills.items, clips.items, ("scene_1", "scene_2"), strict=True):
        (source,) = still.inputs[Role.INPUT]
        assert isinstance(source, Pending)
        assert source.address == f"scenes/{panel}"
        assert len(still.inputs[Role.REFERENCE]) == 1
        assert clip.inputs == {Role.START: (still.makes,)}
    assert routes(stills) == [Route.SERVER] * 2
    assert routes(clips) == [Route.KEYFRAME] * 2


def test_stages_have_their_own_models_parameters_and_the_same_pace(expanded: Expand) -> None:
    """`keyframe` says what the stills are made by, how, and in which words; the pace is the step's."""
    step = (
        "{name: clips, type: image_to_video, model: kling_2_6_pro, references: [mia], on_error: stop,"
        " keyframe: {model: nano_banana_2_edit, params: {resolution: 2K, seed: 5},"
        " prompt: 'Put {description} there: {prompt}'},"
        " params: {parallel: true, max_workers: 3, duration: 10, prompts: ['@mia waves', b]}}"
    )
    *_, stills, clips = expanded(step).steps
    assert stills.verbs.shape == clips.verbs.shape
    assert (stills.fields.on_error, clips.fields.on_error) == ("stop", "stop")
    first, second = requests(stills)
    assert first.model.endpoint == "fal-ai/nano-banana-2/edit"
    assert (first.prompt, second.prompt) == ("Put a woman there: a woman waves", "Put a woman there: b")
    assert (first.params, first.seed) == ({"resolution": "2K"}, 5)
    assert [(one.prompt, one.params) for one in requests(clips)] == [
        ("a woman waves", {"duration": "10"}),
        ("b", {"duration": "10"}),
    ]


def test_only_the_scenes_that_need_a_still_get_one(expanded: Expand) -> None:
    """Routes are chosen scene by scene: other models, no references and a chain stand beside each other."""
    step = (
        "{name: clips, type: image_to_video, model: kling_2_6_pro, references: [mia],"
        " input: {files: [panel.png, panel.png, panel.png, panel.png]}, params: {prompts: [a,"
        " {prompt: b, references: []}, {prompt: c, model: kling_3_pro},"
        " {prompt: d, start: previous.last_frame}]}}"
    )
    *_, stills, clips = expanded(step).steps
    assert [item.address for item in stills.items] == ["clips_keyframes/panel"]
    assert routes(clips) == [Route.KEYFRAME, None, Route.SERVER, Route.PROMPT]
    assert [item.label for item in clips.items] == ["panel", "panel_2", "panel_3", "clips_4"]
    assert [len(item.inputs.get(Role.REFERENCE, ())) for item in clips.items] == [0, 0, 1, 0]
    assert requests(clips)[3].prompt == "d\n\nThe same in every scene: a woman."


def test_words_become_stills_become_clips(expanded: Expand) -> None:
    """A step that begins with words has its stills made of them, by a model that edits as well, and keeps
    the names that its clips would have had."""
    step = KLING.format(type="text_to_video", names="[both]", params="prompts: [a, b]")
    *_, stills, clips = expanded(step).steps
    assert [set(item.inputs) for item in stills.items] == [{Role.REFERENCE}] * 2
    assert [item.address for item in clips.items] == ["clips/clips_1", "clips/clips_2"]
    assert {one.model.endpoint for one in requests(clips)} == {"fal-ai/kling-video/v2.6/pro/image-to-video"}


def test_the_prompt_of_the_file_counts_for_both_stages(expanded: Expand) -> None:
    """A step without prompts of its own takes the file's, in the still and in the clip."""
    step = "{name: clips, type: text_to_video, model: kling_2_6_pro, references: [mia]}"
    stills, clips = expanded(step, top="prompt: '@mia sings'\n" + TOP).steps[-2:]
    assert [one.prompt for one in requests(clips)] == ["a woman sings"]
    assert [(one.prompt or "").endswith("a woman sings") for one in requests(stills)] == [True]


def test_stills_are_a_step_like_any(expanded: Expand) -> None:
    """Later steps may take them by name; no two steps have one name."""
    later = "{name: small, type: thumbnail, input: clips_keyframes}"
    assert [item.label for item in expanded(CLIPS, later).steps[-1].items] == ["scene_1", "scene_2"]
    taken = "{name: Clips_Keyframes, type: thumbnail, input: board}"
    names = [step.name for step in expanded(CLIPS, taken).steps]
    assert names[-3:] == ["clips_keyframes_2", "clips", "Clips_Keyframes"]
    long = expanded(CLIPS.replace("name: clips", f"name: {'n' * 64}")).steps[-2].name
    assert (len(long), long[-11:]) == (64, "n_keyframes")


def test_the_step_after_takes_the_clips(expanded: Expand) -> None:
    """The nearest earlier step is the one of the file, not its stills."""
    step = expanded(CLIPS, "{name: film, type: concat, params: {size: 64x64}}").steps[-1]
    joined = [source.address for source in step.items[0].inputs[Role.INPUT] if isinstance(source, Pending)]
    assert joined == ["clips/scene_1", "clips/scene_2"]


def test_a_made_reference_is_an_edge(expanded: Expand) -> None:
    """What an earlier step makes is promised to every item that keeps it; a slice and one item count too."""
    top = TOP.replace("[mia.png]", "[{step: 'scenes[1:]'}, {step: scenes/scene_1}]")
    step = ONE.format(type="text_to_video", model="kling_o1_ref", names="[mia]", prompt="x")
    (item,) = expanded(step, top=top).steps[-1].items
    found = [source.address for source in item.inputs[Role.REFERENCE] if isinstance(source, Pending)]
    assert found == ["scenes/scene_2", "scenes/scene_1"]


def test_what_nobody_hears_is_said(expanded: Expand) -> None:
    """A strength that no model takes, a name in a prompt without its pictures, a reference for nothing."""
    prompt = "'@mia, @tom, @ann'"
    step = ONE.format(type="text_to_video", model="kling_o1_ref", names="[tom]", prompt=prompt)
    warnings = expanded(step).warnings
    assert [warning.partition(": ")[2][:40] for warning in warnings if warning.startswith("c: ")] == [
        "a prompt says @mia, which its 'reference",
        "kling_o1_ref cannot be told how strongly",
    ]
    assert "reference 'mia' is kept by no step: name it under a step's 'references'" in warnings
    pulid = ONE.format(type="text_to_image", model="flux_pulid", names="[tom]", prompt="x")
    quiet = expanded(pulid)
    assert not [warning for warning in quiet.warnings if warning.startswith("c: ")]
    assert requests(quiet.steps[-1])[0].params == {"id_weight": 0.4}


def test_the_users_own_parameter_stands(expanded: Expand) -> None:
    """A parameter that the file sets is stronger than what the reference says."""
    step = ONE.format(type="text_to_image", model="flux_pulid", names="[tom]", prompt="x, id_weight: 0.9")
    assert requests(expanded(step).steps[-1])[0].params == {"id_weight": 0.9}


def test_a_reference_too_small_for_its_model_is_refused(expanded: Expand, tmp_path: Path) -> None:
    """The model's least side counts for references, by the name that the file gives them."""
    small = TOP.replace("mia.png", "small.png")
    Image.new("RGB", (299, 400)).save(tmp_path / "small.png")
    step = ONE.format(type="text_to_video", model="kling_o1_ref", names="[mia]", prompt="x")
    with pytest.raises(InvalidPipeline) as caught:
        expanded(step, top=small)
    assert "your picture 'mia' is 299x400 pixels, too small" in str(caught.value)


def test_a_reference_is_read_once(expanded: Expand, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many scenes of however many steps keep it, its file is hashed once, while the file is read:
    before anything is paid."""
    hashed: list[str] = []

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return hash_file(path)

    monkeypatch.setattr(artifact_store, "hash_file", counted)
    prompts = "prompts: [a, b, c, d, e, f, g, h, i]"
    steps = [
        KLING.format(type="text_to_video", names="[both]", params=prompts),
        KLING.format(type="text_to_video", names="[mia]", params=prompts).replace("clips", "more"),
    ]
    assert len(expanded(*steps).items) == 1 + 2 + 2 * (9 + 9)
    assert sorted(hashed) == ["mia.png", "tom.png"]


def test_a_video_is_no_reference(expanded: Expand, tmp_path: Path) -> None:
    """A clip is refused by its name, with what to do instead, also for a model that could take one."""
    clip = Path(__file__).with_name("bad") / "files" / "clip.mp4"
    (tmp_path / "walk.mp4").write_bytes(clip.read_bytes())
    step = ONE.format(type="text_to_video", model="seedance_2_ref", names="[mia]", prompt="x")
    with pytest.raises(InvalidPipeline) as caught:
        expanded(step, top=TOP.replace("mia.png", "walk.mp4"))
    (problem,) = caught.value.problems
    assert problem.message == "walk.mp4 is a video"
    assert problem.hint == "a reference is a picture: save a frame of it"


def test_other_words_with_an_at_are_left_alone(expanded: Expand) -> None:
    """Without a declared name, prompts are sent as they were written, by every step."""
    step = "{name: c, type: image_to_video, model: kling_2_6_pro, params: {prompts: ['@bob @mia', '@both']}}"
    assert [one.prompt for one in requests(expanded(step).steps[-1])] == ["@bob a woman", "a woman and a man"]


def test_what_a_picture_says_of_itself_is_told(expanded: Expand, tmp_path: Path) -> None:
    """A photograph that only its EXIF tag turns, and one that says where it was taken, are pointed out."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300)).save(tmp_path / "turned.jpg", exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 1
    exif.get_ifd(0x8825)[1] = "N"
    Image.new("RGB", (400, 300)).save(tmp_path / "placed.jpg", exif=exif)
    top = TOP.replace("mia.png", "turned.jpg, placed.jpg, panel.png")
    step = ONE.format(type="text_to_video", model="kling_o1_ref", names="[both]", prompt="x")
    said = [
        warning for warning in expanded(step, top=top).warnings if ".jpg" in warning or "panel" in warning
    ]
    assert [warning.partition(" ")[0] for warning in said] == ["turned.jpg", "placed.jpg"]
    assert "upright" in said[0]
    assert "where it was taken" in said[1]


def test_a_model_here_is_given_the_pictures_to_encode(expanded: Expand) -> None:
    """The route of embeddings: the pictures and their strength go to the model on this machine, which also
    makes the stills of clips that are made here."""
    picture = ONE.format(type="text_to_image", model='"diffusers:sdxl"', names="[tom]", prompt="x")
    (step,) = expanded(picture).steps[2:]
    (asked,) = requests(step)
    assert routes(step) == [Route.EMBEDDINGS]
    assert (len(asked.inputs[Role.REFERENCE]), asked.params) == (1, {"reference_scale": 0.4})
    clip = ONE.format(
        type="text_to_video", model='"diffusers:wan2.1_i2v_14b_480p"', names="[tom]", prompt="x"
    )
    stills, clips = expanded(clip).steps[2:]
    assert (routes(stills), routes(clips)) == ([Route.EMBEDDINGS], [Route.KEYFRAME])
    assert {one.model.provider for one in (*requests(stills), *requests(clips))} == {"diffusers"}


def test_stills_that_nobody_needs_are_pointed_out(expanded: Expand) -> None:
    """A 'keyframe' on a step whose scenes take another route is said to count for nothing."""
    step = ONE.format(type="text_to_video", model="kling_o1_ref", names="[mia]", prompt="x")
    said = [warning for warning in expanded(step).warnings if "keyframe" in warning]
    assert not said
    (told,) = [
        warning
        for warning in expanded(step.replace("params:", "keyframe: draft, params:")).warnings
        if "keyframe" in warning
    ]
    assert told == "c: no scene takes the route 'keyframe', so 'keyframe' counts for nothing"


def test_each_model_is_told_in_its_own_words(expanded: Expand) -> None:
    """A model that takes over for another is not sent the other's tags; tags of the user's own stay his."""
    step = ONE.format(type="text_to_video", model="kling_o1_ref", names="[mia]", prompt="'@mia'")
    (kept,) = expanded(step.replace("params:", "fallback: [veo_3_1_ref], params:")).steps[2:]
    (other,) = kept.fallbacks
    assert [requests(one)[0].prompt for one in (kept, other)] == ["@Image1", "a woman"]
    runway = ONE.format(
        type="text_to_image", model="runway_gen4_image", names="[mia]", prompt="'@mia', reference_tags: [mum]"
    )
    (asked,) = requests(expanded(runway).steps[-1])
    assert (asked.prompt, asked.params) == ("a woman", {"reference_tags": ["mum"]})
