"""`${NAME}` in values: only names that the file declares under `env:`, never anything like a secret.

::

    ${NAME}             the variable; its default under `env:` when it is unset or empty
    ${NAME:-text}       the variable, or this text when it is unset or empty
    ${NAME:?message}    the variable, or an error with this message when it is unset or empty
    $$                  a dollar sign

Replacing happens in the parsed values, so no variable can add keys or steps to a file.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ai_content_pipeline.errors import Problem
from ai_content_pipeline.pipeline import scalars
from ai_content_pipeline.pipeline.lines import Lines, Position, problem
from ai_content_pipeline.pipeline.nodes import MappingNode, Node, ScalarNode, SequenceNode

#: All variables of one file may grow to so many characters together.
MAX_EXPANDED = 1 << 20

_TEMPLATE = re.compile(r"\$\$|\$\{[^}]*\}?")
_EXPRESSION = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(
    r"KEY(?!FRAME|WORD|NOTE)|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|AUTH(?!OR)|COOKIE|WEBHOOK"
    r"|^AWS_|_PWD$|DATABASE_URL|CONNECTION_STRING"
    r"|(?:^|_)(?:PAT|PASS|CREDS?|JWT|DSN)(?:_|[0-9]*$)",
    re.IGNORECASE,
)
_FORMS = "write ${NAME}, ${NAME:-default} or ${NAME:?message}, and $${ for a plain '${'"


class _Unusable(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(slots=True)
class Variables:
    """What `${…}` may stand for. `declared` maps each name to its default text, if it has one."""

    declared: Mapping[str, str | None]
    environ: Mapping[str, str]
    _room: int = field(default=MAX_EXPANDED, init=False)

    def replace_in(self, node: ScalarNode, lines: Lines) -> list[Problem]:
        """Replaces the variables of a scalar; returns what is wrong with those that cannot be replaced.

        A plain scalar that is one single `${…}` takes the type of what it stands for; any other becomes text.
        """
        found = [template.group() for template in _TEMPLATE.finditer(node.text)]
        mistakes: list[tuple[int, _Unusable]] = []
        values: list[str] = []
        for nth, template in enumerate(found):
            try:
                values.append(self._text(template))
            except _Unusable as mistake:
                mistakes.append((nth, mistake))
                values.append("")
        problems = _at_their_places(mistakes, found, node, lines) if mistakes else []
        node.plain = node.plain and (not found or (found == [node.text] != ["$$"]))
        replacement = iter(values)
        node.text = _TEMPLATE.sub(lambda _: next(replacement), node.text)
        return problems

    def _text(self, template: str) -> str:
        if self._room < 0:
            return ""  # said once
        text = "$" if template == "$$" else self._value(template)
        self._room -= len(text)
        if self._room < 0:
            raise _Unusable(f"the variables grow to more than {MAX_EXPANDED:,} characters", "shorten them")
        return text

    def _value(self, template: str) -> str:
        expression = _EXPRESSION.fullmatch(template)
        if not expression:
            raise _Unusable("this is not a variable", _FORMS)
        name, sign, argument = expression.groups()
        self._check_name(name)
        text, default = self.environ.get(name), argument if sign == "-" else self.declared[name]
        if not text and default is not None:
            text = _plain_default(default)
        if text is None or (sign == "?" and not text):
            reason = f": {' '.join(argument.split())[:200]}" if sign == "?" and argument else ""
            hint = f"set it, or give it a default, as in ${{{name}:-text}}"
            raise _Unusable(f"the variable {name} is not set{reason}", hint)
        if scalars.UNPRINTABLE.search(text):
            raise _Unusable(f"the value of {name} holds control characters", "set it to plain text")
        return text

    def _check_name(self, name: str) -> None:
        if _SECRET.search(name):
            raise _Unusable(*_secret(name))
        if name not in self.declared:
            hint = f"add it to the names under the top-level 'env:', as in 'env: [{name}]'"
            raise _Unusable(f"the variable {name} is not declared", hint)


def declarations(env: Node | None) -> tuple[dict[str, str | None], list[Problem]]:
    """The names declared under `env:`, a list or a mapping to default texts, and what is wrong with them."""
    if env is None or _is_null(env):
        return {}, []
    declared: dict[str, str | None] = {}
    problems: list[Problem] = []
    for name, at, default in _declared(env):
        if name is None or not _NAME.fullmatch(name):
            problems.append(problem(at, "this is not the name of a variable", "use letters, digits and _"))
        elif _SECRET.search(name):
            problems.append(problem(at, *_secret(name)))
        elif default is not None and not isinstance(default, ScalarNode):
            problems.append(
                problem(default.place, f"the default of {name} is not text", "write text or a number")
            )
        else:
            declared[name] = None if default is None or _is_null(default) else default.text
    if isinstance(env, ScalarNode):
        hint = "write a list of names, or a mapping of names to default texts"
        problems.append(problem(env.place, "'env:' declares variables", hint))
    return declared, problems


def _declared(env: Node) -> Iterator[tuple[str | None, Position, Node | None]]:
    if isinstance(env, SequenceNode):
        for item in env.items:
            yield (item.text if isinstance(item, ScalarNode) else None), item.place, None
    elif isinstance(env, MappingNode):
        for name, entry in env.entries.items():
            yield name, entry.place, entry.node


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.plain and node.text in scalars.NULLS


def _plain_default(text: str) -> str:
    if "${" in text.replace("$$", ""):
        raise _Unusable("a default cannot hold a variable", "write plain text")
    return text.replace("$$", "$")


def _secret(name: str) -> tuple[str, str]:
    return (
        f"{name} looks like a secret, and a pipeline never sees those",
        "name the variable otherwise if it is none",
    )


def _at_their_places(
    mistakes: list[tuple[int, _Unusable]], found: list[str], node: ScalarNode, lines: Lines
) -> list[Problem]:
    """Each mistake where it stands in the file; the beginning of its value where that is hidden."""
    start = lines.index(node.place)
    nearby = _TEMPLATE.finditer(lines.text, start, start + 4 * len(node.text) + 1000)
    written = list(itertools.islice(nearby, len(found)))
    exact = [template.group() for template in written] == found
    return [
        problem(lines.position(written[nth].start()) if exact else node.place, mistake.message, mistake.hint)
        for nth, mistake in mistakes
    ]
