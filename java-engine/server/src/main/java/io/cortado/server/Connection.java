package io.cortado.server;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One client connection: collects a request within its limits, hands it to the service, then takes
 * the next. Runs on the event loop only. It reads on while a request runs, since that is how a
 * client's leaving is noticed.
 */
final class Connection extends ChannelInboundHandlerAdapter {
    private static final int MAX_BACKLOG = 64;
    private static final int SMALL_BODY = 64 << 10;
    private static final long LINGER_MS = 2000;

    private final HttpService service;
    private final ServerOptions options;
    private final ArrayDeque<HttpObject> backlog = new ArrayDeque<>();
    private @Nullable ScheduledFuture<?> deadline;
    private @Nullable Incoming incoming;
    private @Nullable Exchange exchange;
    private boolean isWaiting = true;
    private boolean isLingering;
    private boolean isCounted;

    Connection(HttpService service, ServerOptions options) {
        this.service = service;
        this.options = options;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        isCounted = service.connectionOpened();
        if (isCounted) {
            expect(ctx, options.limits().requestMs());
        } else {
            ApiError full =
                    ApiError.of(
                            HttpResponseStatus.SERVICE_UNAVAILABLE,
                            "Too many connections: limit=" + options.limits().connections(),
                            null,
                            "too_many_connections");
            reject(ctx, service.anonymous(ctx.channel()), full);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        expectNothing();
        if (isCounted) {
            isCounted = false;
            service.connectionClosed();
        }
        dropBody();
        backlog.forEach(ReferenceCountUtil::release);
        backlog.clear();
        if (exchange != null) {
            exchange.gone();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (exchange != null) {
            exchange.writabilityChanged();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }

    /** First bytes of a request have come: now it must be whole soon. */
    void bytesArrived(ChannelHandlerContext ctx) {
        if (isWaiting && exchange == null) {
            expect(ctx, options.limits().requestMs());
            isWaiting = false;
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (isLingering || !(message instanceof HttpObject object)) {
            ReferenceCountUtil.release(message);
        } else if (exchange != null || !backlog.isEmpty()) {
            backlog.add(object);
            if (backlog.size() > MAX_BACKLOG) {
                ctx.channel().config().setAutoRead(false);
            }
        } else {
            take(ctx, object);
        }
    }

    private void take(ChannelHandlerContext ctx, HttpObject object) {
        try {
            if (object.decoderResult().isFailure()) {
                reject(ctx, service.anonymous(ctx.channel()), malformed(object));
                return;
            }
            if (object instanceof HttpRequest request) {
                begin(ctx, request);
            }
            if (object instanceof HttpContent content && !isLingering) {
                collect(ctx, content);
            }
        } finally {
            ReferenceCountUtil.release(object);
        }
    }

    private static ApiError malformed(HttpObject object) {
        Throwable cause = object.decoderResult().cause();
        if (cause instanceof TooLongHttpHeaderException) {
            return ApiError.of(
                    HttpResponseStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "The headers are longer than " + Server.MAX_HEADER_BYTES + " bytes.",
                    null,
                    null);
        }
        if (cause instanceof TooLongHttpLineException) {
            return ApiError.of(
                    HttpResponseStatus.REQUEST_URI_TOO_LONG,
                    "The request line is longer than " + Server.MAX_LINE_BYTES + " bytes.",
                    null,
                    null);
        }
        return ApiError.invalid(null, "The request is not valid HTTP.");
    }

    private void begin(ChannelHandlerContext ctx, HttpRequest request) {
        isWaiting = false;
        Incoming in = service.accept(ctx.channel(), request);
        incoming = in;
        ApiError refused = in.refused();
        boolean isSmall =
                !HttpUtil.isTransferEncodingChunked(request)
                        && HttpUtil.getContentLength(request, 0L) <= SMALL_BODY;
        if (refused != null) {
            // A small body is read to its end, so that the connection stays usable.
            if (!isSmall || HttpUtil.is100ContinueExpected(request)) {
                reject(ctx, in.head(), refused);
            }
        } else if (HttpUtil.is100ContinueExpected(request)) {
            ctx.writeAndFlush(
                    new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE));
        }
    }

    private void collect(ChannelHandlerContext ctx, HttpContent content) {
        Incoming in = incoming;
        if (in == null) {
            return;
        }
        ByteBuf bytes = content.content();
        if (in.refused() == null) {
            ApiError error = in.add(bytes);
            if (error != null) {
                reject(ctx, in.head(), error);
                return;
            }
        }
        if (content instanceof LastHttpContent) {
            expectNothing();
            incoming = null;
            run(ctx, in);
        }
    }

    private void run(ChannelHandlerContext ctx, Incoming in) {
        byte[] body = in.take();
        Exchange[] self = new Exchange[1];
        Exchange next =
                new Exchange(
                        ctx.channel(),
                        in.head(),
                        body,
                        options,
                        () -> ended(ctx, self[0], in));
        self[0] = next;
        exchange = next;
        service.run(next, in);
    }

    private void ended(ChannelHandlerContext ctx, Exchange done, Incoming in) {
        in.release();
        service.ended(done);
        if (exchange != done) {
            return;
        }
        exchange = null;
        if (done.closesAfter() || !ctx.channel().isActive()) {
            ctx.close();
            return;
        }
        isWaiting = true;
        expect(ctx, options.limits().idleMs());
        while (exchange == null && !isLingering && !backlog.isEmpty()) {
            take(ctx, backlog.remove());
        }
        if (backlog.isEmpty()) {
            ctx.channel().config().setAutoRead(true);
        }
    }

    /**
     * Answers although more of the request may come, then closes: what still comes is read and
     * dropped for a moment, else the reset would overtake the answer.
     */
    private void reject(ChannelHandlerContext ctx, RequestHead head, ApiError error) {
        expectNothing();
        dropBody();
        isLingering = true;
        Exchange last =
                new Exchange(ctx.channel(), head, new byte[0], options, () -> linger(ctx));
        last.closeAfter();
        last.fail(error);
        service.ended(last);
    }

    private void linger(ChannelHandlerContext ctx) {
        if (ctx.channel() instanceof SocketChannel socket && socket.isActive()) {
            socket.shutdownOutput();
        }
        ctx.executor().schedule(() -> ctx.close(), LINGER_MS, TimeUnit.MILLISECONDS);
    }

    private void dropBody() {
        if (incoming != null) {
            incoming.release();
            incoming = null;
        }
    }

    private void expect(ChannelHandlerContext ctx, long ms) {
        expectNothing();
        deadline = ctx.executor().schedule(() -> late(ctx), ms, TimeUnit.MILLISECONDS);
    }

    private void expectNothing() {
        if (deadline != null) {
            deadline.cancel(false);
            deadline = null;
        }
    }

    private void late(ChannelHandlerContext ctx) {
        Incoming in = incoming;
        if (isWaiting || in == null) {
            ctx.close();
            return;
        }
        reject(
                ctx,
                in.head(),
                ApiError.of(
                        HttpResponseStatus.REQUEST_TIMEOUT,
                        "The request did not come whole within "
                                + options.limits().requestMs()
                                + " ms.",
                        null,
                        "request_timeout"));
    }
}
