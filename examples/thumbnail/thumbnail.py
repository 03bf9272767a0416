"""Makes a thumbnail of a PNG: at most as many pixels wide and high as the payload says, 128 without one.

Reads what cameras and browsers write (8 bits a channel, not interlaced, without a palette) and averages the pixels that
become one, row by row, so memory goes with the width and not with the height. The thumbnail is a PNG for the creator of
the task.
"""

import struct
import zlib

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
PIXELS = 1 << 26


def refuse(what):
    raise SystemExit(f"the input {what}")


def chunks(file):
    if file.read(8) != b"\x89PNG\r\n\x1a\n":
        refuse("is no PNG")
    while True:
        head = file.read(8)
        if len(head) < 8:
            refuse("ends too early")
        length, kind = struct.unpack(">I4s", head)
        body = file.read(length)
        if len(body) < length or file.read(4) != struct.pack(">I", zlib.crc32(kind + body)):
            refuse("is damaged")
        yield kind, body
        if kind == b"IEND":
            return


def header(body):
    if len(body) != 13:
        refuse("is damaged")
    width, height, depth, colour, packing, filtering, interlaced = struct.unpack(">IIBBBBB", body)
    if depth != 8 or colour not in CHANNELS or packing or filtering or interlaced:
        refuse("is of a kind of PNG that this does not read: 8 bits a channel, no palette, not interlaced")
    if not (0 < width and 0 < height and width * height <= PIXELS):
        refuse(f"has no pixels, or more than {PIXELS}")
    return width, height, colour


def lines(parts, size, height):
    """The rows of filtered bytes, unpacked as they are needed."""
    unpack, held = zlib.decompressobj(), bytearray()
    for kind, body in parts:
        while kind == b"IDAT" and body:
            held += unpack.decompress(body, 1 << 16)
            body = unpack.unconsumed_tail
            while len(held) > size and height:
                yield held[: size + 1]
                del held[: size + 1]
                height -= 1
    if height:
        refuse("ends too early")


def unfilter(line, above, step):
    """Undoes a row's prediction (PNG specification, section 9)."""
    kind, row = line[0], line[1:]
    if kind == 0:
        return row
    if kind == 2:
        return bytearray((a + b) & 255 for a, b in zip(row, above))
    if kind not in (1, 3, 4):
        refuse("is damaged")
    for at in range(len(row)):
        left = row[at - step] if at >= step else 0
        up = above[at]
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up) >> 1
        else:
            corner = above[at - step] if at >= step else 0
            by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            if by_left <= by_up and by_left <= by_corner:
                guess = left
            else:
                guess = up if by_up <= by_corner else corner
        row[at] = (row[at] + guess) & 255
    return row


def shrink(rows, width, height, step, to_width, to_height):
    """Rows of averages."""
    edges = [column * width // to_width for column in range(to_width + 1)]
    sums, summed, done = [0] * (to_width * step), 0, 0
    for number, row in enumerate(rows):
        for channel in range(step):
            values = row[channel::step]
            for column in range(to_width):
                sums[column * step + channel] += sum(values[edges[column] : edges[column + 1]])
        summed += 1
        if number + 1 == (done + 1) * height // to_height:
            widths = [edges[column + 1] - edges[column] for column in range(to_width)]
            yield bytes(total // (summed * widths[at // step]) for at, total in enumerate(sums))
            sums, summed, done = [0] * (to_width * step), 0, done + 1


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def main(payload, inputs, outputs):
    most = int(payload or 128)
    parts = chunks(inputs[0])
    kind, body = next(parts)
    if kind != b"IHDR":
        refuse("is damaged")
    width, height, colour = header(body)
    step = CHANNELS[colour]
    scale = max(width, height, most) / most
    to_width, to_height = max(1, int(width / scale)), max(1, int(height / scale))

    def rows():
        above = bytearray(width * step)
        for line in lines(parts, width * step, height):
            above = unfilter(line, above, step)
            yield above

    packed = zlib.compress(b"".join(b"\0" + row for row in shrink(rows(), width, height, step, to_width, to_height)))
    out = outputs.creator
    out.write(b"\x89PNG\r\n\x1a\n")
    out.write(chunk(b"IHDR", struct.pack(">IIBBBBB", to_width, to_height, 8, colour, 0, 0, 0)))
    out.write(chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    return f"{to_width} x {to_height}"
