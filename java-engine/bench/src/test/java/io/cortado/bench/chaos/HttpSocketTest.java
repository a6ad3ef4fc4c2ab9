package io.cortado.bench.chaos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Against a server that says one thing, which need not be right, and closes. */
@Timeout(value = 30, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HttpSocketTest {
    private static final String STREAM =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    private interface Reader {
        void read(HttpSocket socket) throws IOException;
    }

    private static void answered(String bytes, Reader reader) throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread.startVirtualThread(() -> say(server, bytes));
            try (HttpSocket socket = HttpSocket.open(server.getLocalPort())) {
                reader.read(socket);
            }
        }
    }

    private static void say(ServerSocket server, String bytes) {
        try (Socket socket = server.accept()) {
            socket.getOutputStream().write(bytes.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void readsAWholeAnswerAndSeesWhatFollowsIt() throws Exception {
        answered(
                "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}x",
                on -> {
                    HttpSocket.Head head = on.readHead();
                    assertEquals(404, head.status());
                    assertTrue(head.closes());
                    assertEquals("{}", on.readBody(head));
                    assertTrue(on.hasUnread());
                });
    }

    @Test
    void tellsAnAnswerThatIsCutFromNone() throws Exception {
        answered("", on -> assertThrows(EOFException.class, on::readHead));
        answered("HTTP/1.1 20", on -> assertThrows(HttpSocket.CutException.class, on::readHead));
        answered(
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
                on -> {
                    HttpSocket.Head head = on.readHead();
                    assertThrows(HttpSocket.CutException.class, () -> on.readBody(head));
                });
    }

    @Test
    void readsEventsAndPassesCommentsOver() throws Exception {
        String chunks =
                "8\r\n: ping\n\n\r\n" + "9\r\ndata: a\n\n\r\n" + "9\r\ndata: b\n\n\r\n0\r\n\r\n";
        answered(
                STREAM + chunks,
                on -> {
                    assertTrue(on.readHead().isStream());
                    assertEquals(List.of("a"), on.readEvents());
                    assertEquals(List.of("b"), on.readEvents());
                    assertEquals(List.of(), on.readEvents());
                });
        answered(
                STREAM + chunks,
                on -> {
                    on.readHead();
                    assertTrue(on.drain(5000));
                });
        answered(
                STREAM + chunks.substring(0, 20),
                on -> {
                    on.readHead();
                    assertFalse(on.drain(5000));
                });
        answered(
                STREAM + "7\r\nnothing\r\n",
                on -> {
                    on.readHead();
                    assertThrows(HttpSocket.CutException.class, on::readEvents);
                });
    }
}
