"""A disk that takes no more: a typed error for what it hit, nothing paid is lost, nothing is paid twice.

The limit is the system's own on the size of a file, which fails a write as a full disk does.
"""

from __future__ import annotations

import pytest

pytest.importorskip("resource")

PICTURES = """
name: large
seed: 1
output_dir: output
steps:
  - {name: pictures, type: text_to_image, model: nano_banana_pro, params: {parallel: true, prompts: [a, b]}}
  - {type: thumbnail}
"""
SPLIT = """
name: split
seed: 1
output_dir: output
steps:
  - {name: board, type: text_to_image, model: nano_banana_pro, params: {prompt: a}}
  - {name: tiles, type: split_image, params: {rows: 1, cols: 1}}
"""
ROOM = 200_000  # bytes: less than a large picture, more than a new journal
PAGE = 4096


def test_a_store_that_takes_no_more_loses_nothing_paid(nursery):
    """Results that cannot be stored are errors of their items; with room again they are fetched, not paid."""
    nursery.write(PICTURES)
    code, child = nursery.run(large=True, limit=ROOM)
    assert code == 1, child.told
    wanted = {f"pictures/pictures_{n}": "failed" for n in (1, 2)}
    assert child.result["states"] == wanted | {f"thumbnail_1/pictures_{n}": "skipped" for n in (1, 2)}
    assert {child.result["hints"][address] for address in wanted} == {
        "make room and run the same command again: it is fetched at no cost"
    }
    assert child.result["retries"] == [None] * 4, "a redo would be paid for"
    code, child = nursery.run(large=True)
    assert (code, len(nursery.tree())) == (0, 4)
    assert sorted(nursery.charges) == ["a", "b"]
    assert nursery.leftovers == []


def test_local_work_that_finds_no_room_is_done_later(nursery):
    """A tile that cannot be written fails its item; what it was cut from is neither lost nor paid again."""
    only_board = SPLIT.partition("  - {name: tiles")[0]
    nursery.write(only_board)
    assert nursery.run(large=True)[0] == 0
    nursery.write(SPLIT)
    code, child = nursery.run(large=True, limit=ROOM)
    assert (code, child.result["states"]) == (1, {"board/board_1": "cached", "tiles/panel_1": "failed"})
    assert "nothing is lost" in child.result["hints"]["tiles/panel_1"]
    assert nursery.run(large=True)[0] == 0
    assert nursery.charges == ["a"]
    assert nursery.leftovers == []


def test_an_output_folder_that_takes_no_more_is_filled_later(nursery):
    """What is stored but cannot be delivered is an error of its item; nothing half-written is left."""
    nursery.write(PICTURES)
    assert nursery.run(large=True)[0] == 0
    wanted = nursery.tree()
    (nursery.root / "output").rename(nursery.root / "away")
    code, child = nursery.run(large=True, limit=ROOM)
    assert code == 1, child.told
    assert all("cannot be read or written" in message for message in child.result["errors"].values())
    assert set(nursery.tree()) == {name for name in wanted if name.startswith("thumbnail")}
    assert nursery.leftovers == []
    code, child = nursery.run(large=True)
    assert (code, nursery.tree(), sorted(nursery.charges)) == (0, wanted, ["a", "b"])


def test_a_journal_that_takes_no_more(nursery, pictures):
    """Wherever in a run it becomes full: what cannot be recorded is not sent, or found again when it was."""
    prompts = [f"{letter} {'long ' * 300}".strip() for letter in "abcdefgh"]
    nursery.write(pictures("first"))
    assert nursery.run()[0] == 0
    nursery.write(pictures("first", *prompts))
    full = (nursery.root / ".aicp/journal.sqlite3").stat().st_size
    codes = []
    for limit in range(full, full + 12 * PAGE, 2 * PAGE):
        code, child = nursery.run(limit=limit)
        codes.append(code)
        for told in child.told:
            if told["event"] == "Refused":
                assert "cannot be used" in told["message"]
    assert set(codes) <= {0, 1, 7, 8}
    assert codes[0] != 0, "the journal was never full"
    assert nursery.run()[0] == 0
    assert sorted(nursery.charges) == sorted(["first", *prompts])
    assert nursery.leftovers == []
