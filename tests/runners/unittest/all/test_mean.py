import unittest

import mean


class TestMean(unittest.TestCase):
    def test_of_two(self):
        self.assertEqual(mean.mean([1, 3]), 2)

    def test_red(self):
        """It has a first line."""
        self.assertEqual(mean.mean([1, 3]), 3)

    def test_needs_what_is_missing(self):
        self.assertEqual(mean.median([1, 3]), 2)

    def test_raises(self):
        mean.mean([])

    @unittest.skip("not now")
    def test_skipped(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        self.fail()

    @unittest.expectedFailure
    def test_unexpected(self):
        pass

    def test_one_of_three(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertNotEqual(n, 1)


class TestTearDown(unittest.TestCase):
    def tearDown(self):
        raise RuntimeError("torn down")

    def test_green(self):
        pass

    def test_red(self):
        self.fail("before that")
