// SPDX-License-Identifier: Apache-2.0
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Client.java ADDRESS: what each client does, see clients_test.py. */
public final class Client {
  private static final int CALLS = 1000;
  private static final int AT_ONCE = 50;
  private static final int PIECES = 256;
  private static final int PIECE_BYTES = 64 << 10;
  private static final int DEADLINE_S = 60;

  /** Messages as they are. */
  private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }

  private static MethodDescriptor<byte[], byte[]> method(MethodType type, String name) {
    return MethodDescriptor.newBuilder(new Raw(), new Raw())
        .setType(type)
        .setFullMethodName(name)
        .build();
  }

  private static final MethodDescriptor<byte[], byte[]> SITE =
      method(MethodType.UNARY, "covey.v1.AdminService/GetSite");
  private static final MethodDescriptor<byte[], byte[]> WATCH =
      method(MethodType.SERVER_STREAMING, "covey.v1.RolloutService/WatchRollout");
  private static final MethodDescriptor<byte[], byte[]> CREATE =
      method(MethodType.CLIENT_STREAMING, "covey.v1.ModelService/CreateRelease");

  private static byte[] field(int number, byte[]... parts) {
    int size = 0;
    for (byte[] part : parts) {
      size += part.length;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(number << 3 | 2);
    for (int left = size; ; left >>>= 7) {
      out.write(left > 127 ? left & 127 | 128 : left);
      if (left <= 127) {
        break;
      }
    }
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  private static byte[] text(String value) {
    return value.getBytes(StandardCharsets.UTF_8);
  }

  private static CallOptions options() {
    return CallOptions.DEFAULT.withDeadlineAfter(DEADLINE_S, TimeUnit.SECONDS);
  }

  private static String code(Callable<?> call) {
    try {
      call.call();
      return "OK";
    } catch (Exception error) {
      return Status.fromThrowable(error).getCode().name();
    }
  }

  private static byte[] upload(ManagedChannel channel) throws Exception {
    CompletableFuture<byte[]> answer = new CompletableFuture<>();
    StreamObserver<byte[]> out =
        ClientCalls.asyncClientStreamingCall(
            channel.newCall(CREATE, options()),
            new StreamObserver<byte[]>() {
              @Override
              public void onNext(byte[] value) {
                answer.complete(value);
              }

              @Override
              public void onError(Throwable error) {
                answer.completeExceptionally(error);
              }

              @Override
              public void onCompleted() {
                answer.complete(new byte[0]);
              }
            });
    out.onNext(field(1, field(1, text("no-model")), field(2, text("1.0.0"))));
    for (int i = 0; i < PIECES && !answer.isDone(); ++i) {
      out.onNext(field(2, field(2, new byte[PIECE_BYTES])));
    }
    if (!answer.isDone()) {
      out.onCompleted();
    }
    try {
      return answer.get(DEADLINE_S, TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException error) {
      throw Status.fromThrowable(error.getCause()).asRuntimeException();
    }
  }

  public static void main(String[] words) throws Exception {
    ManagedChannel channel = NettyChannelBuilder.forTarget(words[0]).usePlaintext().build();
    byte[] site = ClientCalls.blockingUnaryCall(channel, SITE, options(), new byte[0]);
    ExecutorService pool = Executors.newFixedThreadPool(AT_ONCE);
    List<Future<String>> calls = new ArrayList<>();
    for (int i = 0; i < CALLS; ++i) {
      calls.add(
          pool.submit(
              () -> code(() -> ClientCalls.blockingUnaryCall(channel, SITE, options(), new byte[0]))));
    }
    int good = 0;
    for (Future<String> call : calls) {
      good += call.get().equals("OK") ? 1 : 0;
    }
    pool.shutdown();
    String watch =
        code(
            () -> {
              ClientCalls.blockingServerStreamingCall(
                      channel, WATCH, options(), field(1, text("no-rollout")))
                  .forEachRemaining(answer -> {});
              return null;
            });
    String upload = code(() -> upload(channel));
    String after = code(() -> ClientCalls.blockingUnaryCall(channel, SITE, options(), new byte[0]));
    System.out.printf(
        "{\"site\": \"OK\", \"bytes\": %d, \"calls\": %d, \"watch\": \"%s\", \"upload\": \"%s\", \"after\": \"%s\"}%n",
        site.length, good, watch, upload, after);
    channel.shutdownNow();
  }
}
