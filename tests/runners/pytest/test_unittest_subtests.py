import unittest


class TestSums(unittest.TestCase):
    def test_one_of_three(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertNotEqual(n, 1)
