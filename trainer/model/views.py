"""The cross-view branch: all cameras of one instant look at each other.

After the attention inside each view, the tokens of one latent frame of all views of an event form one sequence:
``h += g · W_view · Attn(h)``. Queries, keys, values and modulation start as copies of the within-view ones;
``W_view`` starts at zero, so at initialisation the tower *is* single-view Wan, whatever the cameras show
(wall_wm.md §3.1). ``W_view`` stands where attention has its output projection: the branch costs 4·d² numbers.

Camera RoPE divides each head between frame, row, column and view. The first three turn by position as in Wan;
the view's part turns by angles learned per view and shared by all layers, so no calibration is needed at run time.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.attend import Segments
from trainer.model.wan import Attention, Context, Rotation, WanBlock, axis_widths, modulations, normed, rotation_of


def view_width(head_width: int) -> int:
    """How much of a head turns by view: a quarter, even."""
    return 2 * (head_width // 8)


@dataclass(frozen=True, eq=False)
class ViewTokens:
    """The tokens of events with several views, ordered (event, frame, view, row, column)."""

    order_U: Tensor
    """int64 [U]: where each stands in the packed sequence."""
    position_U3: Tensor
    """int64: frame, row, column."""
    view_U: Tensor
    """int64: the view's place in the event."""
    segments: Segments
    """(event, frame)."""
    visible: tuple[Tensor | None, ...] | None = None
    """Per segment, which of its tokens may see each other, bool [n, n]; None: all. Training only (wall_wm.md §3.2)."""


class CameraRope(nn.Module):
    """Angles per view, one table for all cross-view layers."""

    def __init__(self, head_width: int, max_views: int) -> None:
        super().__init__()
        turned = view_width(head_width)
        self.widths = axis_widths(head_width - turned)
        # Unlike angles from the start: with equal ones no gradient could ever tell two cameras apart by angle.
        self.angles = nn.Parameter(torch.randn(max_views, turned // 2))

    def forward(self, tokens: ViewTokens) -> Rotation:
        """Raises ValueError when an event has more views than the table."""
        most = int(tokens.view_U.max()) + 1
        if most > len(self.angles):
            raise ValueError(f"an event has {most} views, the model knows {len(self.angles)}: raise `max_views`")
        positions = rotation_of(tokens.position_U3, self.widths)
        angles_UH = self.angles[tokens.view_U]
        cos_UH = torch.cat([positions.cos_TH, angles_UH.cos()], dim=1)
        return Rotation(cos_UH, torch.cat([positions.sin_TH, angles_UH.sin()], dim=1))


@dataclass(frozen=True, eq=False)
class Across:
    """What every cross-view layer of one forward pass shares."""

    tokens: ViewTokens
    rotation: Rotation


class ViewBranch(nn.Module):
    """One cross-view layer, beside the Wan block it belongs to."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.modulation = nn.Parameter(torch.randn(1, 3, width) / width**0.5)

    def copy_from(self, block: WanBlock) -> None:
        """Start from the block's within-view attention; ``W_view`` (``attn.o``) from zero."""
        self.attn.load_state_dict(block.self_attn.state_dict())
        nn.init.zeros_(self.attn.o.weight)
        nn.init.zeros_(self.attn.o.bias)
        with torch.no_grad():
            self.modulation.copy_(block.modulation[:, :3])

    def forward(self, x_TD: Tensor, context: Context, across: Across) -> Tensor:
        """x after the views of each instant have read each other; events with one view pass unchanged."""
        tokens = across.tokens
        x_UD = x_TD[tokens.order_U]
        shift, scale, gate = modulations(self.modulation, context.time_R6D[:, :3], context.row_T[tokens.order_U])
        h_UD = (normed(x_UD) * (1 + scale) + shift).type_as(x_UD)
        read_UD = self.attn(h_UD, h_UD, tokens.segments, across.rotation, tokens.visible) * gate
        return x_TD.index_add(0, tokens.order_U, read_UD)
