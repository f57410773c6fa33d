"""The real architectures with random weights, written as folders that loading reads like any other.

Text encoders and vocabularies stay small: they are a hundredth of a pass, and their vocabularies cannot be
made up. What they hand on has the width that the model wants.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_content_pipeline.providers.local import tiny


def build(folder: Path, *, small: bool) -> None:
    """``sdxl`` and ``wan`` (I2V 14B) below `folder`, unless they are there."""
    if small:
        _tiny(folder)
        return
    if not (folder / "sdxl/model_index.json").exists():
        _sdxl(folder / "sdxl")
    if not (folder / "wan/model_index.json").exists():
        _wan(folder / "wan")


def _tiny(folder: Path) -> None:
    if not (folder / "sdxl").exists():
        tiny.build_sdxl(folder / "sdxl")
    if not (folder / "wan").exists():
        tiny.build_wan(folder / "wan", "i2v")


def _sdxl(folder: Path) -> None:
    """The base model's UNet and autoencoder; its text encoders are shallow, and as wide as the real ones."""
    import torch
    from diffusers import AutoencoderKL, StableDiffusionXLPipeline

    tiny.build_sdxl(folder, widths=(768, 1280))
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, local_files_only=True, dtype=torch.float16)
    with torch.device("cuda"):
        vae = AutoencoderKL(
            latent_channels=4,
            sample_size=1024,
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            scaling_factor=0.13025,
            force_upcast=True,
        )
        _replace(pipeline, folder, unet=sdxl_unet().half(), vae=vae.half())


def sdxl_unet() -> Any:
    """2.57 billion weights, on the device that is in force."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )


def _wan(folder: Path) -> None:
    """I2V 14B 480p: the transformer, autoencoder and vision tower of its published configuration."""
    import torch
    from diffusers import AutoencoderKLWan, WanImageToVideoPipeline
    from transformers import CLIPVisionConfig, CLIPVisionModel

    tiny.build_wan(folder, "i2v", width=4096)
    pipeline = WanImageToVideoPipeline.from_pretrained(folder, local_files_only=True)
    vision = CLIPVisionConfig(
        hidden_size=1280,
        intermediate_size=5120,
        num_hidden_layers=32,
        num_attention_heads=16,
        image_size=224,
        patch_size=14,
        projection_dim=1024,
    )
    torch.set_default_dtype(torch.bfloat16)  # 16 billion weights: written once, in the type they are read in
    try:
        with torch.device("cuda"):
            transformer = wan_transformer()
    finally:
        torch.set_default_dtype(torch.float32)
    pipeline.image_processor.size = {"shortest_edge": 224}
    pipeline.image_processor.crop_size = {"height": 224, "width": 224}
    _replace(
        pipeline,
        folder,
        transformer=transformer,
        vae=AutoencoderKLWan(),
        image_encoder=CLIPVisionModel(vision),
    )


def wan_transformer() -> Any:
    """16.4 billion weights, on the device that is in force."""
    from diffusers import WanTransformer3DModel

    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=40,
        attention_head_dim=128,
        in_channels=36,
        out_channels=16,
        text_dim=4096,
        freq_dim=256,
        ffn_dim=13824,
        num_layers=40,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        image_dim=1280,
        added_kv_proj_dim=5120,
    )


def _replace(pipeline: Any, folder: Path, **parts: Any) -> None:
    pipeline.register_modules(**parts)
    pipeline.save_pretrained(folder)
