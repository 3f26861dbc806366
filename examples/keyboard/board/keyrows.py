"""What the network reads: rows of its table, computed from the text. Runs on board and host.

A key is a code, 0 .. 95: the printable ASCII characters from space on, then newline. The network
predicts the code at position `i` of a text from the codes before it, by the rows of one table:
those of the last LETTERS characters, and one for each of the longer contexts below, which are too
many for a row each and share ROWS rows by their hash value.
"""

CODES = 96
NEWLINE = 95
LETTERS = 8  # characters with a row of their own
GRAMS = (2, 3, 4, 5)  # the last so many characters together; then the last word, the last two
HASHED = len(GRAMS) + 2
ROWS = 512  # of each hashed context
TABLE = CODES + HASHED * ROWS
INPUTS = LETTERS + HASHED
REACH = 24  # how far back contexts go

# (65535 * FACTOR) and (65535 * ROWS) stay below 2**30: small integers, for which MicroPython
# allocates nothing
FACTOR = 12085


def code_of(key):
    """The code of a character; what is no printable ASCII counts as a space."""
    n = ord(key)
    if 32 <= n < 127:
        return n - 32
    return NEWLINE if n == 10 else 0


def key_of(code):
    """The character of a code."""
    return "\n" if code == NEWLINE else chr(code + 32)


def is_letter(code):
    """Whether a code is one of a .. z or A .. Z."""
    return 33 <= code <= 58 or 65 <= code <= 90


def rows(text, i, out):
    """The rows for position `i` of `text`, bytes of codes, into out[:INPUTS].

    REACH codes must lie before `i`.
    """
    for k in range(LETTERS):
        out[k] = text[i - 1 - k]
    k, base = LETTERS, CODES
    for n in GRAMS:
        out[k] = base + _hash(text, i - n, i)
        k, base = k + 1, base + ROWS
    start = word_start(text, i, i - REACH)
    out[k] = base + _hash(text, start, i)
    out[k + 1] = base + ROWS + _hash(text, word_start(text, start, i - REACH), i)


def word_start(text, i, first):
    """Where the last word that begins before `i` begins, not before `first`."""
    while i > first and not is_letter(text[i - 1]):
        i -= 1
    while i > first and is_letter(text[i - 1]):
        i -= 1
    return i


def _hash(text, first, end):
    h = 0
    for j in range(first, end):
        h = (h * FACTOR + text[j] + 1) & 0xFFFF
    return h * ROWS >> 16
