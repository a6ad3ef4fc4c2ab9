package io.cortado.server;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One request and its answer. Any thread may answer; a stream's writer waits while the client does
 * not read, and gives the client up after a while.
 */
final class Exchange {
    private static final String JSON = "application/json";

    /** The request's id in logs and reports, whatever its client called it. */
    private static final String OWN_ID = "x-cortado-request-id";

    private final Channel channel;
    private final RequestHead head;
    private final byte[] body;
    private final ServerOptions options;
    private final Runnable onEnd;
    private final long startNanos = System.nanoTime();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private boolean isGone;
    private boolean isStarted;
    private boolean isAborted;
    private boolean isEnded;
    private volatile boolean isSlowReader;
    private @Nullable Runnable goneAction;
    private volatile boolean closesAfter;
    private volatile boolean runsBesideDrain;
    private volatile @Nullable Consumer<HttpHeaders> moreHeaders;
    private volatile int status;
    private volatile String note = "";
    private volatile long lastWriteNanos;
    private @Nullable ScheduledFuture<?> ping;

    Exchange(
            Channel channel, RequestHead head, byte[] body, ServerOptions options, Runnable onEnd) {
        this.channel = channel;
        this.head = head;
        this.body = body;
        this.options = options;
        this.onEnd = onEnd;
        this.closesAfter = !head.keepAlive();
    }

    RequestHead head() {
        return head;
    }

    byte[] body() {
        return body;
    }

    int status() {
        return status;
    }

    /** Fields for the access log: numbers and fixed words, never the client's text. */
    void note(String fields) {
        note = fields;
    }

    String note() {
        return note;
    }

    long elapsedNanos() {
        return System.nanoTime() - startNanos;
    }

    boolean closesAfter() {
        return closesAfter;
    }

    void closeAfter() {
        closesAfter = true;
    }

    /** It lasts as long as its client wants: a drain does not wait for it. */
    void runsBesideDrain() {
        runsBesideDrain = true;
    }

    boolean isBesideDrain() {
        return runsBesideDrain;
    }

    /** Headers to be written when the answer begins, whatever it is. */
    void headers(Consumer<HttpHeaders> writer) {
        moreHeaders = writer;
    }

    boolean isStarted() {
        lock.lock();
        try {
            return isStarted;
        } finally {
            lock.unlock();
        }
    }

    // The client's side of the wire.

    /** Runs once when the client leaves or the server gives up; at once if that has happened. */
    void onGone(Runnable action) {
        boolean now;
        lock.lock();
        try {
            now = isGone || isAborted;
            goneAction = now ? null : action;
        } finally {
            lock.unlock();
        }
        if (now) {
            action.run();
        }
    }

    boolean isGone() {
        lock.lock();
        try {
            return isGone;
        } finally {
            lock.unlock();
        }
    }

    /** The connection is lost. */
    void gone() {
        wake(true, false);
    }

    /** The server ends the work; the client is still there to be told. */
    void abort() {
        closesAfter = true;
        wake(false, true);
    }

    private void wake(boolean gone, boolean aborted) {
        Runnable action;
        lock.lock();
        try {
            isGone |= gone;
            isAborted |= aborted;
            action = goneAction;
            goneAction = null;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        if (action != null) {
            action.run();
        }
    }

    void writabilityChanged() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    // The answer in one piece.

    void answer(HttpResponseStatus answerStatus, String json) {
        answer(answerStatus, JSON, json);
    }

    void answer(HttpResponseStatus answerStatus, String contentType, String text) {
        DefaultFullHttpResponse response = full(answerStatus, text);
        response.headers().set(HttpHeaderNames.CONTENT_TYPE, contentType);
        finish(response);
    }

    /** An answer without a body. */
    void answerEmpty(HttpResponseStatus answerStatus, String name, String value) {
        DefaultFullHttpResponse response = full(answerStatus, "");
        response.headers().set(name, value);
        finish(response);
    }

    /** The error as a status and a body, or as an event where the stream has begun. */
    void fail(ApiError error) {
        if (isStarted()) {
            // The body ends properly and the connection stays: its head has promised no close, and
            // a client may already send its next request on it.
            writeEvent(error.json());
            endStream(false);
            return;
        }
        DefaultFullHttpResponse response = full(error.status(), error.json());
        HttpHeaders headers = response.headers();
        headers.set(HttpHeaderNames.CONTENT_TYPE, JSON);
        switch (error.status().code()) {
            case 401 -> headers.set(HttpHeaderNames.WWW_AUTHENTICATE, "Bearer");
            case 429 -> headers.set(HttpHeaderNames.RETRY_AFTER, "1");
            case 503 -> {
                headers.set(HttpHeaderNames.RETRY_AFTER, "5");
                closesAfter = true;
            }
            default -> {
                if (head.allow() != null && error.status().code() == 405) {
                    headers.set(HttpHeaderNames.ALLOW, head.allow());
                }
            }
        }
        if (error.isFinal()) {
            headers.set("x-should-retry", "false");
        }
        finish(response);
    }

    private DefaultFullHttpResponse full(HttpResponseStatus answerStatus, String text) {
        ByteBuf content = Unpooled.wrappedBuffer(text.getBytes(StandardCharsets.UTF_8));
        DefaultFullHttpResponse response =
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, answerStatus, content);
        if (answerStatus.code() != 204) {
            response.headers().set(HttpHeaderNames.CONTENT_LENGTH, content.readableBytes());
        }
        return response;
    }

    private void finish(DefaultFullHttpResponse response) {
        if (!start()) {
            response.release();
            return;
        }
        common(response);
        ended(channel.writeAndFlush(response));
    }

    private boolean start() {
        lock.lock();
        try {
            boolean first = !isStarted;
            isStarted = true;
            return first;
        } finally {
            lock.unlock();
        }
    }

    private void common(HttpResponse response) {
        status = response.status().code();
        HttpHeaders headers = response.headers();
        String clientId = head.clientRequestId();
        headers.set("x-request-id", clientId == null ? head.requestId() : clientId);
        headers.set(OWN_ID, head.requestId());
        headers.set("x-content-type-options", "nosniff");
        if (clientId != null) {
            headers.set("x-client-request-id", clientId);
        }
        Consumer<HttpHeaders> more = moreHeaders;
        if (more != null) {
            more.accept(headers);
        }
        if (head.corsOrigin() != null) {
            headers.set(HttpHeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN, head.corsOrigin());
            headers.set(HttpHeaderNames.VARY, "Origin");
            headers.set(HttpHeaderNames.ACCESS_CONTROL_EXPOSE_HEADERS, "x-request-id, " + OWN_ID);
        }
        if (closesAfter) {
            headers.set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        } else if (!head.isHttp11()) {
            headers.set(HttpHeaderNames.CONNECTION, HttpHeaderValues.KEEP_ALIVE);
        }
    }

    // The answer as a stream of events.

    void startStream() {
        if (!start()) {
            return;
        }
        HttpResponse response =
                new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        HttpHeaders headers = response.headers();
        headers.set(HttpHeaderNames.CONTENT_TYPE, "text/event-stream; charset=utf-8");
        headers.set(HttpHeaderNames.CACHE_CONTROL, "no-cache");
        headers.set("x-accel-buffering", "no");
        if (head.isHttp11()) {
            headers.set(HttpHeaderNames.TRANSFER_ENCODING, HttpHeaderValues.CHUNKED);
        } else {
            closesAfter = true;
        }
        common(response);
        lastWriteNanos = System.nanoTime();
        channel.write(response);
        long everyMs = options.limits().pingMs();
        ping =
                channel.eventLoop()
                        .scheduleAtFixedRate(
                                this::pingIfSilent, everyMs, everyMs, TimeUnit.MILLISECONDS);
    }

    private void pingIfSilent() {
        long silentMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - lastWriteNanos);
        if (silentMs >= options.limits().pingMs() / 2 && channel.isWritable() && !isGone()) {
            write(": ping\n\n");
        }
    }

    /** Sends one event; false if the client has left or does not read. */
    boolean send(String json) throws InterruptedException {
        if (!awaitWritable()) {
            return false;
        }
        writeEvent(json);
        return true;
    }

    /** The same with an id to go on behind. */
    boolean send(String id, String json) throws InterruptedException {
        if (!awaitWritable()) {
            return false;
        }
        write("id: " + id + "\ndata: " + json + "\n\n");
        return true;
    }

    private boolean awaitWritable() throws InterruptedException {
        long left = TimeUnit.MILLISECONDS.toNanos(options.limits().slowReaderMs());
        lock.lock();
        try {
            while (!isGone && !channel.isWritable()) {
                if (left <= 0) {
                    giveUpReader();
                    return false;
                }
                left = changed.awaitNanos(left);
            }
            return !isGone;
        } finally {
            lock.unlock();
        }
    }

    private void giveUpReader() {
        isSlowReader = true;
        channel.close();
    }

    /** The client was given up because it did not read. */
    boolean isSlowReader() {
        return isSlowReader;
    }

    private void writeEvent(String json) {
        write("data: " + json + "\n\n");
    }

    private void write(String text) {
        lastWriteNanos = System.nanoTime();
        ByteBuf content = ByteBufUtil.writeUtf8(channel.alloc(), text);
        channel.writeAndFlush(new DefaultHttpContent(content));
    }

    /** Ends the stream, by the word that says it is whole unless an error has been sent. */
    void endStream(boolean isWhole) {
        if (isWhole) {
            writeEvent("[DONE]");
        }
        ScheduledFuture<?> task = ping;
        if (task != null) {
            task.cancel(false);
        }
        ended(channel.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT));
    }

    /** The last byte must leave in time too: a client that never reads must not keep a socket. */
    private void ended(ChannelFuture last) {
        ScheduledFuture<?> patience =
                channel.eventLoop()
                        .schedule(
                                this::giveUpReader,
                                options.limits().slowReaderMs(),
                                TimeUnit.MILLISECONDS);
        last.addListener(done -> {
            patience.cancel(false);
            end();
        });
    }

    /** The client left before its answer: nothing is written. */
    void abandon() {
        ScheduledFuture<?> task = ping;
        if (task != null) {
            task.cancel(false);
        }
        if (status == 0) {
            status = 499;
        }
        channel.close();
        if (channel.eventLoop().inEventLoop()) {
            end();
        } else {
            channel.eventLoop().execute(this::end);
        }
    }

    /** On the event loop, hence once. */
    private void end() {
        if (!isEnded) {
            isEnded = true;
            onEnd.run();
        }
    }

    /** Runs on the connection's event loop after {@code ms}. */
    ScheduledFuture<?> after(long ms, Runnable action) {
        return channel.eventLoop().schedule(action, ms, TimeUnit.MILLISECONDS);
    }
}
