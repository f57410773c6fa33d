"""The parts of a tiny Wan model."""

from __future__ import annotations

from typing import Any, Literal

Kind = Literal["t2v", "i2v", "flf2v", "vace"]
_HEADS, _HEAD = 2, 12
VISION: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "intermediate_size": 16,
    "patch_size": 8,
}
_VISION_TOKENS = (32 // 8) ** 2 + 1


def transformer(kind: Kind, width: int) -> Any:
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


def autoencoder() -> Any:
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


def words(width: int) -> dict[str, Any]:
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


def vision() -> dict[str, Any]:
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

    return {
        "image_encoder": CLIPVisionModel(CLIPVisionConfig(projection_dim=8, **VISION)),
        "image_processor": CLIPImageProcessorPil(size=32, crop_size=32),
    }
