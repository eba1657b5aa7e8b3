"""How runs fare: counters for /metrics. Those of an agent that waits are told by its name."""

from prometheus_client import Counter, Gauge, Histogram

# From an answer that is there at once to one that takes the afternoon.
SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

WAITED = Histogram(
    "agentpipe_run_waited_seconds",
    "From a run's beginning until a worker first took it up.",
    ["agent"],
    buckets=SECONDS,
)
FIRST_PIECE = Histogram(
    "agentpipe_run_first_piece_seconds",
    "From a run's beginning to its first piece of text in the log.",
    ["agent"],
    buckets=SECONDS,
)
TOOK = Histogram(
    "agentpipe_run_seconds",
    "From a run's beginning to its end.",
    ["agent", "status"],
    buckets=SECONDS,
)
AT_WORK = Gauge("agentpipe_runs_at_work", "Runs that this process carries out.")
TAKEN_OVER = Counter("agentpipe_runs_taken_over", "Runs that a worker before had begun.")
VENDOR_RETRIES = Counter(
    "agentpipe_vendor_retries", "Times a model was away and is asked again.", ["agent"]
)
WRITTEN = Counter("agentpipe_run_events", "Events of runs that the recorder wrote.")
RECORDING = Histogram(
    "agentpipe_recorder_seconds", "To write what is new of all runs: one transaction."
)
SAVING = Histogram("agentpipe_checkpoint_seconds", "To write the checkpoints that come together.")
