"""Floor 5: the CLI, executors, the run ledger, progress and reports; the only place that imports ray."""

import os

# Ray reads this once, when it is first imported. Without it any call from a thread that still waits for Ray
# starts a second cluster while the first shuts down; Linux kills that one when the thread ends, and the whole
# process a minute later, without a word.
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
# A call to a machine that can no longer be reached ends after one and a half minutes. Ray's own seven hold up a whole
# stage when a network cable is cut, as nothing closes the connection (docs/faults.md).
os.environ.setdefault("RAY_grpc_client_keepalive_time_ms", "30000")
os.environ.setdefault("RAY_grpc_client_keepalive_timeout_ms", "60000")
