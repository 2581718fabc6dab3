"""Data cards: what people state and what is counted, told as README, Croissant and a page (docs/cards.md)."""
