"""Tests of the conversation with a vision-language model, and whoever answers."""
