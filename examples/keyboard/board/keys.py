"""Where keys come from. `await get()` gives a character, or one of the control characters below."""

import asyncio
import sys

TAB, BACKSPACE, DELETE, RESET, QUIT = "\t", "\x08", "\x7f", "\x12", "\x18"  # Ctrl-R, Ctrl-X


class Terminal:
    """The serial port's: what is typed at the REPL's prompt on the other end."""

    def __init__(self):
        self.reader = asyncio.StreamReader(sys.stdin)

    async def get(self):
        """The next key."""
        key = await self.reader.read(1)
        if not isinstance(key, str):
            key = chr(key[0])
        return "\n" if key == "\r" else key


class Matrix:
    """A matrix of switches: one pin a row, one a column; a switch connects the two.

    rows, columns: machine.Pin; keymap: a character for each switch, row by row. A key counts when
    two scans in a row, SCAN_MS apart, find it pressed: that keeps bouncing contacts out.
    """

    SCAN_MS = 5

    def __init__(self, rows, columns, keymap):
        self.rows, self.columns, self.keymap = rows, columns, keymap
        for pin in rows:
            pin.init(pin.OUT, value=1)
        for pin in columns:
            pin.init(pin.IN, pin.PULL_UP)
        self.was = bytearray(len(keymap))  # 0 released, 1 pressed in the last scan, 2 counted
        self.pressed = []

    async def get(self):
        """The next key."""
        while not self.pressed:
            self.scan()
            if not self.pressed:
                await asyncio.sleep_ms(self.SCAN_MS)
        return self.pressed.pop(0)

    def scan(self):
        """Look at all switches once."""
        place = 0
        for row in self.rows:
            row.value(0)
            for column in self.columns:
                down = not column.value()
                before = self.was[place]
                self.was[place] = min(before + 1, 2) if down else 0
                if down and before == 1:
                    self.pressed.append(self.keymap[place])
                place += 1
            row.value(1)
