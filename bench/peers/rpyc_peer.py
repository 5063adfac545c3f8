"""RPyC, as Debian ships it: a server, and a client that does what the bench asks and says when it is done.

rpyc_peer.py server FILE      prints its port
rpyc_peer.py client PORT      reads lines "WHAT COUNT", answers each with a line "done"
"""
import sys

import rpyc
from rpyc.utils.server import ThreadedServer

CONFIG = {
    "allow_pickle": True,
    "allow_public_attrs": True,
    "sync_request_timeout": 600,
}


class Leaf:
    def size(self, x):
        return x + 1


class Branch:
    def __init__(self):
        self.leaf = Leaf()


class Tree:
    def __init__(self):
        self.branch = Branch()


class Bench(rpyc.Service):
    def __init__(self, path):
        self.path = path
        self.exposed_tree = Tree()

    def exposed_add(self, a, b):
        return a + b

    def exposed_callback(self, call, x):
        return call(x)

    def exposed_items(self, n):
        return range(n)

    def exposed_records(self, n):
        return [{"id": i, "name": "item"} for i in range(n)]

    def exposed_open(self):
        return open(self.path, "rb")


def serve(path):
    server = ThreadedServer(
        rpyc.utils.helpers.classpartial(Bench, path),
        hostname="127.0.0.1",
        port=0,
        protocol_config=CONFIG,
    )
    print(server.port, flush=True)
    server.start()


def small_call(conn, n):
    for i in range(n):
        conn.root.add(i, 1)


def hoisted(conn, n):
    add = conn.root.add
    for i in range(n):
        add(i, 1)


def dotted(conn, n):
    for i in range(n):
        conn.root.tree.branch.leaf.size(i)


def callback(conn, n):
    call = conn.root.callback
    for i in range(n):
        call(lambda x: x + 1, i)


def pipelined(conn, n):
    add = rpyc.async_(conn.root.add)
    for start in range(0, n, 1000):
        results = [add(i, 1) for i in range(start, min(n, start + 1000))]
        for result in results:
            result.wait()


def iterate(conn, n):
    total = 0
    for x in conn.root.items(n):
        total += x


def buffered(conn, n):
    total = 0
    for x in rpyc.utils.helpers.buffiter(iter(conn.root.items(n))):
        total += x


def records(conn, n):
    total = 0
    for record in conn.root.records(n):
        total += record["id"]


def obtained(conn, n):
    total = 0
    for record in rpyc.utils.classic.obtain(conn.root.records(n)):
        total += record["id"]


def download(conn, megabytes):
    left = megabytes * 1024 * 1024
    source = conn.root.open()
    while left > 0:
        chunk = source.read(min(64000, left))
        left -= len(chunk)
    source.close()


def drive(port):
    conn = rpyc.connect("127.0.0.1", port, config=CONFIG)
    print("ready", flush=True)
    for line in sys.stdin:
        what, count = line.split()
        globals()[what](conn, int(count))
        print("done", flush=True)


if sys.argv[1] == "server":
    serve(sys.argv[2])
else:
    drive(int(sys.argv[2]))
