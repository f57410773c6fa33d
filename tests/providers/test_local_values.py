"""What local models are told, decided without any GPU library: strengths, sizes, folders of weights."""

from __future__ import annotations

import json
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.catalog import local
from ai_content_pipeline.cli.app import run_app
from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.providers import registry
from ai_content_pipeline.providers.local import wan, weights
from ai_content_pipeline.providers.local.asked import IMAGE_DENOISE, VIDEO_DENOISE, Asked
from ai_content_pipeline.providers.local.fitting import covering
from ai_content_pipeline.providers.local.strength import copying, modifying
from ai_content_pipeline.providers.protocol import Surroundings


def diffusers_runs(scheduled: int, strength: float) -> int:
    """The steps that diffusers draws of a schedule."""
    return min(int(scheduled * strength), scheduled)


@given(st.floats(0, 1), st.none() | st.integers(1, 500))
def test_a_copy_runs_six_to_ten_effective_steps(strength: float, steps: int | None) -> None:
    """At most 0.05; fewer steps only where there are fewer noise levels; the schedule gives just those."""
    found = copying(strength, steps)
    assert found.strength <= 0.05
    assert 6 <= found.steps <= 10
    assert found.run == min(found.steps, int(found.strength * 1000))
    assert found.scheduled <= 1000
    if found.run:
        assert diffusers_runs(found.scheduled, found.strength) == found.run


@given(st.floats(0, 1), st.integers(1, 500))
def test_a_change_takes_the_values_as_they_are(strength: float, steps: int) -> None:
    """Nothing is clamped; where diffusers would draw nothing of something, one step is drawn."""
    found = modifying(strength, steps)
    assert (found.strength, found.steps) == (strength, steps)
    assert found.run == diffusers_runs(found.scheduled, strength)
    assert found.run == diffusers_runs(steps, strength) or found.run == 1
    assert (found.run == 0) == (strength < 0.001 and int(steps * strength) == 0)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_canvas_covers_what_comes_out(width: int, height: int) -> None:
    """In whole blocks, and none too many."""
    for side, asked in zip(covering((width, height)), (width, height), strict=True):
        assert side % 16 == 0
        assert asked <= side < asked + 16


def asked(**params: Any) -> Asked:
    payload: dict[str, Any] = {"task": "text_to_video", "prompt": "", "seed": 1, "outputs": 1, "files": {}}
    return Asked.read("wan2.1_t2v_1.3b", {**payload, "params": params})


def test_a_clip_that_says_nothing_is_as_documented() -> None:
    """81 frames at 16 a second, guidance 5.0, 832x480 to the nearest whole blocks; and that is 5.0625 s."""
    clip = wan.prepare(asked(), Path(), "wan_t2v", 480 * 832, Path)
    assert (clip.asked.frames, clip.asked.fps, clip.guidance) == (81, 16, 5.0)
    assert clip.facts["duration_seconds"] == 5.0625
    assert clip.size == (832, 480)
    assert clip.notes == ("81 frames at 16 a second: 5.0625 s",)


def test_a_picture_that_says_nothing_is_as_documented() -> None:
    """Half of a picture, an eighth and a bit of a clip is drawn anew; a copy draws at most a twentieth."""
    assert (IMAGE_DENOISE, VIDEO_DENOISE) == (0.5, 0.15)
    assert copying(IMAGE_DENOISE, None) == copying(0.05, 6)


@pytest.mark.parametrize(
    ("params", "strength", "outdated"),
    [
        ({}, None, False),
        ({"denoise_strength": 0.3}, 0.3, False),
        ({"reference_strength": 0.85}, 0.15, True),
        ({"reference_strength": 0.9, "denoise_strength": 0.3}, 0.3, True),
    ],
)
def test_the_new_name_of_strength_wins(params: Any, strength: float | None, outdated: bool) -> None:
    """The old one is 1 minus it."""
    found = asked(**params)
    assert (found.denoise, found.outdated) == (strength, outdated)


@pytest.mark.parametrize("key", local.keys())
def test_a_card_pulls_no_pickle(key: str) -> None:
    """Its patterns name only safetensors and data, and a commit: nothing else can be published into them."""
    needs = local.load(key).local
    assert needs is not None
    for one in needs.weights:
        assert re.fullmatch("[0-9a-f]{40}", one.revision)
        assert all(name.endswith((".safetensors", ".json", ".txt", ".model")) for name in one.files)


# -- where weights lie ---------------------------------------------------------------------------------


def test_the_folder_of_models_can_be_set() -> None:
    """AICP_MODELS_DIR, else where the system keeps such data."""
    assert weights.folder_of({"AICP_MODELS_DIR": "/srv/models"}) == Path("/srv/models")
    assert weights.folder_of({"XDG_DATA_HOME": "/data"}) == Path("/data/aicp/models")
    assert weights.folder_of({"HOME": "/home/ada"}) == Path("/home/ada/.local/share/aicp/models")


def tensors(**spans: tuple[int, int]) -> bytes:
    """A safetensors file of bytes at those places."""
    header = json.dumps(
        {name: {"dtype": "U8", "shape": [b - a], "data_offsets": [a, b]} for name, (a, b) in spans.items()}
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(max((b for _, b in spans.values()), default=0))


def model(folder: Path, *, name: str = "StableDiffusionXLPipeline", **parts: Any) -> Path:
    """A folder in diffusers' layout with one part, ``unet``."""
    (folder / "sdxl/unet").mkdir(parents=True)
    index = {"_class_name": name, "unet": ["diffusers", "UNet2DConditionModel"], **parts}
    (folder / "sdxl/model_index.json").write_text(json.dumps(index))
    (folder / "sdxl/unet/diffusion_pytorch_model.safetensors").write_bytes(tensors(a=(0, 4), b=(4, 8)))
    return folder / "sdxl"


def refused(folder: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as error:
        weights.find(folder, "sdxl")
    return error.value


def test_sound_weights_are_found(tmp_path: Path) -> None:
    """The folder's own configuration says what it holds."""
    assert weights.find(tmp_path, model(tmp_path).name) == tmp_path / "sdxl"
    assert weights.family_of(tmp_path / "sdxl") == "sdxl"


def test_missing_weights_name_the_command(tmp_path: Path) -> None:
    """One of ours can be pulled; for any other it says what goes there, and names none outside the folder."""
    error = refused(tmp_path)
    assert error.message == f"the weights of sdxl are not in {tmp_path / 'sdxl'}"
    assert (error.hint, error.exit_code) == ("aicp models pull sdxl", 4)
    with pytest.raises(ConfigurationError) as own:
        weights.find(tmp_path, "my_model")
    assert "diffusers' layout" in str(own.value.hint)
    with pytest.raises(ConfigurationError, match="no name of a local model"):
        weights.find(tmp_path, "../sdxl")


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "model.ckpt", "m.pt", "m.Safetensors"])
def test_weights_that_could_run_code_are_not_read(tmp_path: Path, name: str) -> None:
    """Pickles, and a suffix in other letters that libraries read as one."""
    folder = model(tmp_path)
    (folder / "unet/diffusion_pytorch_model.safetensors").rename(folder / "unet" / name)
    assert "could run code" in refused(tmp_path).message


def test_a_pickle_by_the_name_of_safetensors_is_not_read(tmp_path: Path) -> None:
    """Content decides, not the name."""
    import pickle

    path = model(tmp_path) / "unet/diffusion_pytorch_model.safetensors"
    path.write_bytes(pickle.dumps({"a": list(range(100))}))
    assert "no sound safetensors file" in refused(tmp_path).message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 9) + b'{"a": {}}',
        tensors(a=(0, 8), b=(4, 8)),
        tensors(a=(0, 4), b=(6, 8)),
        tensors(a=(0, 8))[:-1],
        tensors(a=(0, 8)) + b"more",
        struct.pack("<Q", 4000) + b"[" * 4000,
    ],
    ids=["empty", "short", "bomb", "list", "null", "bare", "overlap", "gap", "cut", "longer", "deep"],
)
def test_a_damaged_or_hostile_header_is_refused(tmp_path: Path, data: bytes) -> None:
    """Header bombs, overlapping tensors and truncation are found before anything is allocated."""
    path = model(tmp_path) / "unet/diffusion_pytorch_model.safetensors"
    path.write_bytes(data)
    error = refused(tmp_path)
    assert str(path) in error.message
    assert "no sound safetensors file" in error.message


def test_shards_lie_in_their_folder(tmp_path: Path) -> None:
    """An index that points elsewhere, or at what is missing, is refused."""
    folder = model(tmp_path)
    listing = folder / "unet/diffusion_pytorch_model.safetensors.index.json"
    for name, words in (("../../x.safetensors", "outside its folder"), ("gone.safetensors", "is missing")):
        listing.write_text(json.dumps({"weight_map": {"a": name}}))
        assert words in refused(tmp_path).message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "CustomPipeline"}, "holds a CustomPipeline, which is not run here"),
        ({"unet": ["evil_module", "Thing"]}, "names code outside diffusers and transformers"),
    ],
)
def test_a_folder_cannot_bring_code_of_its_own(tmp_path: Path, changes: Any, words: str) -> None:
    """Only the published classes are built."""
    model(tmp_path, **changes)
    assert words in refused(tmp_path).message


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_an_index_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever stands in model_index.json."""
    (model(tmp_path) / "model_index.json").write_text(text)
    assert "model_index.json" in refused(tmp_path).message


def test_without_the_extra_the_install_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 4, before anything runs."""
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError) as error:
        registry.PROVIDERS["diffusers"](Surroundings({}, tmp_path, tmp_path.joinpath))
    assert error.value.exit_code == 4
    assert "pip install 'ai-content-pipeline[diffusers]'" in str(error.value.hint)


def test_a_pipeline_without_the_extra_ends_with_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 4, nothing written, and no traceback."""
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).parents[2] / "input/pipelines/local/love_story.yaml", tmp_path)
    assert run_app(["run-chain", "love_story.yaml"]) == 4
    assert "pip install 'ai-content-pipeline[diffusers]'" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()
