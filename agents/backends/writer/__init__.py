"""Writes sections of websites, part by part: with a model where it has one, else from the brief."""

from agents.backends.writer.writing import Writer as Writer
