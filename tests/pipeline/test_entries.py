"""What each item's request holds: prompts, parameters, seeds, models and files, and which of them wins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ai_content_pipeline.artifacts import Artifact, Frame, Kind, Pending, Role
from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.jobs import JobRequest
from ai_content_pipeline.pipeline.expansion import Expansion, expand
from ai_content_pipeline.pipeline.load import load_pipeline
from ai_content_pipeline.steps.fields import EXCLUSION_LIST

FILES = Path(__file__).with_name("bad") / "files"
BOARD = """
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {prompt: A board}}
  - {name: scenes, type: split_image, params: {grid: "1x3"}}
"""

Expand = Callable[..., Expansion]


@pytest.fixture
def expanded(tmp_path: Path) -> Expand:
    def build(text: str, *, draft: bool = False) -> Expansion:
        path = tmp_path / "pipeline.yaml"
        path.write_text(text, encoding="utf-8")
        for name in ("small.png", "clip.mp4"):
            (tmp_path / name).write_bytes((FILES / name).read_bytes())
        return expand(load_pipeline(path, environ={}), draft=draft)

    return build


def requests(expansion: Expansion, name: str = "clips") -> list[JobRequest]:
    (step,) = (step for step in expansion.steps if step.name == name)
    found = [step.verbs.work(item, step.setting) for item in step.items]
    assert all(isinstance(request, JobRequest) for request in found)
    return [request for request in found if isinstance(request, JobRequest)]


def clips(params: str, *, top: str = "", model: str = "kling_2_6_pro", more: str = "") -> str:
    return f"""{top}
steps:{BOARD}
  - name: clips
    type: image_to_video
    model: {model}
    {more}
    params: {params}
"""


def test_a_line_is_text_null_or_a_mapping(expanded: Expand) -> None:
    """Text is the prompt; null, an empty mapping and a missing line take the step's own."""
    found = requests(expanded(clips("{prompt: Own, prompts: [One, null, {}]}")))
    assert [request.prompt for request in found] == ["One", "Own", "Own"]
    found = requests(expanded(clips("{prompt: Own, prompts: [{prompt: One}]}")))
    assert [request.prompt for request in found] == ["One", "Own", "Own"]


def test_the_top_level_prompt_serves_only_steps_without_any(expanded: Expand) -> None:
    """With `prompts` the file's prompt does not fill in for missing lines."""
    top = "prompt: The top"
    assert {r.prompt for r in requests(expanded(clips("{}", top=top)))} == {"The top"}
    assert {r.prompt for r in requests(expanded(clips("{prompt: Own}", top=top)))} == {"Own"}
    with pytest.raises(InvalidPipeline, match=r"items 2 to 3 have no prompt.*does not count here"):
        expanded(clips("{prompts: [One]}", top=top))


def test_an_entry_wins_over_the_step(expanded: Expand) -> None:
    """Parameters merge by name, the entry's over the step's, and model_params over both."""
    text = clips(
        "{prompt: Go, duration: 5, generate_audio: false, prompts: [{params: {duration: 10}}]}",
        more="model_params: {negative_prompt: blur}",
    )
    first, second, _ = requests(expanded(text))
    assert first.params == {"duration": "10", "generate_audio": False, "negative_prompt": "blur"}
    assert second.params == {"duration": "5", "generate_audio": False, "negative_prompt": "blur"}


def test_model_params_are_sent_as_they_stand(expanded: Expand) -> None:
    """`model_params` is not checked, not converted, and wins even under our own names."""
    text = clips(
        "{prompt: Go, duration: 5}",
        more="model_params: {duration: 7, parallel: 3, strange: {deep: [1, null, true]}}",
    )
    assert requests(expanded(text))[0].params == {
        "duration": 7,
        "parallel": 3,
        "strange": {"deep": [1, None, True]},
    }


def test_our_own_keys_are_never_sent(expanded: Expand) -> None:
    """Nothing of the exclusion list, nor the seed, reaches a model's parameters."""
    text = clips("{prompt: Go, prompts: [One], parallel: true, max_workers: 2, duration: 5}")
    batch = clips("{prompt: Go, strategy: batch, batch_size: 2, seed: 3}", model="seedance_1_lite")
    for request in (*requests(expanded(text)), *requests(expanded(batch))):
        assert not {*EXCLUSION_LIST, "seed"} & set(request.params)


@pytest.mark.parametrize("duration", ["5", '"5"'])
def test_5_and_quoted_5_are_one_value(duration: str, expanded: Expand) -> None:
    """Numbers and text that spells them go out in the type of the model's schema."""
    assert requests(expanded(clips(f"{{prompt: Go, duration: {duration}}}")))[0].params == {"duration": "5"}
    other = requests(expanded(clips(f"{{prompt: Go, duration: {duration}}}", model="seedance_1_lite")))
    assert other[0].params == {"duration": 5}


def test_seeds_entry_over_step_over_file(expanded: Expand) -> None:
    """An entry's seed wins over the step's, that over the file's, and 0 is a seed."""
    text = clips("{prompt: Go, seed: 3, prompts: [{seed: 0}]}", top="seed: 7", model="seedance_1_lite")
    assert [request.seed for request in requests(expanded(text))] == [0, 3, 3]
    text = clips("{prompt: Go}", top="seed: 7", model="seedance_1_lite")
    assert [request.seed for request in requests(expanded(text))] == [7, 7, 7]
    assert [r.seed for r in requests(expanded(clips("{prompt: Go}", model="seedance_1_lite")))] == [None] * 3


def test_a_top_level_seed_passes_models_without_one_by(expanded: Expand) -> None:
    """The file's seed is for the models that take one; it is no mistake beside those that do not."""
    assert [r.seed for r in requests(expanded(clips("{prompt: Go}", top="seed: 7")))] == [None] * 3


def test_an_entry_may_use_another_model(expanded: Expand) -> None:
    """Parameters of the step that the entry replaces need not fit the entry's model."""
    text = clips("{prompt: Go, duration: 10, prompts: [{model: hailuo_2_3_standard, params: {duration: 6}}]}")
    first, second, _ = requests(expanded(text))
    assert (first.model.name, first.params) == ("hailuo_2_3_standard", {"duration": "6"})
    assert (second.model.name, second.params) == ("kling_2_6_pro", {"duration": "10"})


def test_own_footage_fills_a_slot(expanded: Expand) -> None:
    """A video as `file` is the finished clip: it costs nothing, takes no picture and needs no prompt."""
    step = expanded(clips("{prompts: [One, {file: clip.mp4}, Three]}")).steps[-1]
    assert [item.given is not None for item in step.items] == [False, True, False]
    own = step.items[1]
    assert own.given is not None
    assert own.given.kind is Kind.VIDEO
    assert own.inputs == {}
    assert [item.index for item in step.items] == [0, 1, 2]


def test_a_picture_as_file_is_where_the_clip_starts(expanded: Expand) -> None:
    """A picture in `file` or `start` replaces the step's input of that item alone."""
    for key in ("file", "start"):
        step = expanded(
            clips(f"{{prompt: Go, prompts: [null, {{{key}: small.png}}]}}", model="veo_3_1")
        ).steps[-1]
        kinds = [type(item.inputs[Role.START][0]) for item in step.items]
        assert kinds == [Pending, Artifact, Pending]
        assert [item.label for item in step.items] == ["panel_1", "small", "panel_3"]


def test_chains_start_on_the_last_frame_before(expanded: Expand) -> None:
    """previous.last_frame is the last frame of the item before; an address with a frame is that item's."""
    text = """
steps:
  - name: walk
    type: image_to_video
    model: draft
    params:
      prompt: Go
      prompts: [{start: small.png}, {start: previous.last_frame}, {start: previous.last_frame}]
  - name: home
    type: image_to_video
    model: draft
    params:
      prompts: [{prompt: Go, start: walk/walk_3.first_frame, end: walk/small.last_frame}]
"""
    walk, home = expanded(text).steps
    second, third = (item.inputs[Role.START][0] for item in walk.items[1:])
    assert isinstance(second, Pending)
    assert isinstance(third, Pending)
    assert (second.address, second.frame, second.kind) == ("walk/small", Frame.LAST, Kind.IMAGE)
    assert (third.address, third.frame) == ("walk/walk_2", Frame.LAST)
    start, end = (home.items[0].inputs[role][0] for role in (Role.START, Role.END))
    assert isinstance(start, Pending)
    assert isinstance(end, Pending)
    assert (start.address, start.frame) == ("walk/walk_3", Frame.FIRST)
    assert (end.address, end.frame) == ("walk/small", Frame.LAST)


def test_roles_of_an_input_pair_up(expanded: Expand) -> None:
    """With start and end, the shortest role decides how many items there are."""
    text = clips("{prompt: Go}", more='input: {start: scenes, end: "scenes[1:]"}')
    items = expanded(text).steps[-1].items
    pairs = [(item.inputs[Role.START][0], item.inputs[Role.END][0]) for item in items]
    assert [
        (a.address, b.address) for a, b in pairs if isinstance(a, Pending) and isinstance(b, Pending)
    ] == [
        ("scenes/panel_1", "scenes/panel_2"),
        ("scenes/panel_2", "scenes/panel_3"),
    ]


@pytest.mark.parametrize(
    ("selection", "labels"),
    [
        ("scenes", ["panel_1", "panel_2", "panel_3"]),
        ("scenes/panel_2", ["panel_2"]),
        ('"scenes[0]"', ["panel_1"]),
        ('"scenes[-1]"', ["panel_3"]),
        ('"scenes[1:]"', ["panel_2", "panel_3"]),
        ('"scenes[:-1]"', ["panel_1", "panel_2"]),
        ('["scenes[2:]", scenes/panel_1]', ["panel_3", "panel_1"]),
    ],
)
def test_every_form_of_selection(selection: str, labels: list[str], expanded: Expand) -> None:
    """A step, an item, a place, a slice as in Python, and lists of them, in the order written."""
    step = expanded(clips("{prompt: Go}", more=f"input: {selection}")).steps[-1]
    assert [item.label for item in step.items] == labels


def test_the_default_input_passes_thumbnails_by(expanded: Expand) -> None:
    """Without `input:`, a step works on the nearest earlier step that is not a thumbnail."""
    text = clips("{prompt: Go}").replace(
        "  - name: clips", "  - {name: small, type: thumbnail}\n  - name: clips"
    )
    first = expanded(text).steps[-1].items[0].inputs[Role.START][0]
    assert isinstance(first, Pending)
    assert first.address == "scenes/panel_1"


def test_entries_that_bring_everything_need_no_input(expanded: Expand) -> None:
    """After a step of the wrong kind, entries that all bring their own files are the input."""
    text = (
        clips("{prompt: Go}")
        + """
  - name: more
    type: image_to_video
    model: draft
    params: {prompt: Go, prompts: [{start: small.png}, {start: clips/panel_1.last_frame}]}
"""
    )
    assert [item.label for item in expanded(text).steps[-1].items] == ["small", "panel_1"]


@pytest.mark.parametrize("count", ["3", '"3"', "3.0"])
def test_num_images_makes_so_many_items_of_one_job(count: str, expanded: Expand) -> None:
    """Several pictures of one request share their job, and are counted however the number is written."""
    text = f"""
steps:
  - name: board
    type: text_to_image
    model: nano_banana_pro
    params: {{prompts: [One, {{prompt: Two, params: {{num_images: {count}}}}}]}}
"""
    step = expanded(text).steps[0]
    assert [(item.job, item.output) for item in step.items] == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert [request.outputs for request in requests(expanded(text), "board")] == [1, 3, 3, 3]


def test_a_misspelt_key_of_ours_is_no_model_parameter(expanded: Expand) -> None:
    """Near-misses of our keys are refused where the schema is unknown as well."""
    for key in ("max_worker", "Parallel", "batch-size", "promts", "seeds"):
        with pytest.raises(InvalidPipeline, match=f"unknown key '{key}'; did you mean"):
            expanded(clips(f"{{prompt: Go, {key}: 1}}", model="fal:someone/model"))


def test_a_model_without_prompt_is_sent_none(expanded: Expand) -> None:
    """Prompts are required where the card says so, and only there."""
    found = requests(expanded(clips("{}", model="kling_3_pro")))
    assert [request.prompt for request in found] == [None] * 3
    with pytest.raises(InvalidPipeline, match="no prompt"):
        expanded(clips("{}"))
    with pytest.raises(InvalidPipeline, match="no prompt"):
        expanded(clips("{}"), draft=True)


def test_pictures_for_an_undescribed_endpoint_work_as_draft(expanded: Expand) -> None:
    """An endpoint without a card takes no pictures of ours, but its draft does."""
    text = clips("{prompt: Go}", model="fal:someone/model")
    with pytest.raises(InvalidPipeline, match="nobody described fal:someone/model"):
        expanded(text)
    assert len(expanded(text, draft=True).steps[-1].items) == 3


def test_an_undescribed_endpoint_is_warned_about(expanded: Expand) -> None:
    """Parameters that nobody can check are said to be unchecked."""
    text = "steps:\n  - {type: text_to_image, model: 'fal:someone/model', params: {prompt: Go, odd: 1}}\n"
    assert any("unchecked" in warning for warning in expanded(text).warnings)


def test_an_input_image_that_no_step_uses_is_said(expanded: Expand) -> None:
    """A top-level input picture is for a first step that needs one; elsewhere it is pointed out."""
    assert expanded(clips("{prompt: Go}", top="input_image: small.png")).warnings
    text = "input_image: small.png\nsteps:\n  - {type: thumbnail}\n"
    assert expanded(text).warnings == ()
    assert [item.label for item in expanded(text).items] == ["small"]
