"""What a phone asks over HTTP, told to the byte and timed; every question is a connection of its own."""

import asyncio
import contextlib
import math
import socket
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from wall_lab import FOREIGN, OPEN_PORT, ROUTER

PROBE = "http://connectivitycheck.gstatic.cn/generate_204"
REDIRECTS = (302, 307)
PORTAL = "sz01.sw.cn"  # the name of the fixture's store

# What a phone's little window says it is. (openNDS 9.10 dies of a page asked for without.)
AGENT = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/124.0 Mobile Safari/537.36"


class NotMeasured(Exception):
    """Why not."""


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes


def place(parts):
    """As DNS would have it: the portal's name is the router, any other name is somewhere in the Internet."""
    return ROUTER if parts.hostname in (PORTAL, ROUTER) else FOREIGN, parts.port or 80


def question(url, form=None, accept="identity"):
    """Where to ask, and what to send."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = f"{'GET' if form is None else 'POST'} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    head += f"User-Agent: {AGENT}\r\nAccept-Encoding: {accept}\r\nAccept-Language: zh-CN,zh;q=0.9\r\n"
    head += "Connection: close\r\n"
    if form is not None:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
    return place(parts), f"{head}\r\n{form or ''}".encode()


def read(raw):
    """The answer, whole; a connection that ended before it did is an error."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = int(headers.get("content-length", len(body)))
    if not separator or len(body) < length:
        raise ConnectionError("the answer broke off")
    return Answer(int(lines[0].split(" ")[1]), headers, body[:length])


def ask(lab, phone, url, accept="identity"):
    address, sent = question(url, accept=accept)
    with lab.socket(phone) as to:
        to.settimeout(20)
        to.connect(address)
        to.sendall(sent)
        return read(b"".join(iter(lambda: to.recv(65536), b"")))


def led_to(lab, phone, patience=30):
    """Where the check leads. Who is hung up on, or gets another answer, asks again, as phones do."""
    until = time.monotonic() + patience
    while True:
        answer = None
        with contextlib.suppress(OSError):
            answer = ask(lab, phone, PROBE)
            if answer.status in REDIRECTS:
                return answer.headers["location"]
        if time.monotonic() > until:
            raise NotMeasured(f"the check of a phone is not led to a page: {answer and answer.status}")
        time.sleep(0.1)


async def ask_meanwhile(lab, phone, url):
    """The same while other phones ask too."""
    loop = asyncio.get_running_loop()
    address, sent = question(url)
    raw = b""
    with lab.socket(phone) as to:
        to.setblocking(False)
        await loop.sock_connect(to, address)
        await loop.sock_sendall(to, sent)
        while chunk := await loop.sock_recv(to, 65536):
            raw += chunk
    return read(raw)


def join_all(lab, phones, marks, within):
    """All phones join at the same moment: after how many seconds each had its page (none: infinitely many), and
    how often one had to ask again, a second after it was hung up on or turned away."""
    again = 0

    async def answer(phone, url, *statuses):
        nonlocal again
        while True:
            with contextlib.suppress(ConnectionError):
                given = await ask_meanwhile(lab, phone, url)
                if given.status in statuses:
                    return given
            again += 1
            await asyncio.sleep(1)

    async def join(phone):
        led = await answer(phone, PROBE, *REDIRECTS)
        shown = await answer(phone, led.headers["location"], 200)
        if marks not in shown.body:
            raise NotMeasured("another page than the portal's")
        return time.monotonic()

    async def all_of_them():
        began = time.monotonic()
        joins = [asyncio.create_task(join(phone)) for phone in phones]
        done, late = await asyncio.wait(joins, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return sorted(task.result() - began for task in done) + [math.inf] * len(late)

    return asyncio.run(all_of_them()), again


def is_through(within):
    """Whether a connection into the Internet can be made from here, looked at once."""
    with socket.socket() as to:
        to.settimeout(within)
        try:
            to.connect((FOREIGN, OPEN_PORT))
        except OSError:
            return False
        return True


def click(lab, phone, server, way):
    """Sees the page, taps, and tries without a rest: seconds from the tap to the first connection through."""
    url = led_to(lab, phone)
    page = ask(lab, phone, url).body
    address, sent = question(*server.click(way, url, page))
    with lab.at(phone.space), socket.socket() as to:
        if is_through(0.2):
            raise NotMeasured(f"{server.name} has no wall")
        to.settimeout(10)
        to.connect(address)
        began = time.perf_counter()
        to.sendall(sent)
        # Where a refusal is lost the kernel would look again only after a second.
        while not is_through(0.005):
            if time.perf_counter() - began > 10:
                raise NotMeasured(f"{server.name} let nobody through: {to.recv(300)}")
        return time.perf_counter() - began
