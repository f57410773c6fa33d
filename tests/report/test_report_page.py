"""report.html without a browser: what it shows, and that no text can change what it is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_content_pipeline.artifacts import Artifact
from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState, RunResult, StepResult
from ai_content_pipeline.report import page, words
from ai_content_pipeline.report.texts import HIDDEN

POLICY = (
    "default-src 'none'; img-src 'self' data:; media-src 'self' data:; style-src 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'"
)
NASTY = (
    "</script><script>alert(1)</script>\"><img src=x onerror=alert(1)>' onmouseover='x --> ]]> </style>"
    " \x1b[31mred \u202e {{7*7}} {% raw %} &lt; \x00 \ud800"
)
_VOID = {"meta", "link", "img", "line", "rect", "wbr"}


@dataclass
class Tags(HTMLParser):
    """A page taken apart. `tree` has every tag with its attributes' names, in order."""

    tree: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    values: list[tuple[str, str, str]] = field(default_factory=list)  # (tag, attribute, value)
    text: dict[str, list[str]] = field(default_factory=dict)  # by tag
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tree.append((tag, tuple(name for name, _ in attrs)))
        self.values += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag: str, name: str) -> list[str]:
        return [value for found, attribute, value in self.values if (found, attribute) == (tag, name)]

    @property
    def links(self) -> list[str]:
        return [value for _, name, value in self.values if name in ("src", "href", "poster")]


def taken_apart(result: RunResult) -> Tags:
    tags = Tags()
    text = page.render(result, result.output_dir)
    assert text.startswith("<!doctype html>")
    tags.feed(text)
    tags.close()
    assert tags.open == []
    return tags


def all_texts(result: RunResult, text: str) -> RunResult:
    """`result` with `text` in every place where a text of somebody else's can stand."""

    def step(old: StepResult) -> StepResult:
        type_ = old.type if old.type == "thumbnail" else text
        items = tuple(item(entry) for entry in old.items)
        return replace(old, name=f"{text}{old.name}", type=type_, model=old.model and text, items=items)

    def item(old: ItemResult) -> ItemResult:
        error = old.error and ItemError(f"{text}{old.error.code}", 1, f"{text} {old.step}", text, text)
        return replace(
            old,
            step=f"{text}{old.step}",
            label=f"{text}{old.label}",
            model=old.model and text,
            prompt=old.prompt and text,
            params=old.params and {text: text, f"{text}2": [{text: text}]},
            inputs=tuple(
                f"{text}{step}/{text}{label}"
                for step, _, label in (name.partition("/") for name in old.inputs)
            ),
            source_urls=(f"https://{text}", f"https://cdn.example/{text}") if old.source_urls else (),
            notes=(text,),
            error=error,
        )

    return replace(
        result,
        run_id=text,
        pipeline=text,
        file=Path(text.replace("/", "_").replace("\x00", "")),
        steps=tuple(map(step, result.steps)),
        notes=(text,),
        collected=(text,),
        resume_with=text,
    )


def test_its_policy_allows_files_beside_it_and_nothing_else(film: Callable[..., RunResult]) -> None:
    """The policy stands before anything it governs, and there is no script."""
    tags = taken_apart(film())
    assert ("meta", "content", POLICY) in tags.values
    names = [tag for tag, _ in tags.tree]
    assert names[:5] == ["html", "head", "meta", "meta", "meta"]
    assert "script" not in names
    assert not [name for _, name, _ in tags.values if name.startswith("on")]


def test_every_link_is_a_file_that_is_there(film: Callable[..., RunResult], tmp_path: Path) -> None:
    """Sources, posters and links are relative, and lead to files; anchors lead to what they name."""
    result = film(fail=2)
    (tmp_path / "report.json").touch()
    tags = taken_apart(result)
    ids = {value for _, name, value in tags.values if name == "id"}
    for link in set(tags.links) - {"data:,"}:
        parts = urlsplit(link)
        assert (parts.scheme, parts.netloc, parts.query) == ("", "", "")
        assert link.startswith("#") or (tmp_path / unquote(parts.path)).is_file()
        assert not link.startswith("#") or link[1:] in ids
    assert len(tags.of("video", "src")) == 3
    assert len(tags.of("img", "src")) == 1 + 4 + 3


def test_clips_play_in_place_with_their_panel_as_poster(film: Callable[..., RunResult]) -> None:
    """Muted, looping, inline, with controls; the first frame is seen before anything is loaded."""
    tags = taken_apart(film())
    videos = [set(names) for tag, names in tags.tree if tag == "video"]
    assert len(videos) == 4
    assert all({"controls", "muted", "loop", "playsinline", "preload", "poster"} <= names for names in videos)
    assert tags.of("video", "poster") == [f"scenes/scene_{number}.png" for number in range(1, 5)]
    assert tags.of("video", "preload") == ["metadata"] * 4


def test_a_scene_is_one_row_from_panel_to_thumbnail(film: Callable[..., RunResult]) -> None:
    """Panel, clip and thumbnail of one scene follow each other; the sheet stands before all."""
    tags = taken_apart(film())
    media = [value for tag, name, value in tags.values if name == "src"]
    assert media[0] == "storyboard/storyboard_1.png"
    assert media[1:4] == ["scenes/scene_1.png", "clips/scene_1.mp4", "thumbnail_1/scene_1.webp"]


@pytest.mark.parametrize(
    ("steps", "title"), [({"scenes", "clips"}, "Scenes"), ({"scenes"}, "Pictures"), ({"clips"}, "Clips")]
)
def test_scenes_of_one_step_are_called_what_they_are(
    film: Callable[..., RunResult], steps: set[str], title: str
) -> None:
    """A gallery of clips is not called pictures."""
    result = film()
    kept = tuple(step for step in result.steps if step.name in steps)
    text = taken_apart(replace(result, steps=kept)).text
    assert text["h2"][0] == title


def test_a_caption_says_what_it_was_made_of(film: Callable[..., RunResult]) -> None:
    """Prompt, model, seed, shape, price and time stand below each clip."""
    tags = taken_apart(film())
    assert "Coffee cups steam" in tags.text["p"]
    facts = " ".join(tags.text["span"])
    for fact in ("kling_2_6_pro", "seed 7", "1 s, 64×36", "$0.35", "took 40 s"):
        assert fact in facts


def test_prices_that_are_guessed_say_so(film: Callable[..., RunResult]) -> None:
    """An estimate is called one, a second-hand one has its ~, an unknown one is unknown."""
    result = film()
    clips = result.step("clips")
    items = (replace(clips.items[0], reported=False), replace(clips.items[1], cost=None), *clips.items[2:])
    result = replace(result, steps=(*result.steps[:2], replace(clips, items=items), result.steps[3]))
    tags = taken_apart(result)
    assert "~$0.35 (estimate)" in tags.text["span"]
    assert "price unknown" in tags.text["span"]
    assert "~$1.05 + unknown" in tags.text["td"]


def test_a_cached_item_says_so(film: Callable[..., RunResult]) -> None:
    """What an earlier run made costs nothing here, and is marked."""
    result = film()
    clips = result.step("clips")
    cached = tuple(replace(item, state=ItemState.CACHED) for item in clips.items)
    result = replace(result, steps=(*result.steps[:2], replace(clips, items=cached), result.steps[3]))
    tags = taken_apart(result)
    assert tags.text["span"].count("cached") == 4
    assert "All 13 files are there, 4 of them from an earlier run" in "".join(tags.text["p"])


def test_a_failure_comes_first_with_its_reason_and_its_command(film: Callable[..., RunResult]) -> None:
    """Problems stand above the pictures: what failed, why, what to do, and the command to copy."""
    result = film(fail=2)
    tags = taken_apart(result)
    html = page.render(result, result.output_dir)
    assert html.index("clips/scene_3 failed") < html.index('id="sheets"')
    assert "the vendor refused it" in tags.text["p"]
    assert "change the prompt" in tags.text["p"]
    assert tags.text["code"] == ["aicp redo demo.yaml clips/scene_3", "aicp run-chain demo.yaml"]
    assert "thumbnail_1/scene_3 skipped" in tags.text["bdi"]
    assert "11 of 13 files are there; 1 failed, 1 skipped" in "".join(tags.text["p"])


def test_a_failed_item_is_a_hole_in_its_row(film: Callable[..., RunResult]) -> None:
    """Between the clips of scenes 2 and 4 stands a hole that leads to the reason."""
    html = page.render(film(fail=2), film().output_dir)
    hole = html.index('<div class="hole bad"')
    assert html.index("clips/scene_2.mp4") < hole < html.index("clips/scene_4.mp4")
    assert "#problem-1" in html[hole : hole + 300]


def test_many_failures_of_one_reason_are_one_problem(film: Callable[..., RunResult]) -> None:
    """A reason is told once, with the command of each item; what is skipped behind them is one more."""
    result = film(fail=2)
    clips, thumbnails = result.steps[2:]
    failed = clips.items[2]
    skipped = thumbnails.items[2]
    lost = tuple(replace(failed, index=i, label=f"scene_{i}") for i in range(50))
    behind = tuple(
        replace(skipped, index=i, label=f"scene_{i}", error=replace(skipped.error, message=f"{i} is missing"))  # type: ignore[type-var]
        for i in range(50)
    )
    result = replace(
        result, steps=(*result.steps[:2], replace(clips, items=lost), replace(thumbnails, items=behind))
    )
    tags = taken_apart(result)
    titles = [text for text in tags.text["bdi"] if text.endswith(("failed", "skipped"))]
    assert titles == ["50 items failed", "50 items skipped"]
    assert "49 is missing" in tags.text["span"]


def test_an_unfinished_run_says_how_to_go_on(film: Callable[..., RunResult]) -> None:
    """In doubt and not run have their own words; the command that goes on is there."""
    result = replace(film(), exit_code=130, resume_with="aicp run-chain demo.yaml")
    clips = result.step("clips")
    doubt = replace(
        clips.items[0], state=ItemState.IN_DOUBT, error=ItemError("outcome_unknown", 8, "no answer")
    )
    never = replace(clips.items[1], state=ItemState.NOT_RUN, notes=("the run was stopped",))
    items = (doubt, never, *clips.items[2:])
    tags = taken_apart(
        replace(result, steps=(*result.steps[:2], replace(clips, items=items), result.steps[3]))
    )
    assert "clips/scene_1 in doubt: sent, and nobody knows whether it was accepted" in tags.text["bdi"]
    assert "clips/scene_2 not run" in tags.text["bdi"]
    assert "the run was stopped" in tags.text["p"]
    assert "aicp run-chain demo.yaml" in tags.text["code"]
    assert "Interrupted" in tags.text["strong"]


def test_a_draft_says_that_it_is_one(film: Callable[..., RunResult]) -> None:
    """Nobody takes a stand-in for the real thing."""
    assert not [text for text in taken_apart(film()).text["span"] if "Draft" in text]
    assert [text for text in taken_apart(replace(film(), draft=True)).text["span"] if "Draft" in text]


def test_files_kept_out_of_the_folder_are_not_failures(film: Callable[..., RunResult]) -> None:
    """With save_intermediates: false a panel is made but not delivered: a calm hole, no dead link."""
    result = film()
    scenes = result.step("scenes")
    items = tuple(replace(item, file=None) for item in scenes.items)
    result = replace(result, steps=(result.steps[0], replace(scenes, items=items), *result.steps[2:]))
    tags = taken_apart(result)
    assert tags.text["strong"].count("not kept in this folder") == 4
    assert tags.of("video", "poster") == [f"thumbnail_1/scene_{number}.webp" for number in range(1, 5)]
    assert "Done" in tags.text["strong"]


def test_the_last_thing_before_escaping_is_cleaning(
    film: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that nobody thought of cleaning is clean on the page all the same."""
    monkeypatch.setattr(words, "run_state", lambda code: ("a\x1b[31mb\u202ec", "good"))
    assert "abc" in taken_apart(film()).text["strong"]


@pytest.mark.parametrize("fail", [None, 2])
def test_hostile_text_changes_no_tag(film: Callable[..., RunResult], fail: int | None) -> None:
    """With markup in every text the page has the tags and attributes of the page with plain words."""
    plain, hostile = (taken_apart(all_texts(film(fail), text)) for text in ("word", NASTY))
    assert hostile.tree == plain.tree
    shown = "".join(text for texts in hostile.text.values() for text in texts)
    assert "{{7*7}}" in shown
    assert "<script>alert(1)</script>" in shown
    assert not HIDDEN.search(page.render(all_texts(film(fail), NASTY), film().output_dir))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(text=st.text(st.characters(), min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_no_text_at_all_changes_a_tag(film: Callable[..., RunResult], text: str) -> None:
    """Whatever the text: only tags and attributes that the page has for plain words."""
    known = set(taken_apart(all_texts(film(2), "word")).tree)
    found = taken_apart(all_texts(film(2), text))
    assert set(found.tree) <= known
    assert {value for _, name, value in found.values if name == "style"} <= {
        "--columns: minmax(0, 1fr) minmax(0, 1.4fr) minmax(5.5rem, .4fr)",
        "aspect-ratio: 64 / 36",
    }


@pytest.mark.parametrize(
    "name",
    [
        "javascript:alert(1).png",
        "data:text&colon;x.png",
        "#1 100%.png",
        "a?b=c.png",
        'x" onload="y.png',
        "<b>.png",
        "%2e%2e.png",
        "日本 語.png",
        "back\\slash.png",
    ],
)
def test_any_file_name_is_a_link_to_that_file(
    film: Callable[..., RunResult], place: Callable[[Path], Artifact], tmp_path: Path, name: str
) -> None:
    """A file name never becomes a scheme, a host, a query or markup."""
    result = film()
    (item,) = result.step("storyboard").items
    path = tmp_path / name
    board = replace(result.steps[0], items=(replace(item, file=path, artifact=place(path)),))
    tags = taken_apart(replace(result, steps=(board, *result.steps[1:])))
    link = tags.of("img", "src")[0]
    assert re.fullmatch(r"[A-Za-z0-9_.~%/-]+", link)
    assert not link.startswith("/")
    assert (tmp_path / unquote(link)).samefile(path)


def test_a_long_prompt_is_cut_and_says_so(film: Callable[..., RunResult]) -> None:
    """100 kB of prompt in every item: a short beginning is seen, the rest is one click or a file away."""
    result = all_texts(film(), "a very long prompt " * 5_300)
    text = page.render(result, result.output_dir)
    assert len(text) < 300_000
    assert "more characters, in report.json" in text


def test_a_thousand_items_are_quick_and_small(film: Callable[..., RunResult]) -> None:
    """Under a second of work, under 3 MB, and no video is loaded before it is played."""
    result = film()
    prompt = (
        "Leaves fall around them, hands brush, laughter; the camera follows slowly through the park. " * 4
    )
    steps = []
    for step in result.steps[1:]:
        item = step.items[0]
        items = tuple(
            replace(
                item,
                index=i,
                label=f"scene_{i}",
                prompt=item.prompt and f"{i} {prompt}",
                inputs=tuple(f"{name.rpartition('_')[0]}_{i}" for name in item.inputs),
            )
            for i in range(334)
        )
        steps.append(replace(step, items=items))
    result = replace(result, steps=tuple(steps))
    page.render(film(), result.output_dir)  # the template is compiled once a process
    begun = time.process_time()
    text = page.render(result, result.output_dir)
    assert time.process_time() - begun < 1
    assert len(text.encode()) < 3_000_000
    tags = Tags()
    tags.feed(text)
    assert tags.of("video", "preload") == ["none"] * 334


def test_an_empty_run_has_a_page(film: Callable[..., RunResult]) -> None:
    """A run that was refused before its first step is told of, too."""
    result = replace(film(), steps=(), exit_code=5)
    tags = taken_apart(result)
    assert "Stopped by the budget" in tags.text["strong"]
    assert "video" not in [tag for tag, _ in tags.tree]


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read(scheme: int) -> None:
    """Contrast of all pairs of text and ground is at least 4.5 to 1 (WCAG AA), in light and in dark."""
    css = Path(page.__file__).with_name("page.css").read_text("utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.S)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[scheme]))
    pairs = [(text, ground) for text in ("ink", "mute") for ground in ("paper", "card", "mute-back")]
    pairs += [(text, f"{tone}-back") for tone in ("bad", "warn") for text in ("ink", "mute", tone)]
    pairs += [(text, "paper") for text in ("good", "warn", "bad")]
    pairs += [("bar-text", f"bar-{bar}") for bar in ("image", "video", "bad", "warn")]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
