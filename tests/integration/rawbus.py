# SPDX-License-Identifier: LGPL-2.1-or-later
"""A D-Bus client that sends what no library would, and reads just enough of the answers (D-Bus specification)."""
import array
import os
import socket
import struct

import world

CALL, RETURN, ERROR = 1, 2, 3
ALIGN = {"y": 1, "b": 4, "n": 2, "q": 2, "i": 4, "u": 4, "x": 8, "t": 8, "d": 8, "s": 4, "o": 4, "g": 1, "a": 4, "(": 8,
         "{": 8, "v": 1, "h": 4}
PACK = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
CLOSING = {"(": ")", "{": "}"}


def split(signature):
    """The complete types in a signature."""
    types, i = [], 0
    while i < len(signature):
        start = i
        while signature[i] == "a":
            i += 1
        depth = 0
        while True:
            depth += signature[i] in "({"
            depth -= signature[i] in ")}"
            i += 1
            if depth == 0:
                break
        types.append(signature[start:i])
    return types


def pad(data, alignment):
    data.extend(b"\0" * (-len(data) % alignment))


def marshal(data, kind, value):
    """Appends a value of one complete type. A variant's value is (type, value)."""
    pad(data, ALIGN[kind[0]])
    if kind in PACK:
        data.extend(struct.pack("<" + PACK[kind], value))
    elif kind in "so":
        text = value if isinstance(value, bytes) else value.encode()
        data.extend(struct.pack("<I", len(text)) + text + b"\0")
    elif kind == "g":
        data.extend(struct.pack("B", len(value)) + value.encode() + b"\0")
    elif kind == "v":
        marshal(data, "g", value[0])
        marshal(data, *value)
    elif kind[0] == "a":
        at = len(data)
        data.extend(b"\0" * 4)
        pad(data, ALIGN[kind[1]])
        start = len(data)
        for item in value:
            marshal(data, kind[1:], item)
        struct.pack_into("<I", data, at, len(data) - start)
    else:
        for inner, item in zip(split(kind[1:-1]), value):
            marshal(data, inner, item)


def body_of(signature, *values):
    data = bytearray()
    for kind, value in zip(split(signature), values):
        marshal(data, kind, value)
    return bytes(data)


class Hangup(Exception):
    pass


class RawBus:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(world.BUS_SOCKET)
        self.buffer = b""
        self.serial = 0
        self.answers = {}
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        self.line(b"OK ")
        self.socket.sendall(b"NEGOTIATE_UNIX_FD\r\n")
        self.line(b"AGREE_UNIX_FD")
        self.socket.sendall(b"BEGIN\r\n")
        self.call("Hello", path="/org/freedesktop/DBus", interface="org.freedesktop.DBus",
                  destination="org.freedesktop.DBus")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def line(self, start):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        assert line.startswith(start), line

    def fill(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            raise Hangup()
        self.buffer += data

    def send(self, member, signature="", *values, body=None, fds=(), path="/org/freedesktop/machine1",
             interface="org.freedesktop.machine1.Manager", destination="org.freedesktop.machine1"):
        """Sends a call; body: bytes in the place of marshalled values. Returns its serial."""
        self.serial += 1
        body = body_of(signature, *values) if body is None else body
        fields = [(1, ("o", path)), (2, ("s", interface)), (3, ("s", member)), (6, ("s", destination))]
        if signature:
            fields.append((8, ("g", signature)))
        if fds:
            fields.append((9, ("u", len(fds))))
        header = bytearray(struct.pack("<cBBBII", b"l", CALL, 0, 1, len(body), self.serial))
        marshal(header, "a(yv)", fields)
        pad(header, 8)
        message = bytes(header) + body
        if fds:
            control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            message = message[self.socket.sendmsg([message], control):]
        try:
            self.socket.sendall(message)
        except ConnectionError:
            raise Hangup() from None
        return self.serial

    def receive(self):
        """Takes one message and keeps what it answers: None, or the error's name."""
        while len(self.buffer) < 16:
            self.fill()
        _, kind, _, _, size, _, fields_size = struct.unpack("<cBBBIII", self.buffer[:16])
        start = 16 + fields_size + (-fields_size % 8)
        while len(self.buffer) < start + size:
            self.fill()
        fields = self.buffer[16:16 + fields_size]
        self.buffer = self.buffer[start + size:]
        if kind not in (RETURN, ERROR):
            return
        serial = error = None
        at = 0
        while at < len(fields):  # each is aligned to 8: code, signature of one letter, value
            at += -at % 8
            code, letter = fields[at], chr(fields[at + 2])
            at += 4
            if letter == "g":
                at += 2 + fields[at]
                continue
            at += -at % 4
            number = struct.unpack_from("<I", fields, at)[0]
            at += 4
            if letter in "so":
                if code == 4:
                    error = fields[at:at + number].decode()
                at += number + 1
            elif code == 5:
                serial = number
        self.answers[serial] = error

    def answer(self, serial):
        """None when the call succeeded, else the name of the error."""
        while serial not in self.answers:
            self.receive()
        return self.answers.pop(serial)

    def call(self, *arguments, **keywords):
        return self.answer(self.send(*arguments, **keywords))
