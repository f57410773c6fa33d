"""YAML that cannot be parsed: the likely cause, its place, and what to write instead."""

from __future__ import annotations

import pytest

from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.pipeline import compose
from ai_content_pipeline.pipeline.source import loads

FAST = compose.FAST_LOADER

START = "text cannot begin with '{0}' outside quotes; put the whole text in quotes: \"{0}…\""
COLON = "': ' inside text that is not in quotes; put the whole text in quotes"
CONTINUES = (
    "this line continues the text above it, and has a ':'; "
    "indent it like the key above, or write text of several lines after 'key: |'"
)
MISFIT = (
    "this line does not fit the lines above it; "
    "give all keys of a block, and all '-' of a list, the same indentation"
)
NO_COLON = (
    "this line is not 'key: value'; write 'key: value', or indent the line if it belongs to the text above"
)
NO_SPACE = "a space is missing after ':'; write 'key: value'"
AFTER_QUOTE = (
    "text after the closing quote (the opening one is on line {0}); "
    "inside '…' write a quote as '', inside \"…\" as \\\""
)
INDENT_TAB = "a tab in the indentation; indent with spaces"
LOOSE_TAB = "a tab outside quotes; write a space, or put the text in quotes"
BACKSLASH = "a backslash in double quotes that means nothing; write '\\\\', or use single quotes"
CLOSE = "close it with '{1}', or put text that begins with '{0}' in quotes"
UNCLOSED = f"the '{{0}}' that opens here is never closed; {CLOSE}"
LEFT = f"the '{{0}}' that opens here needs a ',' or '{{1}}' before line {{2}}; {CLOSE}"
DIRECTIVE = "a line that begins with '%' is an instruction to YAML parsers; remove it"
TAG = "the tag '{0}' is not allowed; text that begins with '!' needs quotes"
TOO_BIG = "a number that YAML cannot hold; remove it"

CASES = {
    # text that needs quotes
    "prompt: @anna walks": (1, 9, START.format("@")),
    "prompts:\n  - `x`": (2, 5, START.format("`")),
    "prompt: %d": (1, 9, START.format("%")),
    "a: 1\n%d": (2, 1, START.format("%")),
    "prompt: *bold* text": (1, 9, START.format("*")),
    "b: &bold x\nprompt: *bold text": (2, 9, START.format("*")),
    "prompt: & text": (1, 9, START.format("&")),
    "prompt: ? text": (1, 9, START.format("?")),
    "prompt: , text": (1, 9, START.format(",")),
    "prompt: ] text": (1, 9, START.format("]")),
    "prompt: {product} on a table": (1, 9, START.format("{")),
    "a: 1\nprompt: [wide shot] a man\nb: 2": (2, 9, START.format("[")),
    "references: [@anna, @ben]": (1, 14, START.format("@")),
    "prompts: [|, b]": (1, 11, START.format("|")),
    "prompt: Panel 1: coffee": (1, 16, COLON),
    "prompts:\n  - Panel 1: coffee: black": (2, 20, COLON),
    "prompt: !wow text": (1, 9, TAG.format("!wow")),
    "prompt: !x!wow text": (1, 9, TAG.format("!x!wow")),
    "prompt: !<x text": (1, 9, TAG.format("!<x")),
    "prompt: - text": (
        1,
        9,
        "a list item cannot stand here; "
        "begin a list on the line after its key; text that begins with '- ' needs quotes",
    ),
    # slices and names inside brackets
    "input: {start: scenes, end: scenes[1:]}": (
        1,
        29,
        'text with brackets inside { }; write "scenes[1:]", in quotes',
    ),
    "input:\n  - [clips, scenes[1:], x]": (
        2,
        13,
        'text with brackets inside [ ]; write "scenes[1:]", in quotes',
    ),
    "params: {naming: scene_{n}}": (1, 18, 'text with brackets inside { }; write "scene_{n}", in quotes'),
    "params: {duration: ${N:-5}}": (1, 20, 'text with brackets inside { }; write "${N:-5}", in quotes'),
    # quotes
    'name: "abc\nsteps: 1\n': (
        1,
        7,
        'the quote " that opens here is never closed; write " where the text ends',
    ),
    "a: 1\nname: 'abc": (2, 7, "the quote ' that opens here is never closed; write ' where the text ends"),
    "a: 'x\n--- \nb'": (1, 4, "the quote ' that opens here is never closed; write ' where the text ends"),
    "prompt: 'a man's hat'": (1, 16, AFTER_QUOTE.format(1)),
    'name: "abc\nmodel: "draft"': (2, 9, AFTER_QUOTE.format(1)),
    'path: "C:\\dir\\panels"': (1, 10, BACKSLASH),
    'path: "\\xzz"': (1, 8, BACKSLASH),
    'path: "\\U00110000"': (1, 10, TOO_BIG),
    # brackets
    "prompt: {product on a table\nb: 1": (1, 9, LEFT.format("{", "}", 2)),
    "prompt: [x, y": (1, 9, UNCLOSED.format("[", "]")),
    "a: {b: 1 c: 2}": (
        1,
        11,
        "a ',' or '}' is missing (the '{' opened on line 1); "
        "text with any of , : ? { } [ ] inside brackets needs quotes",
    ),
    "a: {\n  b: 1\n  c: 2\n}": (
        3,
        4,
        "a ',' or '}' is missing (the '{' opened on line 1); "
        "text with any of , : ? { } [ ] inside brackets needs quotes",
    ),
    "a: [who is there?, b]": (
        1,
        17,
        "a ',' or ']' is missing (the '[' opened on line 1); "
        "text with any of , : ? { } [ ] inside brackets needs quotes",
    ),
    # indentation
    "a: 1\n  b: 2": (2, 3, CONTINUES),
    "prompt: A grid\n\n  Panel 1: coffee": (3, 3, CONTINUES),
    "a:\n    b: 2\n  c: 3": (3, 3, MISFIT),
    "steps:\n  - name: a\n    type: b\n   model: c": (4, 4, MISFIT),
    "steps:\n  - name: a\n - name: b": (3, 2, MISFIT),
    "a: 1\n- b": (2, 1, MISFIT),
    "a: |\n  text\n more": (3, 2, MISFIT),
    "steps:\n\t- name: a": (2, 1, INDENT_TAB),
    "steps:\n  - name: a\n    \ttype: b": (3, 5, INDENT_TAB),
    "a: b\n  \tc: d": (2, 3, INDENT_TAB),
    "a:\tb": (1, 3, LOOSE_TAB),
    "a: b\t": (1, 5, LOOSE_TAB),
    "prompt: one\ttwo": (1, 12, LOOSE_TAB),
    # colons
    "b: 2\na:1": (2, 3, NO_SPACE),
    "a:1\nb: 2": (1, 3, NO_SPACE),
    "a:" * 600: (1, 3, NO_SPACE),
    "- b:1\n  c: 2": (1, 5, NO_SPACE),
    "a: 1\nb\nc: 2": (2, 1, NO_COLON),
    "a: 1\nb": (2, 1, NO_COLON),
    "a: 1\n: 2": (2, 1, "a key is missing before ':'; write 'key: value'"),
    # block text
    "a: | text": (1, 6, "text on the same line as '|'; begin it on the next line, or put it all in quotes"),
    "a: >x": (1, 5, "text on the same line as '>'; begin it on the next line, or put it all in quotes"),
    # directives and documents
    "%YAML 3.0\n---\na: 1": (1, 1, DIRECTIVE),
    "%YAML x\n---\na: 1": (1, 1, DIRECTIVE),
    f"%YAML {'9' * 5000}.0\n---\na: 1": (1, 7, TOO_BIG),
    "[], []": (1, 3, "the document ends before this; write 'key: value' lines, and no '...'"),
    "a: 1\n...\nb: 2": (3, 1, "the document ends before this; write 'key: value' lines, and no '...'"),
}


@pytest.mark.parametrize("fast", [FAST, None], ids=["libyaml", "pure"])
@pytest.mark.parametrize("text", CASES, ids=lambda text: text[:30])
def test_names_cause_place_and_remedy(fast: object, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the usual mistakes is one problem: at its cause, in words, with what to write instead."""
    monkeypatch.setattr(compose, "FAST_LOADER", fast)
    line, column, says = CASES[text]
    with pytest.raises(InvalidPipeline) as caught:
        loads(text, name="p.yaml")
    assert [str(problem) for problem in caught.value.problems] == [f"p.yaml:{line}:{column}: {says}"]


@pytest.mark.parametrize(
    "text",
    ["a: 1 # {\tx", 'a: "x\ty"', "a: |\n  x\ty\n", "input: scenes[1:]", "a: b:c", "url: http://x/y?z#a"],
)
def test_leaves_good_text_alone(text: str) -> None:
    """What only looks like one of these mistakes is read."""
    assert loads(text).data
