"""Captions and groups from a vision-language model: it names what the signals have cut, and never writes a time.

``request`` is the border: a conversation (what to ask, how to check the answer) knows nothing of servers, and a server
client knows nothing of events. Answers are joined to questions by content, never by order.
"""
