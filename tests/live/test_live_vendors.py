"""What only the vendors themselves can prove. About a dozen pictures of $0.003 at each of them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_content_pipeline.errors import ConfigurationError, NotAccepted

_SPEC = importlib.util.spec_from_file_location(
    "contract_laws", Path(__file__).parents[1] / "contract" / "test_provider_contract.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_LAWS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_LAWS)

# The laws that need no misbehaving vendor; each runs here as it stands there.
test_wiring_is_pure = _LAWS.test_wiring_is_pure
test_an_upload_is_free_and_repeatable = _LAWS.test_an_upload_is_free_and_repeatable
test_a_submit_is_one_job = _LAWS.test_a_submit_is_one_job
test_a_job_ends_with_its_files = _LAWS.test_a_job_ends_with_its_files
test_looking_is_free = _LAWS.test_looking_is_free
test_a_later_process_collects = _LAWS.test_a_later_process_collects
test_an_unknown_job_is_gone = _LAWS.test_an_unknown_job_is_gone
test_a_late_cancel_loses_nothing = _LAWS.test_a_late_cancel_loses_nothing
test_a_listing_shows_exactly_what_was_sent = _LAWS.test_a_listing_shows_exactly_what_was_sent
test_looking_for_jobs_changes_nothing = _LAWS.test_looking_for_jobs_changes_nothing

MODELS = {"fal": "flux_schnell", "replicate": "flux_schnell_replicate"}


def test_a_wrong_key_is_refused(rig, wrong_key):
    """It creates no job, exits with 4, and no part of it is said."""
    with pytest.raises(NotAccepted) as refused:
        wrong_key().submit(rig.wire(), "key")
    assert isinstance(refused.value.cause, ConfigurationError)
    assert "0000" not in str(refused.value)


def test_the_whole_program(vendor, tmp_path):
    """One picture, paid once: exit 0, its file, below the cap; the same command again costs nothing."""
    (tmp_path / "pipeline.yaml").write_text(
        "name: live\nsteps:\n  - name: still\n    type: text_to_image\n"
        f"    model: {MODELS[vendor]}\n    params: {{prompt: a red cup}}\n"
    )
    (tmp_path / ".aicp").mkdir()
    words = ["run-chain", "pipeline.yaml", "--max-cost", "0.05", "--json"]
    for state in ("done", "cached"):
        done = subprocess.run(
            [sys.executable, "-m", "ai_content_pipeline", *words],
            cwd=tmp_path,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (item,) = json.loads(done.stdout)["data"]["steps"][0]["items"]
        assert item["state"] == state
    assert len(list((tmp_path / "output" / "live").rglob("still_1.*"))) == 1
    secret = os.environ[{"fal": "FAL_KEY", "replicate": "REPLICATE_API_TOKEN"}[vendor]].encode()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]
