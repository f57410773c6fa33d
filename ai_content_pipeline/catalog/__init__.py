"""Models, schemas and prices as data: one TOML file a model, read when it is asked for.

**Keys** are names as people write them, ``<family>_<version>[_<tier>]``, in lower case. The plain key is the
family's main use: text_to_image for pictures, image_to_video for clips. A family's other endpoints end in

======== ============================= ========================================
``_t2v`` text_to_video                 ``kling_2_6_pro_t2v``
``_flf`` image_to_video, both ends     ``veo_3_1_flf`` (first and last frame)
``_ref`` from pictures of a subject    ``veo_3_1_ref``
``_edit`` image_to_image               ``nano_banana_pro_edit``
======== ============================= ========================================

A model that two vendors offer has the plain key at the one who offers it best, and ``_replicate`` or
``_fal`` at the other. One endpoint that does several tasks has one card. Keys are versioned by the family's
own version; a card's `version` counts its corrections.

A card's defaults serve to price and to explain, and are never sent. An unverified price is no price.
"""

from ai_content_pipeline.catalog.cards import Card, Parameter, RoleField, Shape
from ai_content_pipeline.catalog.catalogue import Catalogue
from ai_content_pipeline.catalog.checks import Misfit, check, coerce
from ai_content_pipeline.catalog.draft import DRAFT, stand_in
from ai_content_pipeline.catalog.estimates import estimate, terms
from ai_content_pipeline.catalog.files import keys, load
from ai_content_pipeline.catalog.names import UnknownModel, find, model_of, resolve
from ai_content_pipeline.catalog.prices import Price, Rate, Surcharge
from ai_content_pipeline.catalog.shapes import Expected, expected

__all__ = [
    "DRAFT",
    "Card",
    "Catalogue",
    "Expected",
    "Misfit",
    "Parameter",
    "Price",
    "Rate",
    "RoleField",
    "Shape",
    "Surcharge",
    "UnknownModel",
    "check",
    "coerce",
    "estimate",
    "expected",
    "find",
    "keys",
    "load",
    "model_of",
    "resolve",
    "stand_in",
    "terms",
]
