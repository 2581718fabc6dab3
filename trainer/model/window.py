"""Which latent frame of an observation-centred window a token belongs to (wall_wm.md §3.8).

In the last, optional stage a window holds history, the anchor, which is the observation, and the future. Frames before
the anchor are clean and not in the loss. RoPE tells how far frames are apart but not which of them is now; that is
what this second index says, beside the time index τ: −M … N, 0 for the anchor.

The look-ups are not alike on both sides. Video tokens, and the keys and values the action tower makes of them, can be
of any frame, so their tables have M + 1 + N rows. State and actions are never in the past, so what asks has 1 + N rows.
All start at zero: the stage starts from the model as it was.
"""

import torch
from torch import Tensor, nn


class WindowIndex(nn.Module):
    """Tables of the index."""

    def __init__(self, history: int, future: int, video_width: int, action_width: int) -> None:
        super().__init__()
        self.history, self.future = history, future
        self.video = _zeros(history + 1 + future, video_width)
        self.key = _zeros(history + 1 + future, action_width)
        self.query = _zeros(1 + future, action_width)

    def of_video(self, window_T: Tensor) -> Tensor:
        """What is added to video tokens before the first block [T, video width]."""
        out: Tensor = self.video(self._row(window_T))
        return out

    def of_keys(self, window_T: Tensor) -> Tensor:
        """What is added to τ of video tokens [T, action width]."""
        out: Tensor = self.key(self._row(window_T))
        return out

    def of_queries(self, tau_S: Tensor) -> Tensor:
        """What is added to τ of state and actions [S, action width]."""
        out: Tensor = self.query(tau_S)
        return out

    def _row(self, window_T: Tensor) -> Tensor:
        low, high = int(window_T.min()), int(window_T.max())
        if low < -self.history or high > self.future:
            raise ValueError(
                f"a window reaches from {low} to {high}, the model knows −{self.history} … {self.future}: "
                "lower `history` of the data, or raise `history` or `max_tau` of the model"
            )
        return window_T + self.history


def _zeros(rows: int, width: int) -> nn.Embedding:
    table = nn.Embedding(rows, width)
    torch.nn.init.zeros_(table.weight)
    return table
