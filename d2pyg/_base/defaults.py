"""The defaults of the method, in one place. benchmarks/accuracy says how they were chosen."""

K = 15  # neighbors per sample
SIMILARITY_K = 10  # neighbors of facility location and graph cut, as in benchmarks/accuracy
GAMMA_FORWARD = 10.0  # decay of forward messages with squared distance
GAMMA_REVERSE = 3.0  # decay of reverse messages
