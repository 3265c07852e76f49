# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS: a certificate for nginx, and a client that decides itself how records become segments."""

import os
import shutil
import ssl
import subprocess
import unittest

from .clients import Account, Connection
from .mixes import MixedNginx

FIRST = 6  # bytes
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def certificate(directory, name="localhost"):
    """(certificate, key): a new one, signed by itself. Their paths."""
    if not shutil.which("openssl"):
        raise unittest.SkipTest("needs openssl")
    paths = tuple(os.path.join(directory, f"{name}.{kind}") for kind in ("crt", "key"))
    if not os.path.exists(paths[0]):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                        f"/CN={name}", "-out", paths[0], "-keyout", paths[1]],
                       check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return paths


def nginx(directory, ports, listen="ssl", server="", protocols="TLSv1.2 TLSv1.3",
          **options):
    """A MixedNginx that speaks TLS on its ports."""
    crt, key = certificate(directory)
    return _TlsNginx(directory, ports, listen=listen, http=f"""
        ssl_certificate {crt}; ssl_certificate_key {key}; ssl_session_cache shared:all:1m;
        ssl_protocols {protocols}; {server}""", **options)


class _TlsNginx(MixedNginx):
    """Its settings of TLS are those of all servers, its counts on a port without."""


def context(version=None, alpn=(), chain=None):
    """What a client may say: this version alone, these protocols inside, this certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = VERSIONS[version]
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if chain:
        made.load_cert_chain(*chain)
    return made


def hello(settings):
    """A client's first bytes."""
    outgoing = ssl.MemoryBIO()
    try:
        settings.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class TlsConnection(Connection):
    """As Connection, of what is inside. A handshake whose end is `held` goes out with what is sent
    first. With `rng`, what is sent is cut anywhere, handshake included, but for the first bytes, by
    which it is told."""

    def __init__(self, port, account, settings, held=False, rng=None, session=None):
        super().__init__(port, account)
        self.cut = rng
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = settings.wrap_bio(self.incoming, self.outgoing, session=session,
                                     server_hostname="localhost")
        while not self._done():
            self._flush()
            if not self._fill():
                raise EOFError("the server hung up in the handshake")
        if not held:
            self._flush()

    def __exit__(self, *_):
        """By close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # the server's is not waited for
        self._flush()
        super().__exit__()

    def _done(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _flush(self):
        data = self.outgoing.read()
        if self.cut and not self.account.sent:
            super().send(data[:FIRST])
            data = data[FIRST:]
        if data:
            super().send(data, self.cut)

    def send(self, data, rng=None):
        self.tls.write(data)
        self._flush()

    def _fill(self):
        plain, self.buffer = self.buffer, b""
        is_open = super()._fill()
        self.incoming.write(self.buffer)
        if not is_open:
            self.incoming.write_eof()
        self.buffer = plain + self._inside()
        return is_open

    def _inside(self):
        data = b""
        try:
            while self.tls.version() and (more := self.tls.read(1 << 18)):
                data += more
        except (ssl.SSLWantReadError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            pass
        return data


def load(port, batches, settings, **options):
    """Batches of requests on one connection."""
    account = Account()
    with TlsConnection(port, account, settings, **options) as connection:
        for batch in batches:
            connection.exchange(batch)
        account.session, account.resumed = connection.tls.session, connection.tls.session_reused
        account.alpn = connection.tls.selected_alpn_protocol()
        account.version = connection.tls.version()
    return account
