"""Reading a pipeline file: data, positions, and everything a file may not be."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

from ai_content_pipeline.errors import InvalidPipeline
from ai_content_pipeline.pipeline import compose
from ai_content_pipeline.pipeline.source import Position, SourceFile, closest, load, loads, unknown_key

FAST = compose.FAST_LOADER


@pytest.fixture(autouse=True, params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds with libyaml and without."""
    if request.param == "libyaml" and FAST is None:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(compose, "FAST_LOADER", FAST if request.param == "libyaml" else None)


def read(text: str) -> SourceFile:
    return loads(textwrap.dedent(text).lstrip("\n"), name="p.yaml")


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(InvalidPipeline) as caught:
        loads(text, name="p.yaml")
    return [str(problem) for problem in caught.value.problems]


LOVE_STORY = """
    name: love_story
    steps:
      - name: storyboard
        type: text_to_image
        params: {aspect_ratio: "16:9", seed: 7}
      - name: clips
        params:
          prompts:
          - Coffee
          - {prompt: Leaves}
          duration:
    """


class TestPositions:
    @pytest.mark.parametrize(
        ("path", "value", "key"),
        [
            ((), (1, 1), (1, 1)),
            (("name",), (1, 7), (1, 1)),
            (("steps",), (3, 3), (2, 1)),
            (("steps", 0), (3, 5), (3, 5)),
            (("steps", 0, "type"), (4, 11), (4, 5)),
            (("steps", 0, "params"), (5, 13), (5, 5)),
            (("steps", 0, "params", "seed"), (5, 42), (5, 36)),
            (("steps", 1, "params", "prompts"), (9, 7), (8, 7)),
            (("steps", 1, "params", "prompts", 0), (9, 9), (9, 9)),
            (("steps", 1, "params", "prompts", 1, "prompt"), (10, 18), (10, 10)),
        ],
    )
    def test_of_value_and_key(self, path: tuple[str | int, ...], value: object, key: object) -> None:
        """Every value and every key knows its line and column, in block and in flow style."""
        source = read(LOVE_STORY)
        assert source.position(path) == Position(*value)  # type: ignore[misc]
        assert source.position(path, key=True) == Position(*key)  # type: ignore[misc]

    def test_of_what_is_not_there(self) -> None:
        """A path that leads nowhere is at its nearest existing ancestor."""
        source = read(LOVE_STORY)
        assert source.position(("steps", 0, "model")) == Position(3, 5)
        assert source.position(("steps", 0, "params", "nope", 3), key=True) == Position(5, 5)
        assert source.position(("steps", 9)) == source.position(("steps", "name")) == Position(3, 3)
        assert source.position(("steps", -1)) == Position(3, 3)

    def test_of_a_value_left_out(self) -> None:
        """A key without a value points at the key, for there is nothing else to point at."""
        source = read("a:\nb: {c: , d}\n")
        assert source.data == {"a": None, "b": {"c": None, "d": None}}
        assert source.position(("a",)) == Position(1, 1)
        assert source.position(("b", "c")) == Position(2, 5)
        assert source.position(("b", "d")) == Position(2, 10)

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_with_any_line_break_and_bom(self, mark: str, end: str) -> None:
        """A byte order mark takes no column, and CRLF is one line break; columns count characters."""
        source = loads(f"{mark}a: 1{end}{end}'é😀': [x, 😀y, z]{end}")
        assert source.data == {"a": 1, "é😀": ["x", "😀y", "z"]}
        assert source.position(("a",), key=True) == Position(1, 1)
        assert source.position(("é😀", 2)) == Position(3, 15)

    def test_of_an_aliased_value(self) -> None:
        """What an alias stands for is where it was written out; its key is where it is used."""
        source = read("a: &x {b: 1}\nc: *x\n")
        assert source.data == {"a": {"b": 1}, "c": {"b": 1}}
        assert source.data["a"] is not source.data["c"]
        assert source.position(("c", "b")) == Position(1, 11)
        assert source.position(("c",), key=True) == Position(2, 1)

    def test_in_a_problem(self) -> None:
        """A problem names the file as the user did, the place, the matter and the way out."""
        problem = read(LOVE_STORY).problem(("steps", 0, "type"), "unknown type", "did you mean 'x'?")
        assert str(problem) == "p.yaml:4:11: unknown type; did you mean 'x'?"
        assert read(LOVE_STORY).problem(("steps", 0, "type"), "no", key=True).column == 5


class TestScalars:
    def test_stay_what_they_look_like(self) -> None:
        """YAML 1.1 booleans, octals, base-60 numbers and dates are text, as values and as keys (Y9)."""
        source = read(
            """
            on: [on, yes, No, off, y]
            010: [010, -007, 00, 0.0.1, 1_000, 12:30:45, 2026-11-21, 0b1, 1e, "1", .]
            1.10: [1.10, 0o17, 0x1F, +3, -0, .5, 2., 1e3]
            1: [true, False, TRUE, null, ~, Null]
            """
        )
        assert source.data == {
            "on": ["on", "yes", "No", "off", "y"],
            "010": ["010", "-007", "00", "0.0.1", "1_000", "12:30:45", "2026-11-21", "0b1", "1e", "1", "."],
            "1.10": [1.1, 15, 31, 3, 0, 0.5, 2.0, 1000.0],
            "1": [True, False, True, None, None, None],
        }

    def test_raw_text(self) -> None:
        """The text a plain scalar was read from is kept, so that money can be exact."""
        source = read("a: 1.10\nb: '1.10'\nc: [010]\nd: !!float 2.50\n")
        assert [source.raw(path) for path in (("a",), ("b",), ("c",), ("c", 0), ("d",), ("nope",), ())] == [
            "1.10", None, None, "010", "2.50", None, None,
        ]  # fmt: skip

    def test_of_several_lines(self) -> None:
        """Block and folded text arrive as YAML defines them."""
        source = read("a: |\n  Panel 1: x\n  # no comment\nb: >-\n  one\n  two\nc: one\n  two\n")
        assert source.data == {"a": "Panel 1: x\n# no comment\n", "b": "one two", "c": "one two"}

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("9" * 5000, "this number is out of range (more than 64 digits)"),
            ("0x" + "f" * 5000, "this number is out of range (more than 64 digits)"),
            ("9223372036854775808", "this whole number is out of range (more than 64 bits)"),
            ("-9223372036854775809", "this whole number is out of range (more than 64 bits)"),
            ("1e999", "this number is out of range (more than about 1.8e308)"),
            (".inf", "infinity and 'not a number' are not numbers to work with"),
            ("-.Inf", "infinity and 'not a number' are not numbers to work with"),
            (".NaN", "infinity and 'not a number' are not numbers to work with"),
        ],
    )
    def test_out_of_range(self, text: str, what: str) -> None:
        """No infinity, no NaN and no number beyond 64 bits comes through, nor a traceback (Y6)."""
        assert problems(f"a:\n  - {text}\n") == [f"p.yaml:2:5: {what}; put it in quotes if it is text"]

    def test_at_the_edge_of_the_range(self) -> None:
        """The largest and the smallest 64-bit numbers are fine."""
        assert loads("a: [9223372036854775807, -9223372036854775808]").data["a"] == [2**63 - 1, -(2**63)]


class TestRefusals:
    def test_duplicate_keys(self) -> None:
        """The second of two equal keys is an error that names the first, however they are quoted (Y7)."""
        assert problems(
            "a: 1\nb:\n  model: x\n  'model': y\n  model: z\n1: 0\n'1': 0\nc:\n -d: 1\n -d: 2\n"
        ) == [
            "p.yaml:4:3: duplicate key 'model' (first on line 3); remove one",
            "p.yaml:5:3: duplicate key 'model' (first on line 3); remove one",
            "p.yaml:7:1: duplicate key '1' (first on line 6); remove one",
            "p.yaml:10:2: duplicate key '-d' (first on line 9); write a space after '-'",
        ]

    @pytest.mark.parametrize(
        "tag", ["!!python/object/apply:os.system", "!foo", "!", "!!binary", "!!map", "!<tag:x,2020:y>"]
    )
    def test_tags(self, tag: str) -> None:
        """A tag other than the core ones is refused where it stands, and nothing is made of it (Y1)."""
        [problem] = problems(f"a:\n  b: {tag} x\n")
        assert problem.startswith(("p.yaml:2:6: the tag '!", "p.yaml:2:6: the tag 'tag:x"))
        assert problem.endswith("is not allowed; text that begins with '!' needs quotes")

    def test_core_tags(self) -> None:
        """The tags of the core schema work, and lie about nothing."""
        text = "a: !!str 010\nb: !!int '5'\nc: !!float 1\nd: !!map {x: !!bool true}\ne: !!seq [!!null ~]\n"
        assert loads(text).data == {"a": "010", "b": 5, "c": 1.0, "d": {"x": True}, "e": [None]}
        assert type(loads(text).data["c"]) is float
        assert problems("a: !!int on\nb: !!seq {}\n") == [
            "p.yaml:1:4: this is not what its tag !!int says; put it in quotes if it is text",
            "p.yaml:2:4: the tag '!!seq' is not allowed; text that begins with '!' needs quotes",
        ]

    def test_alias_bombs(self) -> None:
        """Nine aliases nine times over are refused before a single value is made (Y2)."""
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{name}: &{name} [{','.join([f'*{below}'] * 9)}]\n"
            for below, name in zip("abcdefgh", "bcdefghi", strict=True)
        )
        assert problems(bomb) == [
            "p.yaml:5:8: the aliases stand for more than 10,000 values; write the values out"
        ]

    def test_many_aliases(self) -> None:
        """A hundred aliases are plenty (Y2)."""
        text = "a: &a 1\nb: [" + ",".join(["*a"] * 100) + "]\n"
        assert loads(text).data["b"] == [1] * 100
        assert problems(text + "c: *a\n") == ["p.yaml:3:4: more than 100 aliases; write the values out"]

    def test_recursive_alias(self) -> None:
        """A value cannot contain itself (Y3)."""
        says = "the alias '*a' stands inside the value it names; write the value out"
        assert problems("x: &a [1, *a]\n") == [f"p.yaml:1:11: {says}"]
        assert problems("&a\nb:\n  c: *a\n") == [f"p.yaml:3:6: {says}"]

    def test_unknown_alias(self) -> None:
        """Text that looks like an alias is told from one."""
        assert problems("a: *bold\n") == [
            "p.yaml:1:4: nothing is called '&bold'; text that begins with '*' needs quotes"
        ]

    @pytest.mark.parametrize(
        ("text", "column"), [("[" * 20_000, 65), ("{a: " * 3000, 257), ("- " * 3000, 129), ("? " * 500, 129)]
    )
    def test_depth(self, text: str, column: int) -> None:
        """Nesting ends at 64 levels, without a RecursionError and without waiting for the end (Y4)."""
        says = "nested too deep (more than 64 levels); flatten it"
        assert f"p.yaml:1:{column}: {says}" in problems(text)

    def test_depth_is_not_hidden_by_aliases(self) -> None:
        """64 levels are allowed, and an alias adds the levels of what it names (Y4)."""
        assert loads("a: " + "[" * 63 + "]" * 63)
        text = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 23 + "*a" + "]" * 23
        assert loads(text)
        assert problems(text.replace("[*a]", "[[*a]]")) == [
            "p.yaml:2:28: nested too deep (more than 64 levels); flatten it"
        ]

    def test_merge_keys(self) -> None:
        """`<<` is refused with what to write instead; in quotes it is a key like any other (Y8)."""
        assert problems("a: &a {x: 1}\nb:\n  <<: *a\n") == [
            "p.yaml:3:3: merge keys ('<<') are not allowed; write the keys out"
        ]
        assert loads("'<<': 1").data == {"<<": 1}

    def test_keys_that_are_no_text(self) -> None:
        """Keys are plain text; collections, aliases and nothing at all are refused where they stand."""
        not_text = "a key must be plain text; text with { } [ ] or * needs quotes"
        no_key = "a key is missing before ':'; write it; 'null' or '~' as a key needs quotes"
        assert problems("a: &a x\n[b]: 1\n{c: d}: 2\n*a : 3\n?\n: 4\n~: 5\n'': 6\n") == [
            f"p.yaml:2:1: {not_text}",
            f"p.yaml:3:1: {not_text}",
            f"p.yaml:4:1: {not_text}",
            f"p.yaml:5:2: {no_key}",
            f"p.yaml:7:1: {no_key}",
        ]

    def test_several_documents(self) -> None:
        """One file holds one pipeline (Y12)."""
        assert problems("---\na: 1\n---\nb: 2\n") == [
            "p.yaml:3:1: a second document begins here; keep one pipeline per file"
        ]
        assert loads("---\na: 1\n...\n").data == {"a": 1}

    @pytest.mark.parametrize("text", ["", "\n# only a comment\n", "---\n", "~", "\ufeff"])
    def test_empty(self, text: str) -> None:
        """An empty file says so."""
        hint = "write 'name: …' and 'steps:', with the list of steps below it"
        assert problems(text) == [f"p.yaml:1:1: this file is empty; {hint}"]

    @pytest.mark.parametrize("text", ["- a\n- b\n", "text", "5", "a:1"])
    def test_top_level(self, text: str) -> None:
        """The top level is a mapping."""
        assert problems("\n" + text) == [
            "p.yaml:2:1: the top level is not made of 'key: value' lines; "
            "write 'name: …' and 'steps:', with the list of steps below it"
        ]

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
    def test_wide_encodings(self, encoding: str) -> None:
        """UTF-16 and UTF-32, with or without a mark, are told from rubbish (Y12)."""
        assert problems("a: 1\n".encode(encoding))[0].endswith("save it as UTF-8")

    def test_bytes_that_are_not_utf8(self) -> None:
        """The first foreign byte is named with its place (Y12)."""
        assert problems("ä: 1\nb: é".encode() + b"\xe9x") == [
            "p.yaml:2:5: the byte 0xe9 is not UTF-8; save it as UTF-8"
        ]
        assert problems("\ufeffab\ud800") == ["p.yaml:1:3: the byte 0xed is not UTF-8; save it as UTF-8"]

    def test_control_characters(self) -> None:
        """NUL, escape codes, hidden line breaks and stray marks are refused, all at once (Y12)."""
        assert problems("a: \0\nb: x\x1b[0m\r\nc: \u2028\x85\nd: \ufeff\n") == [
            "p.yaml:1:4: the character U+0000 is not allowed; is this UTF-16? save it as UTF-8",
            "p.yaml:2:5: the character U+001B is not allowed; remove it",
            "p.yaml:3:4: the character U+2028 is not allowed; remove it",
            "p.yaml:3:5: the character U+0085 is not allowed; remove it",
            "p.yaml:4:4: the character U+FEFF is not allowed; remove it",
        ]

    def test_control_characters_in_disguise(self) -> None:
        """Escapes in double quotes bring in no control character either, nor half a surrogate pair (Y12)."""
        assert problems('a: "\\0"\nb:\n  "\\x1b": 1\nc: "x\\ud83d"\n') == [
            "p.yaml:1:4: an escape for the character U+0000; leave it out, or write the text itself",
            "p.yaml:3:3: an escape for the character U+001B; leave it out, or write the text itself",
            "p.yaml:4:4: an escape for the character U+D83D; leave it out, or write the text itself",
        ]
        assert loads(r'a: "tab\t, line\n, \u00e9, \U0001F600"').data == {"a": "tab\t, line\n, é, 😀"}

    def test_size(self) -> None:
        """A file has at most 1 MiB and 100,000 lines (Y5)."""
        assert problems("a: " + "x" * (1 << 20)) == ["p.yaml: this file is larger than 1 MiB; split it"]
        assert problems("#\n" * 100_001) == ["p.yaml: this file has more than 100,000 lines; split it"]

    def test_are_reported_together_and_in_order(self) -> None:
        """One reading finds them all: keys, tags, ranges, variables, and the syntax error at the end."""
        text = "a: ${A}\nb: !x 1\nb: 1e999\nc: 1e999\n"
        assert [problem.split(": ")[0] for problem in problems(text)] == [
            "p.yaml:1:4", "p.yaml:2:4", "p.yaml:3:1", "p.yaml:4:4",
        ]  # fmt: skip
        assert [problem.split(": ")[0] for problem in problems(text + 'd: "')] == [
            "p.yaml:2:4", "p.yaml:3:1", "p.yaml:5:4",
        ]  # fmt: skip

    def test_are_reported_once(self) -> None:
        """A bad value that is used by aliases is one problem."""
        assert len(problems("a: &a [1e999, '${X}']\nb: *a\nc: *a\n")) == 2

    def test_do_not_flood(self) -> None:
        """A hundred problems are shown, and how many more there are."""
        found = problems("a: 1\n" * 1000)
        assert len(found) == 101
        assert found[-1] == "p.yaml: and 899 more problems; mend these first"


class TestLoad:
    def test_reads_a_file(self, tmp_path: pathlib.Path) -> None:
        """A file is read with the variables of the given environment, and named as the user named it."""
        path = tmp_path / "p.yaml"
        path.write_bytes(b"\xef\xbb\xbfenv: [N]\r\nworkers: ${N}\r\n")
        source = load(path, environ={"N": "3"})
        assert (source.path, source.data) == (path, {"env": ["N"], "workers": 3})

    def test_missing(self, tmp_path: pathlib.Path) -> None:
        """A missing file is no traceback."""
        self.refused(tmp_path / "no.yaml", "there is no such file; check the name and the folder")

    def test_folder(self, tmp_path: pathlib.Path) -> None:
        """A folder is told from a file."""
        self.refused(tmp_path, "this is a folder; name a YAML file in it")

    def test_nul_in_the_name(self) -> None:
        """Not even a name that no file can have is a traceback."""
        with pytest.raises(InvalidPipeline, match="cannot be read"):
            load(pathlib.Path("a\0b"), environ={})

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_pipes_and_devices(self, tmp_path: pathlib.Path) -> None:
        """A pipe or a device is refused without waiting for what it has to say."""
        os.mkfifo(tmp_path / "pipe")
        self.refused(tmp_path / "pipe", "this is not a regular file; copy its text into one")
        self.refused(pathlib.Path("/dev/zero"), "this is not a regular file; copy its text into one")

    def test_huge(self, tmp_path: pathlib.Path) -> None:
        """The size is known before the file is read: a sparse terabyte is refused at once (Y5)."""
        with (tmp_path / "big.yaml").open("wb") as file:
            file.truncate(1 << 40)
        self.refused(tmp_path / "big.yaml", "this file is larger than 1 MiB; split it")

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_unreadable(self, tmp_path: pathlib.Path) -> None:
        """A file without permission says so."""
        (tmp_path / "p.yaml").touch(mode=0)
        self.refused(tmp_path / "p.yaml", "this file cannot be read (Permission denied)")

    def test_is_a_loop(self, tmp_path: pathlib.Path) -> None:
        """A file that the system cannot open says why."""
        (tmp_path / "loop.yaml").symlink_to("loop.yaml")
        with pytest.raises(InvalidPipeline, match="cannot be read"):
            load(tmp_path / "loop.yaml", environ={})

    def refused(self, path: pathlib.Path, message: str) -> None:
        with pytest.raises(InvalidPipeline) as caught:
            load(path, environ={})
        assert str(caught.value) == f"{path}: {message}"


class TestSuggestions:
    KEYS = ("max_workers", "parallel", "prompts")

    @pytest.mark.parametrize("word", ["max_worker", "maxWorkers", "MAX-WORKERS", "mx_workers"])
    def test_a_near_miss(self, word: str) -> None:
        """A typo, another case or another style of the word is recognised."""
        assert closest(word, self.KEYS) == "max_workers"
        assert unknown_key(word, self.KEYS) == "did you mean 'max_workers'?"

    def test_nothing_near(self) -> None:
        """Otherwise the known words are listed."""
        assert closest("zzz" * 1000, self.KEYS) is None
        assert unknown_key("zzz", self.KEYS) == "known keys: max_workers, parallel, prompts"
        assert unknown_key("zzz", ()) == "no keys are known here"


def test_imports_little() -> None:
    """The reader needs yaml and nothing else that is heavy."""
    code = (
        "import sys; import ai_content_pipeline.pipeline.source\n"
        "print({'pydantic', 'difflib', 'rich', 'httpx', 'av', 'PIL'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
