package io.cortado.server;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** A request that is being received: its head, where it goes, and its body so far. */
final class Incoming {
    private static final byte[] NOTHING = {};

    private final RequestHead head;
    private final @Nullable ApiError refused;
    private final @Nullable Route route;
    private final int maxBytes;
    private final long maxPending;
    private final AtomicLong pending;
    private final Runnable onRelease;
    private boolean isReleased;
    private byte[] bytes = NOTHING;
    private int length;
    private long counted;

    Incoming(
            RequestHead head,
            @Nullable Route route,
            @Nullable ApiError refused,
            ServerOptions.Limits limits,
            AtomicLong pending,
            Runnable onRelease) {
        this.head = head;
        this.route = route;
        this.refused = refused;
        this.maxBytes = limits.bodyBytes();
        this.maxPending = limits.pendingBodyBytes();
        this.pending = pending;
        this.onRelease = onRelease;
    }

    RequestHead head() {
        return head;
    }

    @Nullable Route route() {
        return route;
    }

    /** Why the request is not run; its body is dropped. */
    @Nullable ApiError refused() {
        return refused;
    }

    /** Appends to the body; the error if a limit is passed. */
    @Nullable ApiError add(ByteBuf content) {
        int more = content.readableBytes();
        if ((long) length + more > maxBytes) {
            return tooLarge(maxBytes);
        }
        counted += more;
        if (pending.addAndGet(more) > maxPending) {
            return ApiError.of(
                    HttpResponseStatus.TOO_MANY_REQUESTS,
                    "Too many request bodies wait: limit=" + maxPending + " bytes.",
                    null,
                    "too_many_bytes");
        }
        if (length + more > bytes.length) {
            int room = Math.max(length + more, Math.min(maxBytes, 2 * bytes.length));
            bytes = Arrays.copyOf(bytes, room);
        }
        content.readBytes(bytes, length, more);
        length += more;
        return null;
    }

    static ApiError tooLarge(int maxBytes) {
        return ApiError.of(
                HttpResponseStatus.REQUEST_ENTITY_TOO_LARGE,
                "The body is longer than " + maxBytes + " bytes.",
                null,
                "body_too_large");
    }

    /** The whole body, once. */
    byte[] take() {
        byte[] body = length == bytes.length ? bytes : Arrays.copyOf(bytes, length);
        bytes = NOTHING;
        return body;
    }

    /** It has its answer or never gets one: gives the body's share of the budget back. */
    void release() {
        if (!isReleased) {
            isReleased = true;
            onRelease.run();
        }
        pending.addAndGet(-counted);
        counted = 0;
        bytes = NOTHING;
    }
}
