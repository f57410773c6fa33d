"""Models of the real classes with a few thousand random weights: the same code runs in a tenth of a second.

Their pictures show nothing. They are there for tests and for trying a pipeline out before a download.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_content_pipeline.providers.local import tiny_wan
from ai_content_pipeline.providers.local.loading import quiet
from ai_content_pipeline.providers.local.weights import ADAPTER, LORA

_WIDTH = 32  # of a text encoder
_EMBEDDING = 16  # of a reference picture
_TOKENS = 4  # that a reference picture comes to


def build_all(models: Path) -> None:
    """A folder for each local model of the catalogue."""
    build_sdxl(models / "sdxl")
    kinds: dict[str, tiny_wan.Kind] = {
        "wan2.1_i2v_14b_480p": "i2v",
        "wan2.1_i2v_14b_720p": "i2v",
        "wan2.1_flf2v_14b": "flf2v",
        "wan2.1_vace_1.3b": "vace",
        "wan2.1_vace_14b": "vace",
        "wan2.1_t2v_1.3b": "t2v",
    }
    for key, kind in kinds.items():
        build_wan(models / key, kind)


def build_sdxl(folder: Path, widths: tuple[int, int] = (_WIDTH, _WIDTH)) -> None:
    """SDXL at 64 pixels, with an IP-Adapter beside it. `widths` are those of its text encoders."""
    quiet()
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    torch.manual_seed(0)
    first, second = _clip_tokenizer("<|endoftext|>"), _clip_tokenizer("!")
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )
    pipeline = StableDiffusionXLPipeline(
        unet=_unet(*widths),
        vae=_vae(),
        text_encoder=_clip_text(first, widths[0], projected=False),
        text_encoder_2=_clip_text(first, widths[1], projected=True),
        tokenizer=first,
        tokenizer_2=second,
        scheduler=scheduler,
        add_watermarker=False,
    )
    pipeline.save_pretrained(folder)
    _build_adapter(pipeline.unet, folder / ADAPTER)


def build_wan(folder: Path, kind: tiny_wan.Kind, width: int = _WIDTH) -> None:
    """A Wan model of one kind; its autoencoder keeps the real factors, 4 in time and 8 in space. `width` is
    that of its text encoder."""
    quiet()
    import torch
    from diffusers import (
        UniPCMultistepScheduler,
        WanImageToVideoPipeline,
        WanPipeline,
        WanVACEPipeline,
    )

    torch.manual_seed(0)
    parts: dict[str, Any] = {
        **tiny_wan.words(width),
        "transformer": tiny_wan.transformer(kind, width),
        "vae": tiny_wan.autoencoder(),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    }
    if kind in ("t2v", "vace"):
        pipeline = (WanPipeline if kind == "t2v" else WanVACEPipeline)(**parts)
    else:
        pipeline = WanImageToVideoPipeline(**parts, **tiny_wan.vision())
    pipeline.save_pretrained(folder)


def build_few_step_lora(folder: Path) -> None:
    """A LoRA for the Wan model in `folder`, of random weights, where a few-step one would lie."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(3)
    names = (f"transformer.blocks.{block}.attn1.to_{part}" for block in (0, 1) for part in "qkv")
    tensors = {}
    for name in names:
        tensors[f"{name}.lora_A.weight"] = torch.randn(4, 24, generator=generator) * 0.3
        tensors[f"{name}.lora_B.weight"] = torch.randn(24, 4, generator=generator) * 0.3
    save_file(tensors, str(folder / LORA))


# -- SDXL ----------------------------------------------------------------------------------------------


def _unet(first: int, second: int) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        transformer_layers_per_block=(1, 2),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + second,
        cross_attention_dim=first + second,
        norm_num_groups=4,
    )


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        latent_channels=4,
        sample_size=64,
        norm_num_groups=4,
        block_out_channels=(8, 8, 8, 8),  # four, for the real factor of 8
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        scaling_factor=0.13025,
        force_upcast=True,
    )


def _clip_tokenizer(padding: str) -> Any:
    """Every byte is a token, so that any text can be read."""
    from transformers import CLIPTokenizer

    plain = [byte for byte in range(256) if 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174]
    symbols = [chr(byte) for byte in plain] + [chr(256 + number) for number in range(256 - len(plain))]
    tokens = [*symbols, *(f"{symbol}</w>" for symbol in symbols), "<|startoftext|>", "<|endoftext|>"]
    numbers = {token: number for number, token in enumerate(dict.fromkeys((*tokens, padding)))}
    return CLIPTokenizer(vocab=numbers, merges=[], pad_token=padding, model_max_length=77)


def _clip_text(tokenizer: Any, width: int, *, projected: bool) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        hidden_act="gelu" if projected else "quick_gelu",
        vocab_size=len(tokenizer) + 1,
        hidden_size=width,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=1,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def _build_adapter(unet: Any, folder: Path) -> None:
    """An IP-Adapter's file: a projection of the picture, and keys and values for each cross attention."""
    import torch
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    generator, width = torch.Generator().manual_seed(1), unet.config.cross_attention_dim

    def random(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator) * 0.5

    tensors = {
        "image_proj.proj.weight": random(_TOKENS * width, _EMBEDDING),
        "image_proj.proj.bias": random(_TOKENS * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    cross = [name for name in unet.attn_processors if "attn2" in name]
    for number, name in enumerate(cross):
        hidden = _channels(unet.config.block_out_channels, name)
        for part in ("k", "v"):  # numbered as they stand between the self attentions: 1, 3, 5, …
            tensors[f"ip_adapter.{2 * number + 1}.to_{part}_ip.weight"] = random(hidden, width)
    folder.mkdir(parents=True)
    save_file(tensors, str(folder / "ip-adapter.safetensors"))
    config = CLIPVisionConfig(projection_dim=_EMBEDDING, **tiny_wan.VISION)
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")


def _channels(widths: tuple[int, ...], name: str) -> int:
    """The width of the block that an attention belongs to."""
    if name.startswith("mid_block"):
        return widths[-1]
    block = int(name.split(".")[1])
    return widths[block] if name.startswith("down_blocks") else widths[::-1][block]
