"""vLLM servers that a run starts for itself: one per GPU, watched, restarted, and gone when the run is.

``command`` says what is started, ``guard`` sees that nothing outlives the run, ``server`` watches one server, and
``fleet`` starts as many as there are GPUs, as Ray actors.
"""
