"""Made-up runs with real small files: a storyboard, its panels, their clips and thumbnails."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import av
import pytest
from PIL import Image

from ai_content_pipeline.artifacts import Artifact, Kind, MediaInfo
from ai_content_pipeline.cost import CostEstimate
from ai_content_pipeline.engine.results import ItemError, ItemResult, ItemState, RunResult, StepResult

WIDTH, HEIGHT, FRAMES = 64, 36, 8
INFOS = {
    ".png": MediaInfo(Kind.IMAGE, "image/png", WIDTH, HEIGHT),
    ".webp": MediaInfo(Kind.IMAGE, "image/webp", WIDTH, HEIGHT),
    ".mp4": MediaInfo(Kind.VIDEO, "video/mp4", WIDTH, HEIGHT, FRAMES / 8, 8.0),
}
MOTIONS = ("Coffee cups steam", "Leaves fall", "Flour on nose", "Stars twinkle")

MakeFilm = Callable[..., RunResult]


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One real file of each kind, by suffix."""
    folder = tmp_path_factory.mktemp("media")
    files = {suffix: folder / f"sample{suffix}" for suffix in INFOS}
    still = Image.new("RGB", (WIDTH, HEIGHT), (200, 120, 40))
    still.save(files[".png"])
    still.save(files[".webp"])
    with av.open(str(files[".mp4"]), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_image(still)))
        container.mux(stream.encode(None))
    return files


@pytest.fixture
def place(media: dict[str, Path]) -> Callable[[Path], Artifact]:
    """Put a real file at a path, as its suffix says."""

    def put(path: Path) -> Artifact:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(media[path.suffix], path)
        data = path.read_bytes()
        return Artifact(hashlib.sha256(data).hexdigest(), len(data), INFOS[path.suffix])

    return put


@pytest.fixture
def film(tmp_path: Path, place: Callable[[Path], Artifact]) -> MakeFilm:
    """The love story of four scenes in `tmp_path`; `fail` is the index of a clip that has none."""

    def good(step: str, index: int, label: str, suffix: str, **fields: object) -> ItemResult:
        path = tmp_path / step / f"{label}{suffix}"
        artifact = place(path)
        kind = INFOS[suffix].kind
        return ItemResult(step, index, label, kind, ItemState.DONE, artifact, path, **fields)  # type: ignore[arg-type]

    def clip(index: int, fail: int | None) -> ItemResult:
        made = good(
            "clips",
            index,
            f"scene_{index + 1}",
            ".mp4",
            model="kling_2_6_pro",
            prompt=MOTIONS[index],
            params={"duration": "5"},
            seed=7,
            inputs=(f"scenes/scene_{index + 1}",),
            estimate=CostEstimate(Decimal("0.35"), second_hand=True),
            cost=Decimal("0.35"),
            reported=True,
            seconds=40.0 + index,
            started=21.5 + index / 100,
            source_urls=(f"https://cdn.example/{index}.mp4?X-Signature=secret",),
        )
        if index != fail:
            return made
        assert made.file is not None
        made.file.unlink()
        command = f"aicp redo demo.yaml {made.address}"
        error = ItemError("content_rejected", 6, "the vendor refused it", "change the prompt", command)
        return replace(
            made,
            state=ItemState.FAILED,
            artifact=None,
            file=None,
            error=error,
            cost=Decimal(0),
            source_urls=(),
        )

    def thumbnail(source: ItemResult) -> ItemResult:
        fields = {"inputs": (source.address,), "seconds": 0.02, "started": 70.0 + source.index}
        if source.state.good:
            return good("thumbnail_1", source.index, source.label, ".webp", **fields)
        error = ItemError("skipped", 1, f"{source.address} has no result, and this needs it")
        return ItemResult(
            "thumbnail_1",
            source.index,
            source.label,
            Kind.IMAGE,
            ItemState.SKIPPED,
            inputs=(source.address,),
            error=error,
        )

    def make(fail: int | None = None) -> RunResult:
        board = good(
            "storyboard",
            0,
            "storyboard_1",
            ".png",
            model="nano_banana_pro",
            prompt="A 2x2 grid",
            params={},
            cost=Decimal("0.15"),
            estimate=CostEstimate(Decimal("0.15")),
            seconds=21.0,
            started=0.0,
        )
        panels = [
            good("scenes", i, f"scene_{i + 1}", ".png", inputs=(board.address,), seconds=0.1, started=21.2)
            for i in range(4)
        ]
        clips = [clip(i, fail) for i in range(4)]
        steps = (
            StepResult("storyboard", "text_to_image", "nano_banana_pro", False, 1, (board,)),
            StepResult("scenes", "split_image", None, False, 1, tuple(panels)),
            StepResult("clips", "image_to_video", "kling_2_6_pro", True, 4, tuple(clips)),
            StepResult("thumbnail_1", "thumbnail", None, False, 1, tuple(map(thumbnail, clips))),
        )
        return RunResult(
            run_id="20261121-7f3a",
            pipeline="love_story",
            file=tmp_path.parent / "pipelines" / "demo.yaml",
            draft=False,
            output_dir=tmp_path,
            started=datetime(2026, 11, 21, 14, 3, 12, tzinfo=UTC),
            seconds=73.5,
            steps=steps,
            exit_code=0 if fail is None else 7,
            spent=Decimal("1.55") if fail is None else Decimal("1.20"),
            cap=Decimal("5.00"),
            resume_with=None if fail is None else "aicp run-chain demo.yaml",
        )

    return make
