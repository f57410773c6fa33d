"""What people most likely meant where the YAML parser gave up.

The parser points at the symptom (a quote that is never closed is noticed at the end of the file);
here its words become the cause, the place of the cause, and what to write instead.
The words are those of PyYAML's pure parser, which speaks for libyaml as well (see `compose`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from yaml.error import MarkedYAMLError

from ai_content_pipeline.errors import Problem
from ai_content_pipeline.pipeline.lines import Lines, Position, place, problem

_GLUED_COLON = re.compile(r"(?:- +)*[\w-]+:(?=\S)")
_SAME_INDENT = "give all keys of a block, and all '-' of a list, the same indentation"


@dataclass(frozen=True, slots=True)
class Clue:
    """What the parser said, where (`at`), since where it had been reading one thing (`since`),
    and where the last complete value begins (`last`)."""

    words: str
    at: Position
    since: Position
    last: Position
    lines: Lines


def explain(error: MarkedYAMLError, lines: Lines, last: Position) -> Problem:
    """The problem behind a parser's error."""
    at = place(error.problem_mark)
    since = place(error.context_mark) if error.context_mark else at
    clue = Clue(error.problem or "", at, since, last, lines)
    if tab := _tab(clue):
        return tab
    subject = f"{error.context or ''}: {clue.words}"
    rule = next((rule for pattern, rule in _RULES if re.search(pattern, subject)), _unknown)
    return rule(clue)


def tag_problem(at: Position, tag: str) -> Problem:
    shown = tag.replace("tag:yaml.org,2002:", "!!")[:40]
    return problem(at, f"the tag {shown!r} is not allowed", "text that begins with '!' needs quotes")


def _tab(clue: Clue) -> Problem | None:
    indentation = clue.lines.indentation(clue.at.line)
    if "\t" in indentation:
        tab = Position(clue.at.line, indentation.index("\t") + 1)
        return problem(tab, "a tab in the indentation", "indent with spaces")
    if clue.lines.character(clue.at) == "\t":
        return problem(clue.at, "a tab outside quotes", "write a space, or put the text in quotes")
    return None


def _bad_start(clue: Clue, start: Position | None = None) -> Problem:
    start = start or clue.since
    sign = clue.lines.character(start)
    if not sign:
        return _unknown(clue)
    if sign == ":":
        return problem(start, "a key is missing before ':'", "write 'key: value'")
    quoted = f"'{sign}…'" if sign == '"' else f'"{sign}…"'
    return problem(
        start, f"text cannot begin with {sign!r} outside quotes", f"put the whole text in quotes: {quoted}"
    )


def _unclosed_quote(clue: Clue) -> Problem:
    quote = clue.lines.character(clue.since)
    return problem(
        clue.since, f"the quote {quote} that opens here is never closed", f"write {quote} where the text ends"
    )


def _unexpected_colon(clue: Clue) -> Problem:
    if re.search(r":\s", clue.lines.before(clue.at)):
        return problem(clue.at, "': ' inside text that is not in quotes", "put the whole text in quotes")
    above = next((n for n in range(clue.at.line - 1, 0, -1) if clue.lines.line(n).strip()), 0)
    if glued := _missing_space(clue, clue.at.line) or _missing_space(clue, above):
        return glued
    return problem(
        Position(clue.at.line, len(clue.lines.indentation(clue.at.line)) + 1),
        "this line continues the text above it, and has a ':'",
        "indent it like the key above, or write text of several lines after 'key: |'",
    )


def _missing_space(clue: Clue, number: int) -> Problem | None:
    indent = len(clue.lines.indentation(number))
    if glued := _GLUED_COLON.match(clue.lines.line(number), indent):
        at = Position(number, glued.end() + 1)
        return problem(at, "a space is missing after ':'", "write 'key: value'")
    return None


def _no_colon(clue: Clue) -> Problem:
    return _missing_space(clue, clue.since.line) or problem(
        clue.since,
        "this line is not 'key: value'",
        "write 'key: value', or indent the line if it belongs to the text above",
    )


def _misfit(clue: Clue) -> Problem:
    """Something complete stands there, and then something else follows."""
    before = clue.lines.before(clue.at).rstrip()
    if clue.lines.character(clue.at) == ":":
        return _bad_start(clue, clue.at)
    if not before.strip("- "):
        return problem(clue.at, "this line does not fit the lines above it", _SAME_INDENT)
    opening = clue.lines.character(clue.last)
    if opening in ("'", '"'):
        return problem(
            clue.at,
            f"text after the closing quote (the opening one is on line {clue.last.line})",
            "inside '…' write a quote as '', inside \"…\" as \\\"",
        )
    if opening and opening in "{[&*":
        return _bad_start(clue, clue.last)
    return problem(clue.at, "this does not belong here", _SAME_INDENT)


def _flow(clue: Clue) -> Problem:
    """Inside `{…}` or `[…]`, neither a comma nor the closing bracket."""
    opening = clue.lines.character(clue.since)
    closing = "}" if opening == "{" else "]"
    if bracketed := _bracketed(clue):
        start, text = bracketed
        return problem(start, f"text with brackets inside {opening} {closing}", f'write "{text}", in quotes')
    hint = f"close it with '{closing}', or put text that begins with '{opening}' in quotes"
    if "<stream end>" in clue.words:
        return problem(clue.since, f"the '{opening}' that opens here is never closed", hint)
    if _left(clue):
        message = f"the '{opening}' that opens here needs a ',' or '{closing}' before line {clue.at.line}"
        return problem(clue.since, message, hint)
    return problem(
        clue.at,
        f"a ',' or '{closing}' is missing (the '{opening}' opened on line {clue.since.line})",
        "text with any of , : ? { } [ ] inside brackets needs quotes",
    )


def _bracketed(clue: Clue) -> tuple[Position, str] | None:
    """A short text such as `scenes[1:]` around the bracket that surprised the parser, and where it begins."""
    before = clue.lines.before(clue.at)[-60:]
    after = clue.lines.line(clue.at.line)[clue.at.column - 1 :][:60]
    word, bracket = re.search(r"[\w./$-]+$", before), re.match(r"\[[^][{},]*\]|\{[^][{},]*\}", after)
    if not word or not bracket:
        return None
    return Position(clue.at.line, clue.at.column - len(word.group())), word.group() + bracket.group()


def _left(clue: Clue) -> bool:
    """Whether the line that surprised the parser is a later one, indented no deeper than the opening one."""
    opened, now = (len(clue.lines.indentation(number)) for number in (clue.since.line, clue.at.line))
    return clue.at.line > clue.since.line and now <= opened


def _no_value(clue: Clue) -> Problem:
    if clue.lines.character(clue.at) in ("", "-"):
        return problem(clue.at, "a value is missing here", "write it, or null")
    return _bad_start(clue, clue.at)


def _inline_list(clue: Clue) -> Problem:
    return problem(
        clue.at,
        "a list item cannot stand here",
        "begin a list on the line after its key; text that begins with '- ' needs quotes",
    )


def _escape(clue: Clue) -> Problem:
    at = Position(clue.at.line, clue.lines.before(clue.at).rfind("\\") + 1)
    return problem(
        at, "a backslash in double quotes that means nothing", "write '\\\\', or use single quotes"
    )


def _block_header(clue: Clue) -> Problem:
    sign = clue.lines.character(clue.since)
    return problem(
        clue.at, f"text on the same line as '{sign}'", "begin it on the next line, or put it all in quotes"
    )


def _after_the_end(clue: Clue) -> Problem:
    for number in range(clue.at.line, 0, -1):
        if clue.lines.line(number).startswith("%"):
            return _bad_start(clue, Position(number, 1))
    return problem(clue.at, "the document ends before this", "write 'key: value' lines, and no '...'")


def _tag(clue: Clue) -> Problem:
    text = clue.lines.line(clue.since.line)[clue.since.column - 1 :]
    return tag_problem(clue.since, text.split()[0] if text.split() else "!")


def _directive(clue: Clue) -> Problem:
    return problem(clue.since, "a line that begins with '%' is an instruction to YAML parsers", "remove it")


def _unknown(clue: Clue) -> Problem:
    return problem(clue.at, f"this is not valid YAML ({clue.words})", "put text in quotes if it is text")


#: The first pattern found in "context: problem" decides.
_RULES: tuple[tuple[str, Callable[[Clue], Problem]], ...] = (
    (r"quoted scalar: found unexpected", _unclosed_quote),
    (r"double-quoted scalar:", _escape),
    (r"block scalar:", _block_header),
    (r"scanning an (alias|anchor):", _bad_start),
    (r"found character|mapping keys are not allowed", _bad_start),
    (r"mapping values are not allowed", _unexpected_colon),
    (r"could not find expected ':'", _no_colon),
    (r"sequence entries are not allowed", _inline_list),
    (r"expected <block end>", _misfit),
    (r"expected ',' or", _flow),
    (r"expected the node content", _no_value),
    (r"directive|incompatible YAML|duplicate tag handle", _directive),
    (r" a tag:|undefined tag handle", _tag),
    (r"<document start>", _after_the_end),
)
