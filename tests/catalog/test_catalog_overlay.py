"""A project's own cards: what they change, what is said of wrong ones, and what they cost at start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog import Catalogue, files, names, overlay_edit
from ai_content_pipeline.cost import Confidence
from ai_content_pipeline.errors import AicpError, InvalidPipeline
from ai_content_pipeline.jobs import Task
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline

BAD = Path(__file__).with_name("bad")
WRITING = os.environ.get("AICP_GOLDEN") == "write"  # read before the tests' environment is emptied
BAD_NAMES = sorted(path.stem for path in BAD.glob("*.toml"))

OWN = """
[my_model]
provider = "fal"
endpoint = "me/my-model"
tasks = ["image_to_video"]
seed = "seed"
[my_model.roles]
start = {name = "first_url", required = true, min_side = 200}
[my_model.parameters]
duration = {type = "integer", enum = [4, 8], default = 4}
[my_model.price]
unit = "second"
rates = [{usd = 0.05}]
date = 2026-11-20
"""


def write(folder: Path, text: str) -> Path:
    (folder / ".aicp").mkdir(exist_ok=True)
    path = folder / "aicp.models.toml"
    path.write_text(text, encoding="utf-8")
    return path


def use(folder: Path) -> None:
    """Every card that the project's file names, as if pipelines used them all."""
    catalogue = Catalogue.of(folder)
    assert catalogue.own is not None
    for key in catalogue.own.tables:
        catalogue.load(key)


def said(folder: Path, text: str) -> list[str]:
    """What is said of a wrong file, without the folder's name."""
    path = write(folder, text)
    with pytest.raises(InvalidPipeline) as caught:
        use(folder)
    assert caught.value.exit_code == 3
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_a_project_without_a_file_has_the_catalogue(tmp_path: Path) -> None:
    """Without aicp.models.toml, cards are those in the box: the same objects."""
    catalogue = Catalogue.of(tmp_path)
    assert catalogue.keys() == catalog.keys()
    assert catalogue.load("kling_2_6_pro") is catalog.load("kling_2_6_pro")


def test_a_new_card_is_a_model_like_any_other(tmp_path: Path) -> None:
    """A card of the user's own resolves by key and by endpoint, and is checked and priced."""
    write(tmp_path, OWN)
    catalogue = Catalogue.of(tmp_path)
    card = names.resolve("my_model", Task.IMAGE_TO_VIDEO, catalogue)
    assert names.resolve("fal:me/my-model", Task.IMAGE_TO_VIDEO, catalogue) is card
    assert card.roles[Role.START].name == "first_url"
    assert (card.prompt, card.seed, card.title) == ("prompt", "seed", "my_model")
    assert [m.message for m in catalog.check(card, Task.IMAGE_TO_VIDEO, {"duration": 5})]
    assert card.price is not None
    assert card.price.rates[0].usd == Decimal("0.05")
    assert (card.price.date, card.price.confidence) == ("2026-11-20", Confidence.SECOND_HAND)
    with pytest.raises(names.UnknownModel, match="unknown model my_modle") as caught:
        names.resolve("my_modle", Task.IMAGE_TO_VIDEO, catalogue)
    assert caught.value.hint == "did you mean my_model?"


def test_a_card_is_changed_field_by_field(tmp_path: Path) -> None:
    """What the file does not name stays as the catalogue has it; false takes away."""
    write(
        tmp_path,
        """
[kling_2_6_pro]
seconds = 60
price = false
[kling_2_6_pro.parameters]
duration = {enum = ["5", "10", "15"]}
voice_ids = false
[kling_2_6_pro.roles]
start = {min_side = false}
""",
    )
    before, card = catalog.load("kling_2_6_pro"), Catalogue.of(tmp_path).load("kling_2_6_pro")
    assert before.parameters is not None
    assert card.parameters is not None
    assert (card.seconds, card.price, card.endpoint) == (60, None, before.endpoint)
    assert card.parameters["duration"].enum == ("5", "10", "15")
    assert card.parameters["duration"].default == "5"
    assert set(before.parameters) - set(card.parameters) == {"voice_ids"}
    assert card.roles[Role.START].min_side is None
    assert card.roles[Role.START].required
    assert card.roles[Role.END] == before.roles[Role.END]


def test_a_changed_endpoint_is_found_where_it_is_now(tmp_path: Path) -> None:
    """The old endpoint of a card that was moved is nobody's any more."""
    write(tmp_path, '[kling_2_6_pro]\nendpoint = "fal-ai/kling-video/v2.7"\n')
    catalogue = Catalogue.of(tmp_path)
    assert catalogue.key_at("fal", "fal-ai/kling-video/v2.7") == "kling_2_6_pro"
    assert catalogue.key_at("fal", catalog.load("kling_2_6_pro").endpoint) is None
    assert catalogue.key_at("fal", "fal-ai/nano-banana-pro") == "nano_banana_pro"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_wrong_file_says_where_and_what_instead(name: str, tmp_path: Path) -> None:
    """Every problem of an overlay at once, each with line, column and the way out; exit 3.

    After a wanted change of words: ``AICP_GOLDEN=write pytest tests/catalog/test_catalog_overlay.py``.
    """
    golden = BAD / f"{name}.txt"
    problems = said(tmp_path, (BAD / f"{name}.toml").read_text(encoding="utf-8"))
    text = "".join(f"{problem}\n" for problem in problems)
    if WRITING:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert all(re.match(r"aicp\.models\.toml:\d+:\d+: ", problem) for problem in problems)


def test_no_golden_words_without_their_wrong_file() -> None:
    """Each wrong file has its words, and no words are left over."""
    assert len(BAD_NAMES) >= 10
    assert sorted(path.stem for path in BAD.glob("*.txt")) == BAD_NAMES


def test_a_wrong_entry_of_a_card_that_is_not_used_is_no_reason_to_read_it(tmp_path: Path) -> None:
    """Cards are put together when they are used: an unsound one elsewhere stops nobody."""
    write(tmp_path, "[sdxl.parameters]\nextra = {minimum = 3}\n")
    assert Catalogue.of(tmp_path).load("kling_2_6_pro").key == "kling_2_6_pro"


def test_a_pipeline_uses_the_cards_of_its_project(tmp_path: Path) -> None:
    """The overlay in the project's folder counts for files in folders below it."""
    write(tmp_path, OWN)
    folder = tmp_path / "films"
    folder.mkdir()
    file = folder / "film.yaml"
    text = """
name: film
steps:
  - {name: board, type: text_to_image, model: draft, params: {prompt: A board, width: 640, height: 480}}
  - {type: image_to_video, model: my_model, params: {prompt: Go, duration: DURATION}}
"""
    file.write_text(text.replace("DURATION", "8"))
    assert len(expand(load_pipeline(file, environ={})).items) == 2
    file.write_text(text.replace("DURATION", "7"))
    with pytest.raises(InvalidPipeline, match=r"duration is 7; my_model takes 4, 8; write 8"):
        expand(load_pipeline(file, environ={}))


def test_a_deprecated_model_is_used_with_a_warning(tmp_path: Path) -> None:
    """A model that its vendor dropped still plans, with a warning; a draft does not care."""
    write(tmp_path, '[flux_dev]\nstatus = "deprecated"\n')
    (tmp_path / "film.yaml").write_text(
        "steps:\n  - {name: a, type: text_to_image, model: flux_dev, params: {prompt: A board}}\n"
    )
    pipeline = load_pipeline(tmp_path / "film.yaml", environ={})
    assert expand(pipeline).warnings == ("a: flux_dev is deprecated; it may stop answering any day",)
    assert expand(pipeline, draft=True).warnings == ()


def test_only_the_cards_in_use_are_parsed(tmp_path: Path) -> None:
    """A file with one model parses one card, with an overlay or without."""
    write(tmp_path, OWN + "[sdxl]\nseconds = 3\n")
    (tmp_path / "film.yaml").write_text(
        "steps:\n  - {type: text_to_image, model: flux_dev, params: {prompt: A board}}\n"
    )
    code = """
import sys
from pathlib import Path
from ai_content_pipeline.catalog import files
from ai_content_pipeline.pipeline.expansion import expand
from ai_content_pipeline.pipeline.load import load_pipeline
parsed, real = [], files.table
files.table = lambda key: parsed.append(key) or real(key)
expand(load_pipeline(Path("film.yaml"), environ={}))
print(*parsed)
heavy = ("ai_content_pipeline.catalog.openapi", "ai_content_pipeline.catalog.live", "httpx",
    "ai_content_pipeline.catalog.soundness")
print(*(name for name in heavy if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["flux_dev", ""]


def test_the_cards_in_the_docs_are_sound(tmp_path: Path) -> None:
    """Every TOML block of docs/models.md is a file that loads, alone and with the others."""
    page = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 2
    for text in (*blocks, "\n".join(blocks)):
        write(tmp_path, text)
        use(tmp_path)


# -- writing -------------------------------------------------------------------------------------------

COMMENTED = """# mine
[first]   # one
provider = "fal"   # two
endpoint = "a/b"
tasks = ["upscale"]

# about kling
[kling_2_6_pro]
seconds = 3
[kling_2_6_pro.parameters.duration]
enum = ["5"]

# about sdxl
[sdxl]
seconds = 9.5  # three
[kling_2_6_pro.output]
fps = 3.0
# the end
"""


def test_one_card_is_written_and_every_other_character_stays() -> None:
    """Comments, order and blanks around the card stay; its own tables become one, wherever they stood."""
    table = {"seconds": 4, "parameters": {"duration": {"enum": ["5", "10"]}}}
    text = overlay_edit.with_card(COMMENTED, "kling_2_6_pro", table, "as fal\nhas it")
    head, _, rest = COMMENTED.partition("[kling_2_6_pro]")
    assert text.startswith(head + "[kling_2_6_pro]\n# as fal has it\nseconds = 4\n")
    assert rest.partition("[sdxl]")[2].partition("[kling")[0] in text
    assert tomllib.loads(text)["kling_2_6_pro"] == table
    assert "# about sdxl\n[sdxl]" in text


@pytest.mark.parametrize(
    "text", ["", "# nothing yet", "# nothing yet\n", COMMENTED, COMMENTED.replace("\n", "\r\n")]
)
def test_a_new_card_goes_to_the_end(text: str) -> None:
    """What was there is the beginning of what is there, with its own kind of line ends."""
    new = overlay_edit.with_card(text, "wan_2_1", {"seconds": 4, "price": False}, "as fal has it")
    assert new.startswith(text)
    assert tomllib.loads(new)["wan_2_1"] == {"seconds": 4, "price": False}
    assert ("\r\n" in text) == ("\r\n" in new)
    assert new.count("\r\n") in (0, new.count("\n"))


def test_what_cannot_be_replaced_is_refused() -> None:
    """A card in one line at the top cannot be told from its neighbours; the file stays as it is."""
    with pytest.raises(AicpError, match="not written as a table of its own"):
        overlay_edit.with_card("sdxl.seconds = 3\n", "sdxl", {"seconds": 4}, "")


@pytest.mark.parametrize("key", files.keys())
def test_every_card_could_stand_in_an_overlay(tmp_path: Path, key: str) -> None:
    """The catalogue's own cards pass the checks of an overlay, and mean the same there."""
    text = overlay_edit.with_card("", key, dict(files.table(key)), "a copy")
    write(tmp_path, text)
    assert Catalogue.of(tmp_path).load(key) == catalog.load(key)
