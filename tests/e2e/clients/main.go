// SPDX-License-Identifier: Apache-2.0

// main.go ADDRESS [CA_FILE TOKEN_FILE]: over TLS with a token, or in plaintext: what each client does, see clients_test.py.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	calls      = 1000
	atOnce     = 50
	pieces     = 256
	pieceBytes = 64 << 10
	deadline   = 60 * time.Second
)

// Messages as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

func field(number int, data []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(number<<3|2))
	return append(binary.AppendUvarint(out, uint64(len(data))), data...)
}

// Names of codes as in the specification.
func code(err error) string {
	names := map[codes.Code]string{codes.OK: "OK", codes.NotFound: "NOT_FOUND",
		codes.InvalidArgument: "INVALID_ARGUMENT", codes.ResourceExhausted: "RESOURCE_EXHAUSTED"}
	if name, known := names[status.Code(err)]; known {
		return name
	}
	return err.Error()
}

func site(channel *grpc.ClientConn) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var request, answer []byte
	err := channel.Invoke(ctx, "/covey.v1.AdminService/GetSite", &request, &answer)
	return answer, err
}

func many(channel *grpc.ClientConn) int64 {
	var good atomic.Int64
	var group sync.WaitGroup
	work := make(chan struct{}, calls)
	for range calls {
		work <- struct{}{}
	}
	close(work)
	for range atOnce {
		group.Add(1)
		go func() {
			defer group.Done()
			for range work {
				if _, err := site(channel); err == nil {
					good.Add(1)
				}
			}
		}()
	}
	group.Wait()
	return good.Load()
}

// Sends all, then reads until the end.
func stream(channel *grpc.ClientConn, method string, messages [][]byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	open, err := channel.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	for i := 0; err == nil && i < len(messages); i++ {
		err = open.SendMsg(&messages[i])
	}
	if err == nil {
		err = open.CloseSend()
	}
	if err != nil && err != io.EOF {
		return err
	}
	for {
		var answer []byte
		if err = open.RecvMsg(&answer); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// A token that goes with each call, over TLS only.
type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}
func (bearer) RequireTransportSecurity() bool { return true }

func options(words []string) []grpc.DialOption {
	codec := grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}))
	if len(words) < 2 {
		return []grpc.DialOption{codec, grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
	secure, err := credentials.NewClientTLSFromFile(words[0], "")
	if err != nil {
		panic(err)
	}
	token, err := os.ReadFile(words[1])
	if err != nil {
		panic(err)
	}
	return []grpc.DialOption{codec, grpc.WithTransportCredentials(secure),
		grpc.WithPerRPCCredentials(bearer(strings.TrimSpace(string(token))))}
}

func main() {
	channel, err := grpc.NewClient("passthrough:///"+os.Args[1], options(os.Args[2:])...)
	if err != nil {
		panic(err)
	}
	upload := [][]byte{field(1, append(field(1, []byte("no-model")), field(2, []byte("1.0.0"))...))}
	for range pieces {
		upload = append(upload, field(2, field(2, make([]byte, pieceBytes))))
	}
	answer, err := site(channel)
	said := map[string]any{"site": code(err), "bytes": len(answer), "calls": many(channel)}
	said["watch"] = code(stream(channel, "/covey.v1.RolloutService/WatchRollout",
		[][]byte{field(1, []byte("no-rollout"))}))
	said["upload"] = code(stream(channel, "/covey.v1.ModelService/CreateRelease", upload))
	_, err = site(channel)
	said["after"] = code(err)
	_ = json.NewEncoder(os.Stdout).Encode(said)
}
