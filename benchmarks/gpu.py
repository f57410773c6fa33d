"""Local models at full size with random weights: ``python -m benchmarks.gpu`` on a machine with a GPU.

Weights cannot be judged by their pictures here, so nothing of quality is measured; the arithmetic is that of
the real architectures. The stock diffusers pipeline stands beside ours in one run. With ``--tiny`` the same
code runs small models anywhere: the numbers then say nothing but that it works.

Printed: seconds, TFLOP/s (counted by torch on the forward pass), the share of this card's matrix rate as
measured in the same run, and the peak of its memory.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

_ROUNDS = 3
_USUAL_STEPS = 40  # of a clip: its time is that of so many steps, and of what one step's clip takes
_STEPS = 4  # of which the first, with what it compiles, is not counted


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes of one run: pixels, frames, steps, pictures a pass, and a matrix's side."""

    device: str
    tiny: bool

    @property
    def clip(self) -> tuple[int, int, int]:
        return (48, 32, 9) if self.tiny else (832, 480, 81)

    @property
    def picture(self) -> int:
        return 64 if self.tiny else 1024

    @property
    def picture_steps(self) -> int:
        return 5 if self.tiny else 25

    @property
    def matrix(self) -> int:
        return 512 if self.tiny else 8192


def synchronize(scale: Scale) -> None:
    import torch

    if scale.device == "cuda":
        torch.cuda.synchronize()


def seconds(scale: Scale, run: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """The median of `rounds` (one of small models), after one that is not counted."""
    times = []
    for _ in range(2 if scale.tiny else rounds + 1):
        synchronize(scale)
        began = time.perf_counter()
        run()
        synchronize(scale)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def matrix_rate(scale: Scale) -> float:
    """TFLOP/s of a large matrix product, in the type that models use."""
    import torch

    side = scale.matrix
    kind = torch.bfloat16 if scale.device == "cuda" else torch.float32
    one, other = (torch.randn(side, side, device=scale.device, dtype=kind) for _ in range(2))
    return 2 * side**3 / seconds(scale, lambda: one @ other, 10) / 1e12


def flops(module: Any, run: Callable[[], object]) -> float:
    """What torch counts of one forward pass of `module` while `run` runs."""
    from torch.utils.flop_counter import FlopCounterMode

    counted: list[float] = []
    forward = module.forward

    def counting(*arguments: Any, **how: Any) -> Any:
        if counted:
            return forward(*arguments, **how)
        with FlopCounterMode(display=False) as counter:
            made = forward(*arguments, **how)
        counted.append(counter.get_total_flops())
        return made

    module.forward = counting
    try:
        run()
    finally:
        module.forward = forward
    return counted[0]


class Steps:
    """The time of each denoising step but the first, through the pipeline's own callback."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale
        self._marks: list[float] = []

    def __call__(self, pipeline: Any, step: int, moment: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        synchronize(self._scale)
        self._marks.append(time.perf_counter())
        return tensors

    @property
    def median(self) -> float:
        return statistics.median(
            after - before for before, after in zip(self._marks, self._marks[1:], strict=False)
        )


def peak(scale: Scale) -> str:
    import torch

    if scale.device != "cuda":
        return "-"
    found = torch.cuda.max_memory_allocated() / 1e9
    torch.cuda.reset_peak_memory_stats()
    return f"{found:.1f} GB"


def row(name: str, took: float, tera: float | None, rate: float, memory: str = "-") -> None:
    speed = "" if tera is None else f"{tera / took:9.3f} {100 * tera / took / rate:6.1f} %"
    print(f"{name:52} {took:9.3f} s {speed:>18} {memory:>9}", flush=True)


# -- what is measured ----------------------------------------------------------------------------------


def wan(scale: Scale, folder: Path, rate: float) -> None:
    """Wan I2V 14B: a step of the stock pipeline and of each profile of ours, and a clip of four steps."""
    from ai_content_pipeline.providers.local.machine import Machine

    machine, tera = Machine(scale.device, "bench"), 0.0
    profiles = {"quality": "stock diffusers", "balanced": "ours, balanced", "fast": "ours, fast"}
    for profile, name in profiles.items():
        tera = one_wan(scale, folder, rate, (profile, name), tera)
        machine.tidy()  # before the next one needs the room


def one_wan(scale: Scale, folder: Path, rate: float, which: tuple[Any, str], tera: float) -> float:
    """One profile in memory. `tera`: of a forward pass, where that was counted before; returned."""
    from ai_content_pipeline.providers.local.loading import load_wan
    from ai_content_pipeline.providers.local.machine import Machine, Offload

    (profile, name), (width, height, frames) = which, scale.clip
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    pipeline = load_wan(folder, "wan_i2v", Machine(scale.device, "bench"), profile, Offload.NONE)
    pipeline.to(scale.device)

    def clip(steps: int, guidance: float, told: Any = None) -> Any:
        return pipeline(
            image=picture,
            prompt="a cat walks",
            width=width,
            height=height,
            num_frames=frames,
            num_inference_steps=steps,
            guidance_scale=guidance,
            output_type="pt",
            callback_on_step_end=told or Steps(scale),
        ).frames

    tera = tera or flops(pipeline.transformer, lambda: clip(1, 1.0)) / 1e12
    told = Steps(scale)
    clip(_STEPS, 5.0, told)
    row(f"Wan I2V step with guidance, {name}", told.median, 2 * tera, rate, peak(scale))
    usual = told.median * _USUAL_STEPS + seconds(scale, lambda: clip(1, 1.0), 1)
    row(f"Wan I2V clip, {_USUAL_STEPS} steps (counted), {name}", usual, 2 * tera * _USUAL_STEPS, rate)
    took = seconds(scale, lambda: clip(4, 1.0), 1)
    row(f"Wan I2V clip, 4 steps unguided, {name}", took, 4 * tera, rate, peak(scale))
    if profile == "balanced":
        decode(scale, pipeline, rate)
        encode(scale, clip(1, 1.0)[0], rate)
    return tera


def decode(scale: Scale, pipeline: Any, rate: float) -> None:
    """The video autoencoder alone, both ways."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    width, height, frames = scale.clip
    video = torch.zeros(1, 3, frames, height, width, device=scale.device, dtype=pipeline.vae.dtype)
    with torch.no_grad():
        latents = pipeline.vae.encode(video).latent_dist.mode()
        for name, run in (
            ("encode", lambda: pipeline.vae.encode(video)),
            ("decode", lambda: pipeline.vae.decode(latents)),
        ):
            with FlopCounterMode(display=False) as counter:
                run()
            tera = counter.get_total_flops() / 1e12
            row(f"Wan VAE {name} (32 bits)", seconds(scale, run), tera, rate, peak(scale))


def sdxl(scale: Scale, folder: Path, rate: float, batches: tuple[int, ...]) -> None:
    """SDXL at its own size, 25 steps, one and several at once."""
    import torch

    from ai_content_pipeline.providers.local.loading import load_sdxl
    from ai_content_pipeline.providers.local.machine import Machine

    pipeline, _ = load_sdxl(folder, Machine(scale.device, "bench"))
    pipeline.to(scale.device)

    def draw(count: int, steps: int) -> Any:
        return pipeline(
            prompt=["a cat"] * count,
            generator=[torch.Generator("cpu").manual_seed(number) for number in range(count)],
            width=scale.picture,
            height=scale.picture,
            num_inference_steps=steps,
            output_type="pt",
        ).images

    tera = flops(pipeline.unet, lambda: draw(1, 1)) / 1e12  # guidance makes it two
    for count in batches:
        took = seconds(scale, lambda count=count: draw(count, scale.picture_steps), 1)
        name = f"SDXL {scale.picture} px, {scale.picture_steps} steps, {count} at once"
        row(name, took, scale.picture_steps * count * tera, rate, peak(scale))


def encode(scale: Scale, tensor: Any, rate: float) -> None:
    """From the GPU's colours to a file."""
    from fractions import Fraction

    from ai_content_pipeline.media.encode import encode_video
    from ai_content_pipeline.providers.local.made import Frames, bytes_of

    row("colours to bytes", seconds(scale, lambda: bytes_of(tensor)), None, rate)
    frames = Frames(bytes_of(tensor))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        took = seconds(scale, lambda: encode_video(frames, path, fps=Fraction(16)))
    row(f"mp4 of {len(frames)} frames", took, None, rate)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small models, on whatever there is")
    parser.add_argument("--folder", type=Path, help="where the random weights are written and kept")
    parser.add_argument("--batches", default="1,4", help="pictures in one pass of SDXL")
    asked = parser.parse_args(arguments)
    import torch

    from benchmarks.architectures import build

    if not torch.cuda.is_available() and not asked.tiny:
        print("no GPU that PyTorch can use; --tiny shows that the benchmark itself works", file=sys.stderr)
        return 4
    if asked.tiny:
        torch.set_num_threads(1)  # so small models gain nothing by more, which then wait for one another
    scale = Scale("cuda" if torch.cuda.is_available() else "cpu", asked.tiny)
    card = torch.cuda.get_device_name() if scale.device == "cuda" else "no GPU"
    with TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        build(folder, small=asked.tiny)
        rate = matrix_rate(scale)
        print(f"{card}, torch {torch.__version__}, matrix rate {rate:.3f} TFLOP/s")
        print(f"{'':52} {'':>11} {'TFLOP/s':>9} {'of it':>8} {'memory':>9}")
        batches = tuple(int(count) for count in asked.batches.split(","))
        sdxl(scale, folder / "sdxl", rate, batches)
        wan(scale, folder / "wan", rate)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
