"""Models of a worker of one's own, ``worker:sdxl_image_high``: every type of job has the same fields.

Which types there are, the worker decides: its operator extends the table. So nothing is known here of a
type's usual sizes and lengths, and one that is not there is refused by the worker itself.
"""

from __future__ import annotations

from ai_content_pipeline.artifacts import Role
from ai_content_pipeline.catalog.cards import Card, Parameter, RoleField
from ai_content_pipeline.catalog.prices import FREE
from ai_content_pipeline.jobs import Task

PROVIDER = "worker"

_SIDE = Parameter("integer", minimum=16, maximum=4096, note="pixels")
_SHARE = Parameter("number", minimum=0, maximum=1)

PARAMETERS = {
    "num_images": Parameter("integer", minimum=1, maximum=16, default=1),
    "width": _SIDE,
    "height": _SIDE,
    "num_inference_steps": Parameter("integer", minimum=1, maximum=200),
    "guidance_scale": Parameter("number", minimum=0, maximum=50),
    "negative_prompt": Parameter("string"),
    "num_frames": Parameter("integer", minimum=1, maximum=1001),
    "fps": Parameter("integer", minimum=1, maximum=60),
    "denoise_strength": _SHARE,
    "exact_copy_mode": Parameter("boolean"),
    "reference_strength": Parameter("number", minimum=0, maximum=1, deprecated=True),
    "priority": Parameter("integer", minimum=0, maximum=9),
}


def card(name: str, job_type: str) -> Card:
    """The card of a type of job. Its own GPU costs its owner nothing a job."""
    return Card(
        key=name,
        title=f"{job_type} on a worker",
        provider=PROVIDER,
        endpoint=job_type,
        tasks=tuple(task for task in Task if task is not Task.UPSCALE),
        parameters=PARAMETERS,
        roles={
            Role.INPUT: RoleField("reference_image_url"),
            Role.START: RoleField("start_reference_url"),
            Role.END: RoleField("end_reference_url"),
            Role.REFERENCE: RoleField("image"),
        },
        prompt_required=False,
        seed="seed",
        count="num_images",
        price=FREE,
        source="docs/worker.md",
    )
