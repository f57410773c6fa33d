"""The draft renderer as a provider: what it draws for each task, and that it stops when nobody waits."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from ai_content_pipeline import catalog
from ai_content_pipeline.artifacts import SUFFIXES, Artifact, Frame, Kind, Role
from ai_content_pipeline.errors import Interrupted
from ai_content_pipeline.generation.artifact_store import hash_file
from ai_content_pipeline.jobs import Failed, Handle, JobRequest, JobStatus, Json, Succeeded, Task
from ai_content_pipeline.media.encode import RATE, encode_video
from ai_content_pipeline.media.playback import pictures, read_clip
from ai_content_pipeline.media.probe import probe
from ai_content_pipeline.media.sound import pieces
from ai_content_pipeline.media.video import frame
from ai_content_pipeline.providers.draft import DraftProvider
from ai_content_pipeline.providers.protocol import Surroundings


@dataclass
class Desk:
    """A draft provider, and the stored files that it works on."""

    root: Path
    detached: threading.Event

    def __post_init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.scratch = self.root / "scratch"
        self.provider = DraftProvider(Surroundings({}, self.scratch, self.files.__getitem__, self.detached))

    def store(self, path: Path) -> Artifact:
        info = probe(path)
        artifact = Artifact(hash_file(path), path.stat().st_size, info)
        target = self.root / f"{artifact.sha256}{SUFFIXES[info.media_type]}"
        target.write_bytes(path.read_bytes())
        self.files[artifact.sha256] = target
        return artifact

    def handle(
        self,
        task: Task,
        *inputs: Artifact,
        prompt: str | None = None,
        seed: int = 1,
        role: Role = Role.INPUT,
        references: tuple[Artifact, ...] = (),
        **params: Json,
    ) -> Handle:
        model = catalog.model_of(catalog.DRAFT, "draft", task)
        given = {key: files for key, files in ((role, inputs), (Role.REFERENCE, references)) if files}
        request = JobRequest(model, prompt, params, given)
        uploads = {
            key: tuple(self.provider.upload(one, Path()) for one in files) for key, files in given.items()
        }
        return self.provider.submit(self.provider.wire(request, uploads, seed), "k" * 64)

    def draw(self, task: Task, *inputs: Artifact, **asked: Any) -> Path:
        answer = self.provider.poll(self.handle(task, *inputs, **asked))
        assert isinstance(answer, Succeeded), answer
        (output,) = answer.outputs
        assert output.path is not None
        return output.path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, threading.Event())


def park(size: tuple[int, int] = (96, 54)) -> Image.Image:
    """A picture that has something in every corner."""
    image = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (image, image.transpose(Image.Transpose.ROTATE_180), image))


@pytest.fixture
def picture(desk: Desk) -> Artifact:
    park().save(desk.root / "a.png")
    return desk.store(desk.root / "a.png")


@pytest.fixture
def clip(desk: Desk) -> Artifact:
    """A second and a half at 30000/1001 frames a second, with a hum."""
    fps = Fraction(30_000, 1001)

    def hum() -> Iterator[bytes]:
        while True:
            yield array("h", ([8000] * 160 + [-8000] * 160) * (RATE // 4800)).tobytes()

    frames = [ImageChops.offset(park(), step, 0) for step in range(45)]
    encode_video(frames, desk.root / "a.mp4", fps=fps, sound=hum())
    return desk.store(desk.root / "a.mp4")


def unlike(a: Image.Image, b: Image.Image) -> float:
    """The mean difference of two pictures of one size, in levels of 255."""
    difference = ImageChops.difference(a.convert("RGB"), b.convert("RGB").resize(a.size))
    return sum(ImageStat.Stat(difference).mean) / 3


def test_a_picture_is_really_enlarged(desk: Desk, picture: Artifact) -> None:
    """The same picture with so many times the pixels, twice by default."""
    for params, size in (({}, (192, 108)), ({"upscale_factor": 3}, (288, 162))):
        with Image.open(desk.draw(Task.UPSCALE, picture, **params)) as image:
            assert (image.size, image.format) == (size, "PNG")
            assert unlike(image, park().resize(size, Image.Resampling.LANCZOS)) == 0


def test_a_video_is_enlarged_with_its_rate_its_length_and_its_sound(desk: Desk, clip: Artifact) -> None:
    """What comes out is a video, because one went in; every frame is the input's, larger."""
    made = read_clip(desk.draw(Task.UPSCALE, clip))
    given = read_clip(desk.files[clip.sha256])
    assert (made.width, made.height) == (192, 108)
    assert (made.fps, made.seconds, made.sound) == (given.fps, given.seconds, True)
    pairs = zip(pictures(given, given.fps), pictures(made, made.fps), strict=True)
    assert max(unlike(large, small) for small, large in pairs) < 4
    piece = array("h", b"".join(pieces(made.path, made.fps, 0, 45)))
    assert sum(map(abs, piece)) / len(piece) == pytest.approx(8000, rel=0.1)


def test_a_silent_video_stays_silent(desk: Desk) -> None:
    """No sound track is added."""
    encode_video([park()] * 3, desk.root / "s.mp4", fps=8)
    assert not read_clip(desk.draw(Task.UPSCALE, desk.store(desk.root / "s.mp4"))).sound


def test_too_large_is_a_failure_in_words(desk: Desk, picture: Artifact) -> None:
    """Nothing is drawn that no machine can hold."""
    for factor in (300, 80_000):
        answer = desk.provider.poll(desk.handle(Task.UPSCALE, picture, upscale_factor=factor))
        assert isinstance(answer, Failed)
        assert "at most 64 megapixels" in answer.message


def test_an_edit_is_the_picture_in_another_light(desk: Desk, picture: Artifact) -> None:
    """Its own contents, darker at night; every seed has its own version, the same seed the same one."""

    def edit(prompt: str, seed: int = 1) -> Image.Image:
        path = desk.draw(Task.IMAGE_TO_IMAGE, picture, prompt=prompt, seed=seed, size="96x54")
        with Image.open(path) as image:
            return image.convert("RGB")

    plain, night = edit("With a red hat"), edit("The same at night")
    assert plain.size == (96, 54)
    assert unlike(plain, park()) < 20
    assert ImageStat.Stat(night.convert("L")).mean[0] < 0.6 * ImageStat.Stat(plain.convert("L")).mean[0]
    assert unlike(plain, edit("With a red hat")) == 0
    assert unlike(plain, edit("With a red hat", seed=2)) > 1


@pytest.mark.parametrize("task", [Task.TEXT_TO_VIDEO, Task.UPSCALE])
def test_drawing_stops_when_nobody_waits(desk: Desk, clip: Artifact, task: Task) -> None:
    """Between two frames; what is half drawn is removed, and asked again it is drawn."""
    inputs = (clip,) if task is Task.UPSCALE else ()
    handle = desk.handle(task, *inputs, prompt="A harbour", duration=1, size="64x48")
    heard = _After(desk.detached, looks=5)
    provider = DraftProvider(Surroundings({}, desk.scratch, desk.files.__getitem__, heard))
    with pytest.raises(Interrupted):
        provider.poll(handle)
    assert heard.looks == 0
    assert list(desk.scratch.iterdir()) == []
    answer: JobStatus = desk.provider.poll(handle)
    assert isinstance(answer, Succeeded)
    assert [probe(path.path).kind for path in answer.outputs if path.path] == [Kind.VIDEO]


class _After(threading.Event):
    """Is set when it was looked at so many times."""

    def __init__(self, other: threading.Event, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks <= 0


@pytest.mark.parametrize("task", [task for task in Task if task is not Task.UPSCALE])
def test_every_task_shows_its_references(desk: Desk, picture: Artifact, task: Task) -> None:
    """Whatever is drawn from words or from a picture takes on the colour of its reference."""
    redness = []
    for color in ("red", "blue"):
        Image.new("RGB", (40, 40), color).save(desk.root / f"{color}.png")
        kept = desk.store(desk.root / f"{color}.png")
        role = Role.START if task is Task.IMAGE_TO_VIDEO else Role.INPUT
        given = () if task.value.startswith(("text", "reference")) else (picture,)
        made = desk.draw(
            task, *given, prompt="a house", role=role, references=(kept,), duration=0.2, size="96x54"
        )
        image = frame(made, Frame.FIRST) if task.makes is Kind.VIDEO else Image.open(made)
        red, _, blue = ImageStat.Stat(image.convert("RGB")).mean
        redness.append(red - blue)
    assert redness[0] > redness[1] + 60
