"""What is learned in which order: read by the script on the board and by the simulator alike."""

TRAIN = 240  # digits to learn, one step each
TEST = 120  # digits to be tested on, before and after
RATES = {0: 0.06, 144: 0.018, 204: 0.006}  # learning rate from a step on
UPDATE = "last:5"  # the second half of the residual block and all layers after it
