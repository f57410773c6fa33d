"""Models of the real classes with a few thousand random weights: the same code runs in a tenth of a second.

Their pictures show nothing. They are there for tests and for trying a pipeline out before a download.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ai_content_pipeline.providers.local.loading import quiet
from ai_content_pipeline.providers.local.weights import ADAPTER, LORA

Kind = Literal["t2v", "i2v", "flf2v", "vace"]
_WIDTH = 32  # of a text encoder
_EMBEDDING = 16  # of a reference picture
_TOKENS = 4  # that a reference picture comes to


def build_all(models: Path) -> None:
    """A folder for each local model of the catalogue."""
    build_sdxl(models / "sdxl")
    kinds: dict[str, Kind] = {
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


def build_wan(folder: Path, kind: Kind, width: int = _WIDTH) -> None:
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
        **_t5(width),
        "transformer": _transformer(kind, width),
        "vae": _wan_vae(),
        "scheduler": UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    }
    if kind in ("t2v", "vace"):
        pipeline = (WanPipeline if kind == "t2v" else WanVACEPipeline)(**parts)
    else:
        pipeline = WanImageToVideoPipeline(**parts, **_clip_vision())
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
    config = CLIPVisionConfig(projection_dim=_EMBEDDING, **_VISION)
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")


def _channels(widths: tuple[int, ...], name: str) -> int:
    """The width of the block that an attention belongs to."""
    if name.startswith("mid_block"):
        return widths[-1]
    block = int(name.split(".")[1])
    return widths[block] if name.startswith("down_blocks") else widths[::-1][block]


# -- Wan -----------------------------------------------------------------------------------------------

_HEADS, _HEAD = 2, 12
_VISION: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "intermediate_size": 16,
    "patch_size": 8,
}
_VISION_TOKENS = (32 // 8) ** 2 + 1


def _transformer(kind: Kind, width: int) -> Any:
    from diffusers import WanTransformer3DModel, WanVACETransformer3DModel

    shared: dict[str, Any] = {
        "patch_size": (1, 2, 2),
        "num_attention_heads": _HEADS,
        "attention_head_dim": _HEAD,
        "out_channels": 16,
        "text_dim": width,
        "ffn_dim": 32,
        "num_layers": 2,
        "rope_max_seq_len": 1024,
    }
    if kind == "vace":
        return WanVACETransformer3DModel(in_channels=16, vace_layers=[0, 1], vace_in_channels=96, **shared)
    if kind == "t2v":
        return WanTransformer3DModel(in_channels=16, **shared)
    return WanTransformer3DModel(
        in_channels=36,
        image_dim=8,
        added_kv_proj_dim=_HEADS * _HEAD,
        pos_embed_seq_len=2 * _VISION_TOKENS if kind == "flf2v" else None,
        **shared,
    )


def _wan_vae() -> Any:
    import torch
    from diffusers import AutoencoderKLWan

    vae = AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    with torch.no_grad():  # random weights hardly see their picture; a trained model does
        vae.quant_conv.weight.mul_(3000)
    return vae


def _t5(width: int) -> dict[str, Any]:
    from transformers import T5Tokenizer, UMT5Config, UMT5EncoderModel

    letters = [(chr(code), -3.0) for code in range(33, 127)]
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), *letters]
    config = UMT5Config(
        vocab_size=len(words),
        d_model=width,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=8,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    return {
        "tokenizer": T5Tokenizer(vocab=words, extra_ids=0, model_max_length=512),
        "text_encoder": UMT5EncoderModel(config),
    }


def _clip_vision() -> dict[str, Any]:
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

    return {
        "image_encoder": CLIPVisionModel(CLIPVisionConfig(projection_dim=8, **_VISION)),
        "image_processor": CLIPImageProcessorPil(size=32, crop_size=32),
    }
