package io.cortado.bench.chaos;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * One HTTP/1.1 connection down to its bytes: it can stop reading, leave in the middle, and tell an
 * answer that is cut from one that is whole, which clients that help cannot.
 */
final class HttpSocket implements AutoCloseable {
    private static final int READ_TIMEOUT_MS = 60_000;
    private static final int MAX_LINE = 1 << 20;

    private final Socket socket;
    private final InputStream in;

    private HttpSocket(Socket socket, InputStream in) {
        this.socket = socket;
        this.in = in;
    }

    static HttpSocket open(int port) throws IOException {
        return open(port, 0);
    }

    /**
     * @param receiveBuffer bytes that the kernel may hold for it; 0: the usual
     */
    static HttpSocket open(int port, int receiveBuffer) throws IOException {
        Socket socket = new Socket();
        try {
            if (receiveBuffer > 0) {
                socket.setReceiveBufferSize(receiveBuffer);
            }
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(READ_TIMEOUT_MS);
            socket.connect(new InetSocketAddress("127.0.0.1", port), READ_TIMEOUT_MS);
            return new HttpSocket(socket, new BufferedInputStream(socket.getInputStream()));
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    boolean isClosed() {
        return socket.isClosed();
    }

    void send(String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(UTF_8));
        socket.getOutputStream().flush();
    }

    /** The text of a request. */
    static String request(String method, String path, String id, String body) {
        byte[] bytes = body.getBytes(UTF_8);
        return method
                + " "
                + path
                + " HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: "
                + id
                + "\r\nContent-Type: application/json\r\nContent-Length: "
                + bytes.length
                + "\r\n\r\n"
                + body;
    }

    /** True if bytes have come that nobody asked for. */
    boolean hasUnread() throws IOException {
        return in.available() > 0;
    }

    /** Status line and headers, by lower-case name. */
    record Head(int status, Map<String, String> headers) {
        String header(String name) {
            return headers.getOrDefault(name, "");
        }

        boolean isStream() {
            return header("content-type").startsWith("text/event-stream");
        }

        boolean closes() {
            return header("connection").equalsIgnoreCase("close");
        }
    }

    /**
     * @throws EOFException if the server closed before the first byte, as where it never took the
     *     request
     */
    Head readHead() throws IOException {
        String first = readLine(true);
        if (!first.matches("HTTP/1\\.1 [1-5][0-9][0-9]( .*)?")) {
            throw new CutException("this is no status line: " + first);
        }
        Map<String, String> headers = new TreeMap<>();
        for (String line = readLine(false); !line.isEmpty(); line = readLine(false)) {
            int colon = line.indexOf(':');
            if (colon <= 0) {
                throw new CutException("this is no header: " + line);
            }
            String name = line.substring(0, colon).toLowerCase(Locale.ROOT);
            headers.put(name, line.substring(colon + 1).strip());
        }
        return new Head(Integer.parseInt(first.substring(9, 12)), headers);
    }

    /** An answer that began and does not end as its head has promised. */
    static final class CutException extends IOException {
        private static final long serialVersionUID = 1L;

        CutException(String message) {
            super(message);
        }
    }

    /** A body of a known length, or in chunks, whole. */
    String readBody(Head head) throws IOException {
        if (!head.header("transfer-encoding").isEmpty()) {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            for (byte[] chunk = readChunk(); chunk.length > 0; chunk = readChunk()) {
                all.write(chunk);
            }
            return all.toString(UTF_8);
        }
        String length = head.header("content-length");
        return new String(exactly(length.isEmpty() ? 0 : Integer.parseInt(length)), UTF_8);
    }

    /** The next events of a stream, without comments; none only after its last. */
    List<String> readEvents() throws IOException {
        List<String> events = new ArrayList<>();
        while (true) {
            byte[] chunk = readChunk();
            if (chunk.length == 0) {
                return events;
            }
            for (String event : new String(chunk, UTF_8).split("\n\n")) {
                if (event.startsWith("data: ")) {
                    events.add(event.substring(6));
                } else if (!event.startsWith(":")) {
                    throw new CutException("this is no event: " + event);
                }
            }
            if (!events.isEmpty()) {
                return events;
            }
        }
    }

    private byte[] readChunk() throws IOException {
        String size = readLine(false);
        byte[] chunk;
        try {
            chunk = exactly(Integer.parseInt(size, 16));
        } catch (NumberFormatException e) {
            throw new CutException("this is no chunk: " + size);
        }
        if (!readLine(false).isEmpty()) {
            throw new CutException("a chunk is longer than its size");
        }
        return chunk;
    }

    private byte[] exactly(int count) throws IOException {
        byte[] bytes = in.readNBytes(count);
        if (bytes.length < count) {
            throw new CutException("cut: bytes=" + bytes.length + " of " + count);
        }
        return bytes;
    }

    private String readLine(boolean isFirst) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        while (line.size() < MAX_LINE) {
            int b = in.read();
            if (b < 0) {
                if (isFirst && line.size() == 0) {
                    throw new EOFException("closed before an answer");
                }
                throw new CutException("cut in a line: " + line);
            }
            if (b == '\n') {
                return line.toString(UTF_8).stripTrailing();
            }
            line.write(b);
        }
        throw new CutException("a line is longer than " + MAX_LINE);
    }

    /**
     * Reads the rest of a body in chunks and forgets it.
     *
     * @return true if it came to its end, false if the server closed before
     */
    boolean drain(int timeoutMs) throws IOException {
        socket.setSoTimeout(timeoutMs);
        try {
            int size;
            do {
                size = readChunk().length;
            } while (size > 0);
            return true;
        } catch (CutException e) {
            return false;
        }
    }

    /** Leaves by a reset rather than an orderly end. */
    void reset() throws IOException {
        socket.setOption(StandardSocketOptions.SO_LINGER, 0);
        socket.close();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
