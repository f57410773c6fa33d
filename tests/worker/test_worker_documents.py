"""The owner's documents: their example jobs, and callbacks with the names, types and nesting of theirs."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from ai_content_pipeline.media.video import probe_video
from tests.worker.conftest import Office, Pictures, Receiver, picture


def types(value: Any) -> Any:
    """The shape of a JSON value: names, nesting, and the type of each leaf."""
    if isinstance(value, dict):
        return {name: types(part) for name, part in value.items()}
    if isinstance(value, list):
        return [types(part) for part in value[:1]]
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def holds(whole: Any, part: Any) -> bool:
    """Whether `whole` has all that `part` has, at the same places and of the same types."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and holds(whole[name], value) for name, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(holds(one, part[0]) for one in whole)
    return whole == part


IMAGE_ASSET = {
    "type": "image",
    "url": "workspace-temp/{userId}/{jobId}/{index}.png",
    "thumbnail_url": "workspace-temp/{userId}/{jobId}/{index}.thumb.webp",
    "metadata": {
        "width": 1024,
        "height": 1024,
        "format": "png",
        "denoise_strength": 0.15,
        "steps": 25,
        "guidance_scale": 7.5,
        "seed": 12345,
        "file_size_bytes": 2048576,
        "asset_index": 0,
    },
}
VIDEO_ASSET = {
    "type": "video",
    "url": "workspace-temp/{userId}/{jobId}/0.mp4",
    "thumbnail_url": "workspace-temp/{userId}/{jobId}/0.thumb.webp",
    "metadata": {
        "file_size_bytes": 10485760,
        "format": "mp4",
        "duration_seconds": 5.0,
        "denoise_strength": 0.15,
        "generation_seed": 12345,
        "asset_index": 0,
    },
}


def callback(asset: dict[str, Any], job_type: str) -> dict[str, Any]:
    """The document's standard response format."""
    metadata = {"generation_time": 15.2, "job_type": job_type, "reference_mode": "none"}
    return {"job_id": "job-123", "status": "completed", "assets": [asset], "metadata": metadata}


def test_the_sdxl_example_is_answered_as_the_document_says(
    office: Office, pictures: Pictures, receiver: Receiver
) -> None:
    """job-123: three pictures from a reference, stored, thumbnailed, and told of in a verified callback."""
    job = {
        "id": "job-123",
        "type": "sdxl_image_high",
        "prompt": "beautiful woman in garden",
        "user_id": "user-123",
        "config": {"num_images": 3},
        "metadata": {
            "reference_image_url": pictures.put("reference.jpg", picture(320, 240, "JPEG")),
            "denoise_strength": 0.7,
            "exact_copy_mode": False,
        },
        "callback_url": f"{receiver.url}/done",
    }
    assert office.client.post("/v1/jobs", json=job).status_code == 202
    (delivery,) = receiver.wait()
    assert holds(types(delivery.body), types(callback(IMAGE_ASSET, "sdxl_image_high")))
    body = delivery.body
    assert (body["job_id"], body["status"], body["metadata"]["job_type"]) == (
        "job-123",
        "completed",
        job["type"],
    )
    assert body["metadata"]["reference_mode"] == "single"
    for index, asset in enumerate(body["assets"]):
        assert asset["url"] == f"workspace-temp/user-123/job-123/{index}.png"
        assert asset["thumbnail_url"] == f"workspace-temp/user-123/job-123/{index}.thumb.webp"
        said, path = asset["metadata"], office.workspace / asset["url"]
        with Image.open(path) as image, Image.open(office.workspace / asset["thumbnail_url"]) as thumb:
            assert (said["width"], said["height"]) == image.size
            assert (thumb.format, max(thumb.size)) == ("WEBP", 256)
        assert said["file_size_bytes"] == path.stat().st_size
        assert (said["asset_index"], said["steps"], said["steps_run"]) == (index, 25, 17)
        assert said["denoise_strength"] == 0.7
    assert len({asset["metadata"]["seed"] for asset in body["assets"]}) == 3
    assert len(office.tree()) == 6


def test_the_wan_example_is_answered_as_the_document_says(
    office: Office, pictures: Pictures, receiver: Receiver
) -> None:
    """job-124: a clip between a start and an end frame, with its true length and a thumbnail of its start."""
    urls = {
        name: pictures.put(f"{name}.jpg", picture(160, 96, "JPEG")) for name in ("reference", "start", "end")
    }
    job = {
        "id": "job-124",
        "type": "video_fast",
        "prompt": "woman walking in garden",
        "user_id": "user-123",
        "config": {"image": urls["reference"]},
        "metadata": {
            "denoise_strength": 0.7,
            "start_reference_url": urls["start"],
            "end_reference_url": urls["end"],
        },
        "callback_url": f"{receiver.url}/done",
    }
    assert office.client.put("/v1/jobs/job-124", json=job).status_code == 202
    (delivery,) = receiver.wait(seconds=90)
    body = delivery.body
    assert holds(types(body), types(callback(VIDEO_ASSET, "video_fast")))
    assert body["metadata"]["reference_mode"] == "both"
    (asset,) = body["assets"]
    info = probe_video(office.workspace / asset["url"])
    assert asset["metadata"]["duration_seconds"] == pytest.approx(81 / 16, abs=0.01)
    assert (info.width, info.height) == (asset["metadata"]["width"], asset["metadata"]["height"])
    assert asset["metadata"]["denoise_strength"] == 0.7
    assert body["metadata"]["warnings"] == ["config.image is not used beside a start or end frame"]
    assert "/reference.jpg" not in pictures.requests
    assert office.tree() == ["user-123/job-124/0.mp4", "user-123/job-124/0.thumb.webp"]


def test_the_wan_analysis_form_is_taken_as_well(office: Office) -> None:
    """A data: URI, `mode: video` and frames: document 004's form makes a clip of the picture's shape."""
    import base64

    uri = f"data:image/jpeg;base64,{base64.b64encode(picture(90, 120, 'JPEG')).decode()}"
    job = {
        "image_url": uri,
        "prompt": "A cat walking in a garden, cinematic shot",
        "mode": "video",
        "num_frames": 9,
        "fps": 16,
        "guidance_scale": 5.0,
    }
    answer = office.client.post("/v1/jobs", json=job)
    assert answer.status_code == 202
    done = office.end(answer.json()["id"])
    (asset,) = done["result"]["assets"]
    assert done["result"]["metadata"]["reference_mode"] == "start"
    said = asset["metadata"]
    assert said["duration_seconds"] == pytest.approx(9 / 16, abs=0.01)
    assert said["width"] < said["height"]
    assert said["width"] % 16 == said["height"] % 16 == 0
    assert said["guidance_scale"] == 5.0
    assert uri[:60] not in office.client.get("/v1/jobs").text


def test_a_failure_is_told_with_its_reason(office: Office, pictures: Pictures, receiver: Receiver) -> None:
    """A reference that is not there: the callback says failed, by code, and whether to try again."""
    office.put(
        "lost",
        metadata={"reference_image_url": f"{pictures.url}/none.png?signature=secret"},
        callback_url=f"{receiver.url}/done",
    )
    (delivery,) = receiver.wait()
    assert (delivery.body["status"], delivery.body["assets"]) == ("failed", [])
    error = delivery.body["error"]
    assert (error["code"], error["retryable"]) == ("download", False)
    assert error["message"].startswith("metadata.reference_image_url: ")
    assert "secret" not in delivery.raw.decode()
