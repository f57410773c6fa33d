"""What a prompt asks for, as far as a draft can show it: place, time, weather, people, mood.

A small lexicon, nothing more: an unknown word changes the composition through the seed only.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

# Words of a language that people write prompts in; `*` stands for any ending, `_` for a space or hyphen.
_PLACES = {
    "rooftop": "rooftop* roof_top roof roofs terrace balcony",
    "cafe": "cafe* café* coffee coffees coffee_shop restaurant* diner bar bakery tea_house cup cups waiter*",
    "kitchen": "kitchen* cook cooks cooking bake bakes baking chef stove oven dinner flour recipe pancake*",
    "street": "street* city cities town urban downtown skyline* alley* traffic neon cyberpunk market* tokyo"
    " new_york paris london skyscraper* taxi* car cars bus sidewalk*",
    "beach": "beach* sea seas seaside ocean* coast* wave waves shore* surfer* surfing island* harbor harbour"
    " sail* boat* ship ships lighthouse* lake* river* swim* whale* sand",
    "mountain": "mountain* alps alpine peak peaks summit cliff* glacier* skier skiing hike* hiking valley*"
    " volcano*",
    "desert": "desert* dune dunes sahara canyon* camel* cactus cacti oasis mars",
    "forest": "forest* wood woods woodland* jungle* tree trees deer fox wolf cabin campfire mushroom*",
    "space": "space outer_space spaceship* spacecraft planet* galaxy galaxies astronaut* orbit* nebula*"
    " asteroid* alien* cosmic cosmos",
    "room": "room bed bedroom* living_room home house apartment* sofa couch office* desk studio library"
    " school* classroom* interior indoor* bathroom* hotel museum hospital lab laboratory computer* piano"
    " fireplace",
    "park": "park parks garden* walk walks walking picnic* bench lawn playground leaves leaf blossom*"
    " flower* meadow*",
    "hills": "hill hills field fields countryside farm farms prairie landscape* castle* village* road train",
}
_TIMES = {
    "night": "night* midnight moon moonlight moonlit star stars starry stargaz* starlight starlit neon"
    " cyberpunk noir dark darkness nocturnal",
    "golden": "sunset* golden dusk evening* twilight autumn* dinner campfire warm warmth candle* romantic"
    " love",
    "dawn": "dawn sunrise* morning* breakfast pastel dreamy dreamlike mist misty spring",
    "day": "day daytime daylight noon midday sunny sunshine summer* bright blue_sky",
}
_WEATHERS = {
    "rain": "rain rains rainy raining storm* drizzle umbrella* thunder* wet",
    "snow": "snow* winter* blizzard* christmas ice icy frozen arctic",
    "leaves": "autumn* leaves leaf fall_foliage petal petals blossom*",
    "mist": "mist misty fog foggy haze hazy smoke smoky",
}
_GRADES = {
    "noir": "noir film_noir black_and_white monochrome grayscale greyscale",
    "neon": "neon cyberpunk synthwave vaporwave",
    "vintage": "vintage retro sepia nostalgi* old_film",
    "cold": "cold icy winter* bleak melanchol* lonely sad",
    "pastel": "pastel dreamy soft watercolor* watercolour* anime",
    "warm": "warm warmth cozy cosy golden romantic love autumn* candle* sunset*",
}
_PEOPLE = {
    "2": "couple* love lovers together they them two both friends friend date dating dance dances dancing"
    " meet* wedding romantic romance family brothers sisters parents eyes_meet hands_brush kiss* hug* team"
    " duo",
    "1": "woman women man men girl girls boy boys he she his her him person people hero* child kid kids"
    " portrait figure detective* traveler* traveller* wanderer hiker chef barista astronaut* dancer artist"
    " scientist student teacher king queen knight samurai soldier actor actress runner player musician"
    " someone face character lady guy mother father grandmother grandfather baby doctor nurse pilot captain"
    " surfer skier wizard witch prince princess fisherman",
}
_CAST = {
    "first": "woman women girl girls she her lady queen mother grandmother actress princess bride witch",
    "second": "man men boy boys he his him guy king father grandfather actor prince groom wizard fisherman",
}
_ANIMALS = {
    "cat": "cat cats kitten* kitty fox foxes",
    "dog": "dog dogs puppy puppies wolf wolves hound* corgi* retriever*",
    "bird": "bird birds seagull* gull gulls crow crows raven* eagle* crane cranes",
}
_SHOTS = {
    "close": "close_up close_ups closeup* macro portrait headshot",
    "wide": "wide establishing panorama* aerial drone landscape epic vast distant",
}
_INDOORS = {"cafe", "kitchen", "room"}
_READ = 4_000  # characters of a prompt that are looked at


@dataclass(frozen=True, slots=True)
class Scene:
    """One frame's contents: keys of the tables above, "" where the prompt says nothing."""

    place: str
    time: str
    weather: str
    grade: str
    people: int
    cast: str
    animal: str
    shot: str

    @property
    def indoors(self) -> bool:
        return self.place in _INDOORS


def read_scene(text: str, shared: str, rng: random.Random) -> Scene:
    """Read a frame's own `text` first, and for what it leaves open the text it shares with others."""

    def found(table: Mapping[str, str]) -> str:
        return _found(table, text[:_READ]) or _found(table, shared[:_READ])

    place = found(_PLACES) or rng.choice(("hills", "hills", "park", "mountain"))
    time = found(_TIMES) or rng.choice(("day", "golden", "dawn"))
    return Scene(
        place=place,
        time="night" if place == "space" else time,
        weather=found(_WEATHERS),
        grade=found(_GRADES),
        people=int(found(_PEOPLE) or 0),
        cast=found(_CAST),
        animal=found(_ANIMALS),
        shot=found(_SHOTS),
    )


def read_edit(text: str) -> Scene:
    """What a prompt says of the hour, the weather and the mood of a picture that is there already."""
    time, weather, mood = (_found(table, text[:_READ]) for table in (_TIMES, _WEATHERS, _GRADES))
    return Scene("", time, weather, mood, 0, "", "", "")


def _found(table: Mapping[str, str], text: str) -> str:
    """The entry with the most hits; among equals the first of the table; "" without any."""
    hits = {key: len(_pattern(words).findall(text)) for key, words in table.items()}
    best = max(hits, key=lambda key: hits[key])
    return best if hits[best] else ""


@cache
def _pattern(words: str) -> re.Pattern[str]:
    choices = "|".join(words.replace("_", "[ -]").replace("*", r"\w*").split(" "))
    return re.compile(rf"\b(?:{choices})\b", re.IGNORECASE)
