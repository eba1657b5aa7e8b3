"""Servers that do nothing but fan out, each in the way its own documentation shows.

Each is a program of its own: it says its port on the first line, and then tells everybody what it
is asked for, a line each.
"""
