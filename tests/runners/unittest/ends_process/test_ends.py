import os
import unittest


class TestEnds(unittest.TestCase):
    def test_a_red(self):
        self.fail()

    def test_ends(self):
        os._exit(0)
