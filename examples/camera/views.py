"""A picture as it could have been taken, too: mirrored, moved, in another light; and shrunk.

Runs on the board and on the host alike. Pictures are bytes, row by row, channels last.
"""

# mirrored, moved right and down by 28ths of the size, brighter by so many of 256
VIEWS = ((False, 0, 0, 0), (True, 0, 0, 0), (False, 2, 1, 30), (True, -1, -2, -30))


def inside(place, size):
    """The nearest place in a row: the border is repeated."""
    return 0 if place < 0 else size - 1 if place >= size else place


def view(pixels, out, shape, mirror, right, down, light):
    """Fill `out` with a view of `pixels`; shape: height, width, channels."""
    height, width, channels = shape
    right, down = right * width // 28, down * height // 28
    columns = [inside(c - right, width) for c in range(width)]
    if mirror:
        columns = [width - 1 - c for c in columns]
    starts = [c * channels + k for c in columns for k in range(channels)]
    i = 0
    for r in range(height):
        row = inside(r - down, height) * width * channels
        for start in starts:
            value = pixels[row + start] + light
            out[i] = 0 if value < 0 else 255 if value > 255 else value
            i += 1


def shrink(pixels, out, source, shape):
    """Fill `out` with the middle square of a larger picture; channels are repeated or left out.

    source, shape: height, width, channels; each pixel is the nearest one of the square.
    """
    height, width, channels = source
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    i = 0
    for r in range(shape[0]):
        row = (top + r * side // shape[0]) * width + left
        for c in range(shape[1]):
            at = (row + c * side // shape[1]) * channels
            for k in range(shape[2]):
                out[i] = pixels[at + (k if k < channels else 0)]
                i += 1
