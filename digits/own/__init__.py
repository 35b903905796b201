"""How people's own data are told apart and read: digits/own/gather.py is the way in."""
