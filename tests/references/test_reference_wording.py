"""Names in prompts: what becomes words, what becomes a vendor's tag, and what stays."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.references import wording
from ai_content_pipeline.references.reference import Reference

PICTURE = Artifact("a" * 64, 10, MediaInfo(Kind.IMAGE, "image/png", 640, 480))
MIA = Reference("mia", (PICTURE, PICTURE), "a woman in a red coat.")
MUG = Reference("blue_mug", (PICTURE,))
NAMES = {"mia": "a woman", "mia-2": "her twin", "blue_mug": "a mug"}


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("@mia walks", "a woman walks"),
        ("(@mia), @mia's cup. @mia", "(a woman), a woman's cup. a woman"),
        ("@mia-2 and @mia", "her twin and a woman"),
        ("@blue_mug\n@mia", "a mug\na woman"),
        ("@miami @mia_x @mia-x @bob @ mia", "@miami @mia_x @mia-x @bob @ mia"),
        ("write to a@mia.com or @@mia", "write to a@mia.com or @@mia"),
        ("@mia. @mia- @mia!", "a woman. a woman- a woman!"),
        ("@Mia", "@Mia"),
        ("no names", "no names"),
        ("", ""),
    ],
)
def test_only_declared_names_are_replaced(text: str, becomes: str) -> None:
    """A whole declared name after an @ at the start of a word; whatever else has an @ stays."""
    assert wording.replaced(text, NAMES) == becomes


def test_what_replaces_a_name_is_not_read_again() -> None:
    """A description that itself looks like a name or a place of a template stays as it is."""
    names = {"mia": "@tom {prompt}", "tom": "a man"}
    assert wording.replaced("@mia and @tom", names) == "@tom {prompt} and a man"
    made = wording.Wording(names, "{description} {prompt} {other}", "{prompt} \\1")
    assert made.of("@mia {description}") == "{prompt} \\1 @tom {prompt} {description} {other}"


@given(st.text(alphabet=string.printable + "é@{}\\"), st.text())
def test_a_prompt_without_names_is_untouched(prompt: str, words: str) -> None:
    """Without a declared name in it, every prompt comes out as it went in."""
    names = {"zq9name": words}
    assert wording.replaced(prompt.replace("zq9name", ""), names) == prompt.replace("zq9name", "")
    assert wording.replaced(prompt, {}) == prompt


def test_names_are_found_once_in_order() -> None:
    """What a prompt mentions, each once."""
    assert list(wording.mentioned("@mia-2, @mia, @mia-2 @bob", NAMES)) == ["mia-2", "mia"]
    assert list(wording.mentioned("@mia", ())) == []


def test_the_last_resort_describes_what_is_not_mentioned() -> None:
    """The description stands once: in place of the name, or behind the prompt."""
    names = {one.name: one.words for one in (MIA, MUG)}
    assert wording.merged(names, [MIA], []).of("she walks") == (
        "she walks\n\nThe same in every scene: a woman in a red coat."
    )
    assert wording.merged(names, [MIA], ["mia"]).of("@mia walks") == "a woman in a red coat. walks"


def test_a_still_is_asked_for_in_the_users_words_or_ours() -> None:
    """A template of the user's has both places filled; ours says what is not in the prompt."""
    own = wording.still({}, [MIA], [], "{description} -- {prompt}", from_picture=True)
    assert own.of("rain") == "a woman in a red coat -- rain"
    ours = wording.still({}, [MIA, MUG], [], None, from_picture=True).of("rain")
    assert ours.startswith("Redraw this picture")
    assert ours.endswith("The scene: rain\nThe subject: a woman in a red coat.")
    assert wording.still({}, [MUG], [], None, from_picture=False).of("rain").endswith("in it: rain")


@pytest.mark.parametrize(
    ("key", "before", "expected"),
    [
        ("kling_o1_ref", 0, {"mia": "@Image1", "blue_mug": "@Image3"}),
        ("kling_o1_ref", 1, {"mia": "@Image2", "blue_mug": "@Image4"}),
        ("kling_3_pro", 0, {"mia": "@Element1", "blue_mug": "@Element2"}),
        ("runway_gen4_image", 0, {"mia": "@ref1", "blue_mug": "@ref3"}),
        ("seedance_1_lite", 0, {}),
        ("kling_2_6_pro", 0, {}),
    ],
)
def test_tags_count_pictures_or_subjects(key: str, before: int, expected: dict[str, str]) -> None:
    """A vendor's names number the pictures of a list, or the elements; other models have none."""
    assert wording.tags(catalog.load(key), [MIA, MUG], before) == expected


def test_a_reference_without_a_description_is_called_by_its_name() -> None:
    """The name, as words."""
    assert MUG.words == "blue mug"
    assert MIA.words == "a woman in a red coat."
