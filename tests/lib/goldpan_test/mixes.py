# SPDX-License-Identifier: GPL-2.0-or-later
"""Loads of all kinds of requests that a server has an answer for, drawn at random: one of them by
each call. What the servers need for them is beside them."""

import os

from .http_client import Request
from .postgresql_client import FLUSH, Extended, Query, bind, close, describe, execute, parse
from .redis_client import Command
from .servers import Nginx

ALWAYS = "Thu, 01 Jan 2099 00:00:00 GMT"
LOCATIONS = """
    location /none { return 204; }
    location /busy { return 503; }
    location /broken { return 500; }
    location /away { return 302 /; }
    location /long { return 200 "%s"; }
    location /chunked { ssi on; ssi_types *; alias %s/; }
    location /files { dav_methods PUT DELETE; create_full_put_path on; }
    if_modified_since before; client_max_body_size 300k; client_body_buffer_size 4k;
"""
FIND = "SELECT name FROM things WHERE id = $1"
ADD = "INSERT INTO things VALUES ($1, 'new')"
# What each session begins with: a table of its own, so that none waits for another.
POSTGRESQL_FIRST = (
    Query("CREATE TEMP TABLE things (id int PRIMARY KEY, name text)"),
    Query("INSERT INTO things SELECT i, 'old' FROM generate_series(1, 100) i"),
    Extended("PARSE", parse(FIND, "find")),
    Extended("PARSE", parse(ADD, "add"), describe("add")),
)


class MixedNginx(Nginx):
    """With an answer for all that `http` asks; its `files` are where the client puts some."""

    def __init__(self, directory, ports, **options):
        self.files = os.path.join(directory, f"nginx-{ports[0]}", "www", "files")
        www = os.path.dirname(self.files)
        super().__init__(directory, ports, server=LOCATIONS % ("long" * 1000, www), **options)
        os.mkdir(self.files)
        os.chmod(self.files, 0o777)


def http(rng):
    """One of all that the server has an answer for, the plain ones most often."""
    body = rng.randbytes(rng.choice((0, 1, 10, 500, 5000)))
    name = f"/files/{rng.randrange(20)}"
    return rng.choices((
        Request("GET", "/"),
        Request("GET", "/?q=" + "q" * rng.randrange(800), headers=(f"X-Some: {'s' * 90}",) * 3),
        Request("HEAD", "/"),
        Request("GET", "/missing"),
        Request("GET", "/none"),
        Request("GET", "/busy"),
        Request("GET", "/away"),
        Request("GET", "/", headers=(f"If-Modified-Since: {ALWAYS}",)),
        Request("GET", "/long"),
        Request("GET", "/chunked/index.html"),
        Request("HEAD", "/chunked/index.html"),
        Request("POST", "/", body),
        Request("POST", "/none", body, chunked=rng.choice((0, 20, 700))),
        Request("PUT", name, body),
        Request("PUT", name, body, chunked=rng.choice((20, 700, 6000))),
        Request("DELETE", name),
        Request("OPTIONS", "/"),
        Request("PATCH", "/none", body),
        Request("BREW", "/none"),
    ), (20, 5, 5, 3, 3, 3, 2, 3, 1, 4, 1, 2, 3, 3, 3, 2, 1, 1, 1))[0]


def redis(rng, most=2000):
    """One of all kinds of commands and errors, the plain ones most often; values of up to `most`
    bytes, a rare one of 50 times that."""
    key, value = f"key:{rng.randrange(50)}", rng.randbytes(rng.choice((0, 3, most // 20, most)))
    return rng.choices((
        Command("GET", key),
        Command("SET", key, value),
        Command("set", key, value, "EX", 100),
        Command("MGET", *(f"key:{i}" for i in range(rng.randrange(1, 20)))),
        Command("INCR", "counter"),
        Command("LPUSH", "list", value),
        Command("LRANGE", "list", 0, rng.randrange(10)),
        Command("LTRIM", "list", 0, 100),
        Command("HSET", "hash", key[-1], value),
        Command("HGETALL", "hash"),
        Command("ZADD", "sorted", rng.random(), key[-1]),
        Command("ZRANGE", "sorted", 0, -1, "WITHSCORES"),
        Command("DEL", key),
        Command("EXISTS", key),
        Command("PING"),
        Command("ECHO", value),
        Command("CONFIG", "GET", "max*", operation="CONFIG GET"),
        Command("client", "setname", "tester", operation="CLIENT SETNAME"),
        Command("OBJECT", "ENCODING", key, operation="OBJECT ENCODING"),
        Command("EVAL", "return {1, {2, 'three', {}}, false}", 0),
        Command("SET", "big", value * 50),
        Command("GET", "big"),
        Command("PING", inline=True),
        Command("SET", key, "inline", inline=True),
        Command("get", key, inline=True),
        Command("LPUSH", "counter", 1),  # WRONGTYPE
        Command("GET"),  # ERR: wrong number of arguments
        Command("BREW", "tea", operation="other"),  # ERR: unknown command
        Command("EVALSHA", "0" * 40, 0),  # NOSCRIPT
        Command("EVAL", "return redis.error_reply('MINE own')", 0),
        Command("HELLO", 9),  # NOPROTO
        Command("XGROUP", "CREATE", "none", "group", 0, operation="XGROUP CREATE"),  # ERR
    ), (20, 20, 5, 5, 5, 5, 5, 5, 5, 2, 5, 2, 5, 5, 3, 3, 1, 1, 2, 2, 1, 1, 3, 2, 3, 3, 3, 3, 2, 0,
        1, 1))[0]


def _simple(rng):
    key = rng.randrange(1, 1000)
    return rng.choice((
        Query(f"SELECT name FROM things WHERE id = {key}"),
        Query(f"select '{'x' * key}'"),
        Query("SELECT i, 'row' FROM generate_series(1, 50) i"),
        Query(f"INSERT INTO things VALUES ({key}, 'new')"),  # often 23505
        Query(f"UPDATE things SET name = 'set' WHERE id < {key % 100}"),
        Query(f"DELETE FROM things WHERE id = {key}"),
        Query("SELECT 1 / 0"),  # 22012
        Query("SELECT * FROM nowhere"),  # 42P01
        Query("SELEC 1", operation="other"),  # 42601
        Query("SELECT 1; SELECT 2; SELECT 3"),
        Query("UPDATE things SET name = 'a'; SELECT 1 / 0; SELECT 1"),
        Query("", operation="other") if key % 2 else Query(";", operation="other"),
        Query("-- a note\n /* and another */ SELECT 1", operation="SELECT"),
        Query("(SELECT 1) UNION (SELECT 2)", operation="SELECT"),
        Query("WITH a AS (SELECT 1) SELECT * FROM a"),
        Query("VALUES (1), (2)"),
        Query("SHOW work_mem"),
        Query("SET work_mem = '5MB'"),
        Query("EXPLAIN SELECT 1"),
        Query("DROP TABLE IF EXISTS nowhere"),  # with a notice
        Query("BEGIN"), Query("COMMIT"), Query("ROLLBACK"), Query("END"),
    ))


def _extended(rng):
    key = str(rng.randrange(1, 1000))
    return rng.choice((
        Extended("SELECT", parse(FIND), bind(key), execute()),
        Extended("SELECT", parse("SELECT repeat('y', $1)"), describe(), bind(key), execute()),
        Extended("SELECT", parse(FIND), FLUSH, bind(key), FLUSH, execute(), FLUSH),
        Extended("INSERT", parse(ADD), bind(key), execute()),
        Extended("SELECT", parse("SELECT 1 / $1::int"), bind("0"), execute()),
        Extended("other", parse("SELEC 1"), bind(), execute()),
        Extended("UPDATE", parse("SELECT 1"), bind(), execute(),
                 parse("UPDATE things SET name = $1"), bind("both"), execute()),
        Extended("PARSE", parse("SELECT 1"), describe()),
        Extended("PARSE", parse("SELECT * FROM nowhere")),
        Extended(None, bind(key, name="find"), execute()),
        Extended(None, bind(key, name="find"), execute(), bind(key, name="find"), execute()),
        Extended(None, bind(key, name="add"), execute()),
        Extended(None, bind("none", name="find"), execute()),  # 22P02
        Extended(None, bind(name="never"), execute()),  # 26000
        Extended(None, close("never")),
        Extended(None),
        Extended("BEGIN", parse("BEGIN"), bind(), execute()),
        Extended("COMMIT", parse("commit"), bind(), execute()),
        Query("ROLLBACK"),
    ))


def postgresql(rng):
    return (_simple if rng.random() < 0.5 else _extended)(rng)
