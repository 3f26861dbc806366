"""The parts of the test bed's driver; drive.py is the way in."""
