"""Recognisers of what readers of our texts obey, written from their documentation and sources, and
a generator of texts that they would obey. Nothing of the program under test is used."""
