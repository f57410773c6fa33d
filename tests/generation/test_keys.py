"""The identity of work. A change that breaks a golden key makes every user pay again."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_content_pipeline.artifacts import Artifact, Frame, Kind, MediaInfo, Pending, Role
from ai_content_pipeline.generation import keys
from ai_content_pipeline.jobs import InputField, JobRequest, LocalWork, Model, Task

KLING = Model(
    "kling_2_6_pro",
    "fal",
    "fal-ai/kling-video/v2.6/pro/image-to-video",
    Task.IMAGE_TO_VIDEO,
    {Role.START: InputField("start_image_url")},
)
BANANA = Model("nano_banana_pro", "fal", "fal-ai/nano-banana-pro", Task.TEXT_TO_IMAGE, seed_field="seed")
PANEL = Artifact("0f" * 32, 1000, MediaInfo(Kind.IMAGE, "image/png", 512, 288))
FACE = Artifact("a5" * 32, 2000, MediaInfo(Kind.IMAGE, "image/jpeg", 900, 900))

STILL = JobRequest(BANANA, "A 2x2 grid of 4 panels", {"aspect_ratio": "16:9"}, {})
CLIP = JobRequest(KLING, "Coffee cups steam ☕", {"duration": "5"}, {Role.START: (PANEL,)})

GOLDEN = [
    (STILL, 0, "70ccf4dba08e7fb9e6ef45b644692fe9388ba0bcd4dee1e24c620397d5d30970"),
    (STILL, 1, "17ab8ead2e0aa39e7dd27d117c50e7af8e37b9fbd7bf7095276afb63a0e31364"),
    (replace(STILL, seed=7), 0, "7059a3e6f14b067da1f2dda9acc998df1bfc472cd797290c86d5fbc3870b9de0"),
    (replace(STILL, take=3), 0, "49327008833682a8dd717253fa9db78e8e96125f5e5966d05385ed0ae43f44a7"),
    (
        replace(STILL, prompt=None, params={}),
        0,
        "7cc0159de98fe3f56ceaacacc2c7964365ef2c82657ec5ff2a8e78696da00f39",
    ),
    (CLIP, 0, "0d8f6e9cca5ba1ce97c57eecf3e5ec3a8598f6c51a16ecc3e6f012272eb88ffd"),
    (
        replace(CLIP, inputs={Role.REFERENCE: (FACE, PANEL), Role.START: (PANEL,)}),
        0,
        "4f511fc7e3943677a0c4c2c5da6c7605859a6595d5389a39607df9155b46bba1",
    ),
    (
        replace(CLIP, params={"a": [1, 2.50, True, None, "x", {"b": "1e3"}], "duration": 10, "deep": {}}),
        2,
        "3a8f1688ce407c80f48742ec14844ae43237cf3624a2a22c7fab4a43aa2437cf",
    ),
]


@pytest.mark.parametrize(("request_", "ordinal", "golden"), GOLDEN)
def test_keys_never_change(request_, ordinal, golden):
    """The key of a request is the same in every release."""
    assert keys.request_key(request_, ordinal) == golden


def test_a_key_is_the_hash_of_what_is_asked():
    """The hashed text, spelled out once: nothing but what reaches the model, the take and the ordinal."""
    text = (
        '{"endpoint":"fal-ai/kling-video/v2.6/pro/image-to-video","inputs":{"start":["'
        + PANEL.sha256
        + '"]},'
        '"ordinal":0,"params":{"duration":"5"},"prompt":"Coffee cups steam ☕","provider":"fal","seed":null,'
        '"take":0,"v":1}'
    )
    assert keys.request_key(CLIP, 0) == hashlib.sha256(text.encode()).hexdigest()


def test_other_golden_keys():
    """What all takes share, local work and derived seeds stay the same, too."""
    split = LocalWork("split_image", 1, {"grid": "2x2"}, {Role.INPUT: (PANEL,)}, lambda bench: ())
    assert keys.lineage_key(STILL, 0) == "6a19d15953ef99c2cdc094a8ca4c04cabf934c210458ab1198689bab3d3874a9"
    assert keys.local_key(split) == "f30d850e85a3ef62103773ebf37dd47cdd7024b72b6aa98afd58d7933c19f96d"
    assert keys.derived_seed(keys.request_key(STILL, 0), "project") == 2119465870


# -- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("5", 5),
        (5, 5.0),
        ("5.0", 5),
        ("-0", 0),
        (-0.0, 0),
        ("1e3", 1000),
        ("0.10", 0.1),
        (1e22, 10**22),
        ("1E-2", 0.01),
    ],
)
def test_one_number_has_one_spelling(left, right):
    """A number is the same number as text, integer or float."""
    assert keys.canonical(left) == keys.canonical(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("010", 10),
        ("+5", 5),
        (" 5", 5),
        ("5\n", 5),
        (".5", 0.5),
        ("5.", 5),
        ("0x10", 16),
        ("1_000", 1000),
        ("٥", 5),
        ("16:9", 16),
        (True, 1),
        (False, 0),
        ("true", True),
        ("null", None),
        ("", None),
        ([5], 5),
        ("1" * 40 + "2", "1" * 40 + "3"),
        (10**40, 10**40 + 1),
        ("1e999", "2e999"),
    ],
)
def test_what_only_looks_alike_differs(left, right):
    """Text that is not exactly a number stays text, a boolean is no number, and no digit is rounded away."""
    assert keys.canonical(left) != keys.canonical(right)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_canonical_is_its_own_canon(value):
    """Writing a value in its one spelling twice changes nothing."""
    assert keys.canonical(keys.canonical(value)) == keys.canonical(value)


# -- what changes a key ---------------------------------------------------------------------------


params = st.dictionaries(st.text(max_size=8), json_values, max_size=3)
roles = st.dictionaries(
    st.sampled_from(Role), st.lists(st.sampled_from([PANEL, FACE]), max_size=2).map(tuple), max_size=2
)
requests = st.builds(
    JobRequest,
    model=st.sampled_from([KLING, BANANA, replace(KLING, provider="replicate")]),
    prompt=st.none() | st.text(max_size=8),
    params=params,
    inputs=roles,
    seed=st.none() | st.integers(0, 5),
    take=st.integers(0, 2),
)


def asked(request: JobRequest, ordinal: int) -> object:
    """What is asked for, compared field by field instead of by hash."""
    return (
        request.model.provider,
        request.model.endpoint,
        request.prompt,
        repr(sorted(keys.canonical(dict(request.params)).items())),
        sorted((role, sources) for role, sources in request.inputs.items() if sources),
        request.seed,
        request.take,
        ordinal,
    )


@given(requests, st.integers(0, 2), requests, st.integers(0, 2))
def test_keys_are_equal_iff_the_same_is_asked(one, first, two, second):
    """Two keys are equal exactly when endpoint, prompt, parameters, inputs, seed, take and ordinal are."""
    same = asked(one, first) == asked(two, second)
    assert (keys.request_key(one, first) == keys.request_key(two, second)) is same


@given(requests, requests, st.integers(0, 2))
def test_each_field_changes_the_key(request_, other, ordinal):
    """Every single difference in what is asked is a difference of keys."""
    key = keys.request_key(request_, ordinal)
    for name in ("model", "prompt", "params", "inputs", "seed", "take"):
        changed = replace(request_, **{name: getattr(other, name)})
        same = asked(changed, ordinal) == asked(request_, ordinal)
        assert (keys.request_key(changed, ordinal) == key) is same, name
    assert keys.request_key(request_, ordinal + 1) != key


@given(requests)
def test_names_and_catalogue_do_not_change_a_key(request_):
    """What a model is called, how its fields are named and what is made of it here pay for nothing twice."""
    renamed = replace(
        request_.model,
        name="other",
        fields={},
        prompt_field=None,
        seed_field=None,
        count_field="n",
        task=Task.UPSCALE,
    )
    shuffled = dict(reversed(list(request_.params.items())))
    again = replace(
        request_, model=renamed, params=shuffled, inputs=dict(reversed(list(request_.inputs.items())))
    )
    assert keys.request_key(again, 0) == keys.request_key(request_, 0)


def test_a_file_is_its_content():
    """The same bytes under another name, type or size are the same input; an empty role is no role."""
    other = replace(PANEL, size=1, info=replace(PANEL.info, width=1, media_type="image/webp"))
    assert keys.request_key(
        replace(CLIP, inputs={Role.START: (other,), Role.END: ()}), 0
    ) == keys.request_key(CLIP, 0)


@given(requests, st.integers(0, 2), st.integers(0, 2))
def test_takes_share_their_lineage(request_, take, ordinal):
    """All takes of one request have one lineage, which is no key of any of them."""
    again = replace(request_, take=take)
    assert keys.lineage_key(again, ordinal) == keys.lineage_key(request_, ordinal)
    assert keys.lineage_key(request_, ordinal) != keys.request_key(request_, ordinal)
    assert keys.lineage_key(request_, ordinal) != keys.lineage_key(request_, ordinal + 1)


def test_half_a_surrogate_pair_has_a_key():
    """Text that is no text is hashed all the same, and as itself."""
    broken = [keys.request_key(replace(STILL, prompt=text), 0) for text in ("\ud83d", "\ude00", "\ufffd")]
    assert len(set(broken)) == 3


# -- local work, symbols, seeds ----------------------------------------------------------------------


def work(name="split_image", version=1, params=None, inputs=None) -> LocalWork:
    return LocalWork(
        name, version, params or {"grid": "2x2"}, inputs or {Role.INPUT: (PANEL,)}, lambda bench: ()
    )


def test_local_work_is_its_name_version_parameters_and_input():
    """Any of the four makes it other work; the function that does it does not."""
    others = [
        work(name="thumbnail"),
        work(version=2),
        work(params={"grid": "3x3"}),
        work(inputs={Role.INPUT: (FACE,)}),
        work(inputs={Role.START: (PANEL,)}),
    ]
    assert len({keys.local_key(each) for each in [work(), *others]}) == 6
    assert keys.local_key(work(params={"grid": "2x2"})) == keys.local_key(work())


def test_symbols_need_no_files():
    """A request whose inputs are still to be made has an identity: what is asked, and what makes them."""
    promised = replace(CLIP, inputs={Role.START: (Pending("scenes/scene_1", Kind.IMAGE, frame=Frame.LAST),)})
    assert keys.symbol(promised, ["a"]) == keys.symbol(CLIP, ["a"])
    others = [
        keys.symbol(CLIP, ["b"]),
        keys.symbol(replace(CLIP, take=1), ["a"]),
        keys.symbol(replace(CLIP, prompt="x"), ["a"]),
        keys.symbol(work(), ["a"]),
        keys.symbol(work(name="thumbnail"), ["a"]),
    ]
    assert len({keys.symbol(CLIP, ["a"]), *others}) == 6


@given(st.text(alphabet="0123456789abcdef", min_size=64, max_size=64), st.text(max_size=16))
def test_a_derived_seed_fits_31_bits(key, project):
    """Vendors take seeds of 31 bits; the same job of the same project always gets the same one."""
    seed = keys.derived_seed(key, project)
    assert 0 <= seed < 2**31
    assert seed == keys.derived_seed(key, project)


def test_two_projects_derive_two_seeds():
    """The same file in two projects asks for two pictures."""
    key = keys.request_key(STILL, 0)
    assert keys.derived_seed(key, "one") != keys.derived_seed(key, "two")


def test_subjects_are_told_apart_by_their_pictures():
    """How references belong together is part of a key where the model takes subjects; elsewhere nothing is
    added to one."""
    alone = replace(CLIP, inputs={Role.REFERENCE: (FACE, PANEL, FACE)})
    keyed = {keys.request_key(replace(alone, groups=groups), 0) for groups in ((), (2, 1), (1, 2), (3,))}
    assert len(keyed) == 4
    assert keys.request_key(replace(CLIP, groups=()), 0) == GOLDEN[5][2]
