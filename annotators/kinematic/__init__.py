"""What fingers and tools say: signals, holds, contacts, phases, and the cuts between them (events.md K1-K7)."""
