"""What the answer to the one POST means: accepted, surely not accepted, or unknown."""

from __future__ import annotations

import httpx

from ai_content_pipeline.errors import (
    AicpError,
    ConfigurationError,
    ContentRejected,
    NotAccepted,
    OutcomeUnknown,
    ProviderUnavailable,
)
from ai_content_pipeline.jobs import Json
from ai_content_pipeline.providers.answers import body_of, is_policy, object_of, retry_after

#: No key, no money, no permission.
KEY_REFUSED = frozenset({401, 402, 403})


def acceptance(vendor: str, response: httpx.Response, said: str) -> dict[str, Json]:
    """The accepted job as the vendor describes it. `said` is the answer's own explanation, safe to show.

    Raises:
        NotAccepted: no job was created.
        OutcomeUnknown: one may have been.
    """
    status = response.status_code
    if response.is_success:
        accepted = object_of(response)
        if not accepted:
            # Something was done; half an answer, or a page of HTML, does not say what.
            raise OutcomeUnknown(f"{vendor} answered {status}, but not with JSON")
        return accepted
    if status == 429:
        # Refused for its rate, before anyone looked at it.
        busy = ProviderUnavailable(f"{vendor} is busy: {said}")
        raise NotAccepted(busy, temporary=True, retry_after=retry_after(response))
    if status in (408, 409) or not 400 <= status < 500:
        # 408: the vendor waited for something, maybe behind the place where jobs are created.
        # 409: in conflict with something. A gateway that sent the request twice would be told just this.
        # 5xx: a gateway gives up on servers that may have accepted.
        # 3xx: somebody else answers; 303 is even how an accepted form is answered.
        raise OutcomeUnknown(f"{vendor} answered {status}: {said}")
    # Every other 4xx comes from somebody who read the request and refused it.
    raise NotAccepted(_refusal(vendor, response, said))


def key_refused(vendor: str, said: str) -> ConfigurationError:
    return ConfigurationError(
        f"{vendor} refuses: {said}", hint=f"check the key and the balance of your {vendor} account"
    )


def _refusal(vendor: str, response: httpx.Response, said: str) -> AicpError:
    if response.status_code in KEY_REFUSED:
        return key_refused(vendor, said)
    if is_policy(body_of(response)):
        return ContentRejected(
            f"{vendor} refuses the content: {said}", hint="change the prompt or the picture"
        )
    if response.status_code == 404:
        return AicpError(f"{vendor} has no such model: {said}", hint="check the model's name and version")
    return AicpError(f"{vendor} refuses the request: {said}", hint="change the parameter it names")
