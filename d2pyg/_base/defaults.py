"""The defaults of the method, in one place. benchmarks/accuracy says what they were chosen by."""

K = 15  # neighbors a sample
SIMILARITY_K = 10  # of facility location and graph cut: what they were measured with
GAMMA_FORWARD = 10.0  # decay of forward messages with squared distance
GAMMA_REVERSE = 3.0  # decay of reverse messages
