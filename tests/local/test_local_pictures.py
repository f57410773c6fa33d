"""SDXL on this machine: words to pictures, pictures to pictures, and a subject kept over scenes."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageChops

pytest.importorskip("torch")  # an extra: `make test-local` installs it and runs these

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.errors import ConfigurationError, NotAccepted, UsageError
from ai_content_pipeline.jobs import Failed, Reason, Task

T2I, I2I = Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE
QUICK: dict[str, Any] = {"num_inference_steps": 2}


def park(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture that has something in every corner."""
    image = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (image, image.transpose(Image.Transpose.ROTATE_180), image))


def apart(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of two pictures, in levels of 255."""
    return max(high for _, high in ImageChops.difference(one, other).convert("RGB").getextrema())


def change(gpu: Any, **params: Any) -> Any:
    given = {Role.INPUT: (gpu.store(park()),)}
    return gpu.make("sdxl", I2I, inputs=given, **params)


def test_the_same_seed_is_the_same_picture(gpu: Any, still: Any) -> None:
    """A picture hangs on words and seed and nothing else, in this process and the next."""
    first = gpu.picture("sdxl", T2I, seed=5, **QUICK)
    assert first.size == (64, 64)  # what the folder's own configuration says
    assert first.tobytes() == gpu.picture("sdxl", T2I, seed=5, **QUICK).tobytes()
    assert apart(first, gpu.picture("sdxl", T2I, seed=6, **QUICK)) > 0
    assert apart(first, gpu.picture("sdxl", T2I, "Ein Fluß, 恋人, 🦊", seed=5, **QUICK)) > 0
    later = gpu.another()
    status = later.poll(gpu.submit("sdxl", T2I, seed=5, **QUICK))
    assert still(status).tobytes() == first.tobytes()
    later.close()


@pytest.mark.parametrize("size", [(64, 64), (70, 50), (33, 97)])
def test_a_picture_has_the_size_asked_for(gpu: Any, size: tuple[int, int]) -> None:
    """Also where the model works on blocks: it draws more, and the edges are cut."""
    assert gpu.picture("sdxl", T2I, width=size[0], height=size[1], **QUICK).size == size
    given = {Role.INPUT: (gpu.store(park()),)}
    assert gpu.picture("sdxl", I2I, inputs=given, width=size[0], height=size[1], **QUICK).size == size


def test_several_pictures_of_one_request_differ(gpu: Any, still: Any) -> None:
    """Each has the next seed, so each can be had alone as well."""
    status = gpu.make("sdxl", T2I, seed=5, outputs=3, num_images=3, **QUICK)
    drawn = [still(status, number) for number in range(3)]
    alone = [gpu.picture("sdxl", T2I, seed=5 + number, **QUICK) for number in range(3)]
    assert all(apart(one, other) <= 1 for one, other in zip(drawn, alone, strict=True))
    assert apart(drawn[0], drawn[1]) > 1


def test_a_changed_picture_keeps_its_shape(gpu: Any, still: Any) -> None:
    """The size comes from the picture's aspect ratio at the model's area, in whole blocks."""
    assert still(change(gpu, **QUICK)).size == (64, 48)  # 96x64 at 64x64 pixels


def test_strength_decides_how_many_steps_run(gpu: Any) -> None:
    """Values are used as they are given, and what really ran is said."""
    assert "denoise_strength 0.7: 17 of 25 steps were run" in change(gpu, denoise_strength=0.7).notes
    status = change(gpu, denoise_strength=0.15, num_inference_steps=6)
    assert "denoise_strength 0.15: 1 of 6 steps were run" in status.notes


def test_a_half_is_usual(gpu: Any, still: Any) -> None:
    """Without denoise_strength half of the picture is drawn anew."""
    usual = change(gpu, num_inference_steps=4)
    assert "denoise_strength 0.5: 2 of 4 steps were run" in usual.notes
    assert still(usual).tobytes() == still(change(gpu, num_inference_steps=4, denoise_strength=0.5)).tobytes()


def test_the_old_name_is_taken_with_a_warning(gpu: Any, still: Any) -> None:
    """reference_strength is 1 - denoise_strength, with one warning; the new name wins."""
    old = change(gpu, num_inference_steps=4, reference_strength=0.25)
    new = change(gpu, num_inference_steps=4, denoise_strength=0.75)
    assert still(old).tobytes() == still(new).tobytes()
    assert [note for note in old.notes if "deprecated" in note] == [
        "reference_strength is deprecated: write 'denoise_strength: 0.75'"
    ]
    assert not any("deprecated" in note for note in new.notes)
    both = change(gpu, num_inference_steps=4, reference_strength=0.9, denoise_strength=0.75)
    assert still(both).tobytes() == still(new).tobytes()


@pytest.mark.parametrize("strength", [1.0, 0.05, 0.03, 0.01])
def test_an_exact_copy_runs_six_steps_and_heeds_no_words(gpu: Any, still: Any, strength: float) -> None:
    """At most 0.05 is drawn anew, in 6 effective steps, without guidance and negative prompt."""
    how = {"exact_copy_mode": True, "denoise_strength": strength}
    status = change(gpu, **how)
    assert f"denoise_strength {min(strength, 0.05):g}: 6 of 6 steps were run" in status.notes
    other = change(gpu, negative_prompt="ugly", guidance_scale=12.0, **how)
    assert still(other).tobytes() == still(status).tobytes()


@pytest.mark.parametrize("how", [{}, {"exact_copy_mode": True}])
def test_strength_nought_is_the_picture_itself(gpu: Any, still: Any, how: dict[str, Any]) -> None:
    """Nothing is to be drawn, so no model is loaded, and not a pixel changes."""
    status = change(gpu, denoise_strength=0, **how)
    assert still(status).tobytes() == park().tobytes()
    assert gpu.provider._desk._residents == {}


def test_a_negative_prompt_counts(gpu: Any) -> None:
    """It does where there is guidance, and not without."""
    plain = gpu.picture("sdxl", T2I, **QUICK)
    assert apart(plain, gpu.picture("sdxl", T2I, negative_prompt="dogs", **QUICK)) > 0
    unguided = gpu.picture("sdxl", T2I, guidance_scale=1, **QUICK)
    other = gpu.picture("sdxl", T2I, guidance_scale=1, negative_prompt="dogs", **QUICK)
    assert unguided.tobytes() == other.tobytes()


def test_profiles_are_numbers_of_steps_unless_those_are_given(gpu: Any) -> None:
    """fast, balanced and quality differ in steps; what the user sets is used in each."""
    notes = {
        profile: change(gpu, profile=profile, denoise_strength=0.1).notes[-1].split()[-4]
        for profile in ("fast", "balanced", "quality")
    }
    assert notes == {"fast": "15", "balanced": "25", "quality": "40"}
    assert "2 steps" in change(gpu, profile="fast", **QUICK).notes[-1]


def test_a_prompt_that_is_too_long_is_told(gpu: Any) -> None:
    """CLIP reads 77 tokens; the rest has no effect, and people should know."""
    (note,) = gpu.make("sdxl", T2I, "very " * 40, **QUICK).notes
    assert note.startswith("SDXL reads 77 tokens of a prompt")
    assert gpu.make("sdxl", T2I, "short", **QUICK).notes == ()


# -- a subject -----------------------------------------------------------------------------------------


def counted(module: Any) -> list[int]:
    """Grows by one each time a part of a model is called."""
    calls: list[int] = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_a_subject_is_encoded_once_and_shown_in_every_scene(gpu: Any) -> None:
    """Reference pictures change a scene, and their encoder runs once for all scenes that show them."""
    plain = gpu.picture("sdxl", T2I, **QUICK)
    subject = {Role.REFERENCE: (gpu.store(park()), gpu.store(park((40, 40)), "b.png"))}
    first = gpu.picture("sdxl", T2I, inputs=subject, **QUICK)
    assert apart(plain, first) > 0
    (model,) = gpu.provider._desk._residents.values()
    calls = counted(model.words.image_encoder)
    for scene in range(3):
        gpu.picture("sdxl", T2I, f"scene {scene}", inputs=subject, **QUICK)
    given = {**subject, Role.INPUT: (gpu.store(park((64, 64)), "c.png"),)}
    gpu.picture("sdxl", I2I, inputs=given, **QUICK)
    assert calls == []
    gpu.picture("sdxl", T2I, inputs={Role.REFERENCE: (gpu.store(park((50, 40)), "d.png"),)}, **QUICK)
    assert len(calls) in (1, 2)  # the picture, and the empty one that guidance needs


def test_a_scene_without_a_subject_is_as_before(gpu: Any) -> None:
    """The adapter that other scenes use does not touch it; at scale 0 it touches none."""
    plain = gpu.picture("sdxl", T2I, **QUICK)
    changed = gpu.picture("sdxl", I2I, inputs={Role.INPUT: (gpu.store(park()),)}, **QUICK)
    subject = {Role.REFERENCE: (gpu.store(park()),)}
    assert apart(plain, gpu.picture("sdxl", T2I, inputs=subject, **QUICK)) > 0
    assert plain.tobytes() == gpu.picture("sdxl", T2I, **QUICK).tobytes()
    again = gpu.picture("sdxl", I2I, inputs={Role.INPUT: (gpu.store(park()),)}, **QUICK)
    assert changed.tobytes() == again.tobytes()
    silent = gpu.picture("sdxl", T2I, inputs=subject, reference_scale=0, **QUICK)
    assert plain.tobytes() == silent.tobytes()


# -- what cannot be ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"width": 64}, "width and height are given together"),
        ({"denoise_strength": 1.5}, "denoise_strength is 1.5; it may be 0 to 1"),
        ({"denoise_strength": float("nan")}, "denoise_strength is no number"),
        ({"num_inference_steps": 2.5}, "num_inference_steps is 2.5, which is no whole number"),
        ({"profile": "best"}, "there is no profile 'best'"),
        ({"exact_copy_mode": "yes"}, "exact_copy_mode is neither true nor false"),
        ({"negative_prompt": 7}, "negative_prompt is no text"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(gpu: Any, params: dict[str, Any], words: str) -> None:
    """Also from a caller without a card; nothing is queued."""
    with pytest.raises(NotAccepted, match=words) as refused:
        gpu.submit("sdxl", T2I, **params)
    assert isinstance(refused.value.cause, UsageError)


def test_missing_parts_are_named_with_the_command(gpu: Any, tmp_path: Any) -> None:
    """Without weights nothing is accepted."""
    gpu.models = tmp_path / "models"
    gpu.provider = gpu.another()
    with pytest.raises(NotAccepted) as refused:
        gpu.submit("sdxl", T2I)
    assert isinstance(refused.value.cause, ConfigurationError)
    assert refused.value.hint == "aicp models pull sdxl"


def test_a_folder_without_an_adapter_draws_scenes_without_a_subject(gpu: Any, tmp_path: Any) -> None:
    """The rest of the model works, and the error says what is missing."""
    import shutil

    shutil.copytree(gpu.models / "sdxl", tmp_path / "m/sdxl", ignore=shutil.ignore_patterns("ip_adapter"))
    gpu.models = tmp_path / "m"
    gpu.provider = gpu.another()
    assert gpu.picture("sdxl", T2I, **QUICK).size == (64, 64)
    status = gpu.end(gpu.submit("sdxl", T2I, inputs={Role.REFERENCE: (gpu.store(park()),)}, **QUICK))
    assert isinstance(status, Failed)
    assert status.reason is Reason.CONFIGURATION
    assert "the IP-Adapter weights of sdxl" in status.message
    assert "aicp models pull sdxl" in status.message
    assert gpu.picture("sdxl", T2I, **QUICK).size == (64, 64)
