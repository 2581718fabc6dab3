"""Contact traces written by hand: what bodies do in a few lines, 20 Hz."""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.sim.boundaries import ItemTrace, Trace
from schemas.array import Bools, Floats

RATE_HZ = 20.0


@dataclass
class Maker:
    """Appends stretches of frames; a held object moves with the tool, one let go of falls at once."""

    at: Floats = field(default_factory=lambda: np.zeros(3))
    tool: list[Floats] = field(default_factory=list)
    item: list[Floats] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    touched: list[bool] = field(default_factory=list)
    supported: list[bool] = field(default_factory=list)
    place: Floats = field(default_factory=lambda: np.zeros(3))

    def move(
        self, frames: int, to: tuple[float, float, float] | None = None, *, held: bool = False, touched: bool = False,
        supported: bool | None = None, opening: float = 1.0,
    ) -> "Maker":  # fmt: skip
        """``frames`` frames, evenly to ``to``; an object above the table is supported only if said so."""
        start, end = self.at, self.at if to is None else np.array(to)
        for k in range(1, frames + 1):
            self.at = start + (end - start) * k / frames
            if held or touched:
                self.place = self.place + self.at - (self.tool[-1] if self.tool else start)
            elif not supported:
                self.place = self.place * [1.0, 1.0, 0.0]
            self.tool.append(self.at)
            self.item.append(self.place)
            self.opening.append(0.4 if held else opening)
            self.held.append(held)
            self.touched.append(held or touched)
            self.supported.append(bool(self.place[2] < 1e-6) if supported is None else supported)
        return self

    def trace(self) -> Trace:
        flags: list[Bools] = [np.array(flag, np.bool_) for flag in (self.held, self.touched, self.supported)]
        item = ItemTrace("cup", np.array(self.item), *flags)
        return Trace(RATE_HZ, np.array(self.tool), np.array(self.opening), (item,))


def pick(maker: Maker) -> Maker:
    """Reach, close, wait, lift by 20 cm."""
    x, y, _ = maker.at
    maker.move(10, (x, y, 0.0)).move(6, held=True)
    return maker.move(10, (x, y, 0.2), held=True)


def place(maker: Maker) -> Maker:
    """Carry 30 cm aside, put down, stand, let go, go up."""
    x, y, _ = maker.at
    maker.move(20, (x + 0.3, y, 0.2), held=True).move(10, (x + 0.3, y, 0.0), held=True)
    return maker.move(4, held=True).move(8).move(10, (x + 0.3, y, 0.2))
