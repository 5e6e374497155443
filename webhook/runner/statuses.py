"""With which status the program ends when it has not done what it was asked for."""

FAILED = 1  # it never will be done, as of any program
SIGNALLED = 128  # and the signal's number, as a shell reports it
# Time is over, unless another one is chosen: a `podFailurePolicy` tells it from the application's,
# which are below 128, and from those of signals, 128 to 165.
GAVE_UP = 210
