import unittest


class TestTools(unittest.TestCase):
    def test_nothing(self):
        pass
