"""Frames of protocols: bytes to messages and back, with a limit for what a server may send.

Belongs here: what both a handshake and a login need of one protocol. Does not: what an answer
means. In doubt: could it be told wrong by reading the protocol's page on message formats alone?
"""
