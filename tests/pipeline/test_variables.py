"""`${NAME}`: declared names only, in values only, after parsing, and never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.pipeline.source import SourceFile, loads

NOTHING: Mapping[str, str] = MappingProxyType({})


def value(text: str, environ: Mapping[str, str] = NOTHING, env: str = "[A, N]") -> object:
    return loads(f"env: {env}\nx: {text}\n", environ=environ).data["x"]


def problems(text: str, environ: Mapping[str, str] = NOTHING) -> list[str]:
    with pytest.raises(InvalidPipeline) as caught:
        loads(text, name="p.yaml", environ=environ)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in ${A}", "in Paris"),
        ("${A}${A}, ${N}", "ParisParis, 4"),
        ("'${A}'", "Paris"),
        ("${E:-none}", "none"),
        ("${U:-none, 'or so'}", "none, 'or so'"),
        ("'${U:-a: b}'", "a: b"),
        ("x${U:-}y", "xy"),
        ("${A:-none}", "Paris"),
        ("${A:?say where}", "Paris"),
        ("x${E}y", "xy"),
        ("${U:-$$5}", "$5"),
        ("$$5 $${A} $$$", "$5 ${A} $$"),
        ("$5 $ $A $(A) a$", "$5 $ $A $(A) a$"),
        ("|\n  one ${A}\n  two", "one Paris\ntwo\n"),
        ("{a: ['${A}']}", {"a": ["Paris"]}),
    ],
)
def test_replaces(text: str, expected: object) -> None:
    """Every form of a variable gives its text, and a dollar sign that begins none is left alone."""
    environ = {"A": "Paris", "N": "4", "E": ""}
    assert value(text, environ, env="[A, N, E, U]") == expected


@pytest.mark.parametrize(
    ("text", "given", "expected", "raw"),
    [
        ("${N}", "4", 4, "4"),
        ("${N:-4}", None, 4, "4"),
        ("${N}", "1.10", 1.1, "1.10"),
        ("${N}", "true", True, "true"),
        ("${N}", "", None, ""),
        ("${N}", "010", "010", "010"),
        ("'${N}'", "4", "4", None),
        ("${N}0", "4", "40", None),
        ("!!int ${N}", "4", 4, "4"),
        ("!!str ${N}", "4", "4", "4"),
        ("$$", "4", "$", None),
    ],
)
def test_takes_the_type_of_a_lone_variable(text: str, given: str | None, expected: object, raw: str) -> None:
    """A plain scalar that is one variable is read as what it stands for; any other is text."""
    source = loads(f"env: [N]\nx: {text}\n", environ={} if given is None else {"N": given})
    assert (source.data["x"], source.raw(("x",))) == (expected, raw)
    assert type(source.data["x"]) is type(expected)


def test_declared_defaults() -> None:
    """A mapping under `env:` gives defaults, for variables that are unset or empty."""
    text = (
        "env: {A: Paris, N: 4, U: , P: $$5}\nx: ['${A}', '${N}', '${A:-Rome}', '${P}', '${A:?}']\ny: ${N}\n"
    )
    source = loads(text, environ={"A": ""})
    assert source.data["x"] == ["Paris", "4", "Rome", "$5", "Paris"]
    assert source.data["y"] == 4
    assert source.data["env"] == {"A": "Paris", "N": 4, "U": None, "P": "$5"}


def test_never_in_keys() -> None:
    """Keys are not replaced."""
    source = loads("env: [A]\n${A}: 1\n${B}: 2\n", environ={"A": "x"})
    assert source.data == {"env": ["A"], "${A}": 1, "${B}": 2}


@pytest.mark.parametrize(
    "injected",
    ["a\nsteps: [x]", "{a: 1}", "[1, 2]", "*b", "!!python/name:os.system", "'", '"', "# c", "${N}"],
)
@pytest.mark.parametrize("form", ["${A}", "'${A}'", '"${A}"', "['${A}']"])
def test_cannot_change_the_structure(injected: str, form: str) -> None:
    """Whatever a variable holds, it is one value and is not looked into again (Y16)."""
    expected: object = [injected] if form.startswith("[") else injected
    assert value(form, {"A": injected, "N": "no"}) == expected


UNDECLARED = (
    "the variable B is not declared; add it to the names under the top-level 'env:', as in 'env: [B]'"
)
FORMS = (
    "this is not a variable; write ${NAME}, ${NAME:-default} or ${NAME:?message}, and $${ for a plain '${'"
)
UNSET = "the variable A is not set; set it, or give it a default, as in ${A:-text}"
OTHERWISE = "name the variable otherwise if it is none"
NESTED = "a default cannot hold a variable; write plain text"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("x: ${B}", "1:4", UNDECLARED),
        ("x: go ${B:-home}", "1:7", UNDECLARED),
        ("env: {A: y}\nx: ['${A}', '${B}']", "2:14", UNDECLARED),
        ("env: [A]\nx: |\n  $$5, and\n    ${A:-y} ${B}", "4:13", UNDECLARED),
        ('env: [A]\nx: "a\\\n  b ${B}"', "3:5", UNDECLARED),
        ('x: "\\x24{B}"', "1:4", UNDECLARED),
        ("x: >  # ${C}\n  y ${B}", "1:4", UNDECLARED),
        ("env: [A]\nx: to ${A}", "2:7", UNSET),
        ("env: {A: }\nx: ${A}", "2:4", UNSET),
        ("env: [A]\nx: ${A:?name\n  a city}", "2:4", UNSET.replace("not set", "not set: name a city")),
        ("env: [A]\nx: ${A:?}", "2:4", UNSET),
        ("x: a ${", "1:6", FORMS),
        ("x: a ${} b", "1:6", FORMS),
        ("x: ${A-b}", "1:4", FORMS),
        ("x: ${1A}", "1:4", FORMS),
        ("x: ${A b}", "1:4", FORMS),
        ("x: ${é}", "1:4", FORMS),
        ("env: [A, N]\nx: ${A:-${N}}", "2:4", NESTED),
        ("env: {N: '4', A: '$${N} ${N}'}\nx: '${A}'", "2:5", NESTED),
        (
            "env: A",
            "1:6",
            "'env:' declares variables; write a list of names, or a mapping of names to default texts",
        ),
        ("env: [1A]", "1:7", "this is not the name of a variable; use letters, digits and _"),
        ("env: [[A]]", "1:7", "this is not the name of a variable; use letters, digits and _"),
        ("env:\n  a-b: c", "2:3", "this is not the name of a variable; use letters, digits and _"),
        ("env: {A: [b]}", "1:10", "the default of A is not text; write text or a number"),
        (
            "env: [A]\nx: ${A:-1e999}",
            "2:4",
            "this number is out of range (more than about 1.8e308); put it in quotes if it is text",
        ),
    ],
)
def test_says_what_is_wrong(text: str, place: str, says: str) -> None:
    """Each mistake is reported where the variable stands, in every style of text, with the way out."""
    assert problems(text) == [f"p.yaml:{place}: {says}"]


def test_reports_all() -> None:
    """Several mistakes in one text are several problems, each at its own place."""
    found = problems("env: [A]\nx: |\n  ${B} ${A} ${B}\n  ${", {"A": "y"})
    assert [problem.split(": ")[0] for problem in found] == ["p.yaml:3:3", "p.yaml:3:13", "p.yaml:4:3"]


SECRETS = """
    FAL_KEY apiKey API_KEYS REPLICATE_API_TOKEN SECRET MY_PASSWORD PGPASSWORD DB_PASS SSH_PRIVATE AWS_REGION
    GOOGLE_APPLICATION_CREDENTIALS GITHUB_PAT AZURE_DEVOPS_PAT2 PAT DATABASE_URL SLACK_WEBHOOK
"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_refuses_secrets(name: str) -> None:
    """A name that looks like a secret is refused, declared or not, and its value is never shown (S6)."""
    says = f"{name} looks like a secret, and a pipeline never sees those; {OTHERWISE}"
    environ = {name: "hunter2"}
    assert problems(f"x: ${{{name}:-a}}", environ) == [f"p.yaml:1:4: {says}"]
    assert problems(f"env: [{name}]\nx: ${{{name}}}", environ) == [
        f"p.yaml:1:7: {says}",
        f"p.yaml:2:4: {says}",
    ]
    assert problems(f"env: {{{name}: a}}", environ) == [f"p.yaml:1:7: {says}"]


@pytest.mark.parametrize(
    "name", ["KEYFRAMES", "CITY", "AUTHOR", "PATH_NAME", "PATTERN", "KEYWORD", "COMPASS"]
)
def test_lets_harmless_names_pass(name: str) -> None:
    """Words that merely contain such letters are fine."""
    assert value(f"${{{name}}}", {name: "ok"}, env=f"[{name}]") == "ok"


def test_refuses_control_characters() -> None:
    """The environment brings in no escape codes and no bytes that are not text."""
    for bad in ("\x1b[31m", "a\0b", "\udcff"):
        says = "the value of A holds control characters; set it to plain text"
        assert problems("env: [A]\nx: ${A}", {"A": bad}) == [f"p.yaml:2:4: {says}"]
    assert value("'${A}'", {"A": "two\n\tlines"}) == "two\n\tlines"


def test_growth_is_bounded() -> None:
    """Half a megabyte a thousand times over is refused, once (Y2)."""
    text = f"env: {{A: {'x' * 500_000}}}\nx: '{'${A} ' * 1000}'\ny: ${{A}}\n"
    assert problems(text) == [
        "p.yaml:2:15: the variables grow to more than 1,048,576 characters; shorten them"
    ]


def test_an_aliased_text_is_replaced_once() -> None:
    """`$$` in a text that is used twice is one dollar in both places."""
    source: SourceFile = loads("a: &t cost $$${A:-5}\nb: [*t]\nenv: [A]\n")
    assert source.data["a"] == "cost $5"
    assert source.data["b"] == ["cost $5"]
