"""Keeping to the rate that a vendor's answers tell, so that a submit waits instead of being refused."""

from __future__ import annotations

from dataclasses import dataclass

from ai_content_pipeline.providers.pace import Pace

#: Seconds to send nothing after a 429 that names no time.
_UNSAID = 1.0
#: Seconds between two submits: never further apart, and below the second not kept apart at all.
_WIDEST, _NARROWEST = 60.0, 0.05


@dataclass(slots=True)
class Pacer:
    """One vendor's rate as far as it is known. Times are of a steady clock. Not for several threads at once.

    A refusal closes the door for everybody for as long as the vendor says, and then lets submits through
    one by one, at a distance that each acceptance halves. Where answers say how many are left, no more go
    than that until it is reset; `flying` have gone and are not in the vendor's number yet.
    """

    opens: float = 0.0
    _last: float = float("-inf")
    _spacing: float = 0.0
    _left: int | None = None
    _resets: float = 0.0
    _flying: int = 0

    def heard(self, pace: Pace, now: float) -> None:
        """An answer to a submit came, or failed to."""
        self._flying = max(0, self._flying - 1)
        pause = pace.pause or (_UNSAID if pace.refused else 0.0)
        if pace.refused and now >= self.opens:  # of several refused at once the first one counts
            self._spacing = min(_WIDEST, max(2 * self._spacing, pause))
        elif pace.refused is False:
            self._spacing = self._spacing / 2 if self._spacing > _NARROWEST else 0.0
        if pause:
            self.opens = max(self.opens, now + pause)
        if pace.left is not None and pace.reset is not None:
            self._left, self._resets = pace.left, now + pace.reset

    def delay(self, now: float) -> float:
        """Seconds until the next submit may go, as far as is known now."""
        if self._left is not None and now >= self._resets:
            self._left, self._flying = None, 0
        spent = self._left is not None and self._left <= self._flying
        return max(self.opens - now, self._last + self._spacing - now, self._resets - now if spent else 0.0)

    def went(self, now: float) -> None:
        """A submit goes now."""
        self._last = now
        self._flying += 1
