# SPDX-License-Identifier: Apache-2.0
"""client.py ADDRESS [CA_FILE TOKEN_FILE]: over TLS with a token, or in plaintext: what each client does, see clients_test.py. Needs grpcio."""

import concurrent.futures
import json
import pathlib
import sys

import grpc

CALLS, AT_ONCE, PIECES, PIECE_BYTES, DEADLINE_S = 1000, 50, 256, 64 << 10, 60


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def pieces():
    yield field(1, field(1, b"no-model") + field(2, b"1.0.0"))
    for _ in range(PIECES):
        yield field(2, field(2, bytes(PIECE_BYTES)))


def code_of(call):
    try:
        return "OK", call()
    except grpc.RpcError as error:
        return error.code().name, b""


def open_channel(address, ca=None, token=None):
    if ca is None:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(pathlib.Path(ca).read_bytes()),
        grpc.access_token_call_credentials(pathlib.Path(token).read_text().strip())))


def main():
    with open_channel(*sys.argv[1:]) as channel:
        site = channel.unary_unary("/covey.v1.AdminService/GetSite")
        watch = channel.unary_stream("/covey.v1.RolloutService/WatchRollout")
        create = channel.stream_unary("/covey.v1.ModelService/CreateRelease")
        first = code_of(lambda: site(b"", timeout=DEADLINE_S))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            codes = [code for code, _ in pool.map(
                lambda _: code_of(lambda: site(b"", timeout=DEADLINE_S)), range(CALLS))]
        print(json.dumps({
            "site": first[0], "bytes": len(first[1]),
            "calls": codes.count("OK"),
            "watch": code_of(lambda: list(watch(field(1, b"no-rollout"), timeout=DEADLINE_S)))[0],
            "upload": code_of(lambda: create(pieces(), timeout=DEADLINE_S))[0],
            "after": code_of(lambda: site(b"", timeout=DEADLINE_S))[0]}))


if __name__ == "__main__":
    main()
