"""Tests of data_cards."""
