"""The keyboard on the host: text, pretraining, rehearsal, results, and typing at an emulated board.

What runs on the board is in `board/`; `keyrows` and `lessons` of it run here as well.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent / "board"))
