"""Metrics: the same subject scores above another, and cropping, resizing or brightness change little."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
from PIL import Image

from ai_content_pipeline.errors import ConfigurationError
from ai_content_pipeline.references import metrics
from ai_content_pipeline.steps.strategy import Consistency
from benchmarks.consistency import auc, changes, separation
from benchmarks.subjects import scene


@pytest.fixture(params=["color", "color+orb"])
def metric(request):
    """Every metric that can be used here; color+orb where OpenCV is installed."""
    if request.param == "color+orb":
        pytest.importorskip("cv2")
    return metrics.metric(request.param)


def test_the_same_subject_scores_above_another(metric):
    """In other places and poses a subject is nearer to its own reference than to somebody else's."""
    same, other = separation(metric, 12, 2)
    assert auc(same, other) >= 0.95
    default = Consistency().min_score
    assert sum(score >= default for score in same) >= 0.85 * len(same)
    assert sum(score < default for score in other) >= 0.75 * len(other)


def test_a_changed_picture_is_still_the_same(metric):
    """Crop, size and brightness of the very same picture never bring it below the default min_score."""
    scores = [metric.alike(metric.look(one), metric.look(two)) for one, two in changes(12)]
    assert min(scores) >= Consistency().min_score
    assert sorted(scores)[len(scores) // 2] >= 0.95


def test_a_picture_is_wholly_like_itself(metric):
    """The best score is 1, and no picture scores outside of 0 to 1."""
    looks = [metric.look(scene(number, "here")) for number in range(4)]
    for number, look in enumerate(looks):
        assert metric.alike(look, look) == pytest.approx(1.0)
        assert all(0 <= metric.alike(look, other) <= 1 for other in looks[number:])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_any_kind_of_picture_can_be_looked_at(mode):
    """Grey, palette, transparent and deep pictures have a score as others do."""
    metric = metrics.metric("color")
    look = metric.look(scene(1, "here").convert(mode if mode != "I;16" else "I").convert(mode))
    assert metric.alike(look, look) == pytest.approx(1.0)


def test_what_is_transparent_does_not_count():
    """A subject cut out scores as on a grey ground, whatever colour lies under the transparent parts."""
    metric = metrics.metric("color")
    cut, plain = Image.new("RGBA", (64, 64), (0, 255, 0, 0)), Image.new("RGB", (64, 64), (128, 128, 128))
    for picture in (cut, plain):
        picture.paste((200, 30, 40), (16, 16, 48, 48))
    assert metric.alike(metric.look(cut), metric.look(plain)) == pytest.approx(1.0)


def test_of_a_clip_the_mean_counts_and_of_a_reference_the_best_picture():
    """A frame counts by the reference picture most like it, a clip by its frames on average."""

    class Same(metrics.Color):
        def alike(self, reference, picture):
            return 1.0 if reference == picture else 0.0

    assert metrics.score(Same(), ["front", "side"], ["side", "front"]) == 1.0
    assert metrics.score(Same(), ["front"], ["front", "away"]) == 0.5


def test_the_files_words_are_the_metrics_names():
    """What may be written under `metric` is what there is, and each has a version."""
    words = get_args(Consistency.model_fields["metric"].annotation)
    assert set(words) == set(metrics.METRICS) == set(metrics.VERSIONS)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    """Exit 4 before anything is paid, with what to type."""
    monkeypatch.setattr(metrics, "find_spec", lambda name: None)
    for name, extra in (("color+orb", "orb"), ("clip", "diffusers")):
        with pytest.raises(ConfigurationError, match=name.replace("+", r"\+")) as caught:
            metrics.require(name)
        assert f"ai-content-pipeline[{extra}]" in caught.value.hint
        assert caught.value.exit_code == 4


def test_to_know_the_metrics_costs_no_import():
    """Nothing that decodes pictures is imported before one is looked at: plans stay quick."""
    code = (
        "import sys; from ai_content_pipeline.references import metrics; metrics.require('color');"
        " print([name for name in ('PIL', 'numpy', 'cv2', 'av') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
