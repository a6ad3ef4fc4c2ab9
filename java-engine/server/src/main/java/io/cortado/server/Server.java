package io.cortado.server;

import io.cortado.api.Engine;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

/** An OpenAI-compatible HTTP server over one engine, which stays the caller's to close. */
public final class Server implements AutoCloseable {
    static final int MAX_HEADER_BYTES = 16 << 10;
    static final int MAX_LINE_BYTES = 8 << 10;
    private static final int EVENT_LOOPS = 2;

    /** The kernel's own choice grows to megabytes for each client that does not read. */
    private static final int SEND_BUFFER_BYTES = 128 << 10;

    private static final long ABORT_MS = 2000;

    private final EventLoopGroup loops;
    private final Channel listener;
    private final ChannelGroup channels;
    private final HttpService service;
    private final AtomicBoolean closed = new AtomicBoolean();

    private Server(
            EventLoopGroup loops, Channel listener, ChannelGroup channels, HttpService service) {
        this.loops = loops;
        this.listener = listener;
        this.channels = channels;
        this.service = service;
    }

    /**
     * Listens at once.
     *
     * @throws IOException if the address cannot be bound
     */
    public static Server start(Engine engine, ServerOptions options) throws IOException {
        return start(engine, options, Log.standardError());
    }

    static Server start(Engine engine, ServerOptions options, Log log) throws IOException {
        List<String> names =
                options.servedModelNames().isEmpty()
                        ? List.of(engine.model().name())
                        : options.servedModelNames();
        ServerMetrics metrics = new ServerMetrics(engine, names.getFirst(), options.traffic());
        AtomicReference<HttpService> self = new AtomicReference<>();
        Routes routes = new Routes(engine, names, options, metrics, () -> self.get().isDraining());
        HttpService service = new HttpService(options, routes, metrics, log);
        self.set(service);
        EventLoopGroup loops =
                new MultiThreadIoEventLoopGroup(EVENT_LOOPS, NioIoHandler.newFactory());
        ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
        ChannelFuture bound =
                new ServerBootstrap()
                        .group(loops)
                        .channel(NioServerSocketChannel.class)
                        .option(ChannelOption.SO_BACKLOG, 1024)
                        .option(ChannelOption.SO_REUSEADDR, true)
                        .childOption(ChannelOption.TCP_NODELAY, true)
                        .childOption(ChannelOption.SO_SNDBUF, SEND_BUFFER_BYTES)
                        .childOption(
                                ChannelOption.WRITE_BUFFER_WATER_MARK,
                                new WriteBufferWaterMark(32 << 10, 64 << 10))
                        .childHandler(initializer(service, options, channels))
                        .bind(options.host(), options.port())
                        .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            throw new IOException(
                    "cannot listen: host="
                            + options.host()
                            + " port="
                            + options.port()
                            + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        return new Server(loops, bound.channel(), channels, service);
    }

    private static ChannelInitializer<SocketChannel> initializer(
            HttpService service, ServerOptions options, ChannelGroup channels) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(SocketChannel channel) {
                channels.add(channel);
                Connection connection = new Connection(service, options);
                HttpDecoderConfig config =
                        new HttpDecoderConfig()
                                .setMaxInitialLineLength(MAX_LINE_BYTES)
                                .setMaxHeaderSize(MAX_HEADER_BYTES)
                                .setAllowDuplicateContentLengths(false)
                                .setStrictLineParsing(true)
                                .setValidateHeaders(true);
                channel.pipeline().addLast("arrival", new Arrival(connection));
                channel.pipeline().addLast("codec", new HttpServerCodec(config));
                channel.pipeline().addLast("connection", connection);
            }
        };
    }

    /** Sees bytes before they are a request: a slow header is known by its first byte. */
    private static final class Arrival extends ChannelInboundHandlerAdapter {
        private final Connection connection;

        Arrival(Connection connection) {
            this.connection = connection;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            ChannelHandlerContext target = ctx.pipeline().context(connection);
            if (target != null) {
                connection.bytesArrived(target);
            }
            ctx.fireChannelRead(message);
        }
    }

    /** The port it listens on. */
    public int port() {
        return ((InetSocketAddress) listener.localAddress()).getPort();
    }

    /**
     * New requests get 503; returns when those that run have ended. After {@code graceMs} the rest
     * is ended with an error each. Then streams of KV events end; health and metrics are answered
     * until {@link #close}.
     *
     * @return true if nothing had to be ended
     */
    public boolean drain(long graceMs) throws InterruptedException {
        service.beginDrain();
        boolean isClean = service.awaitIdle(graceMs);
        if (!isClean) {
            service.abort();
            service.awaitIdle(ABORT_MS);
        }
        service.endStreams(ABORT_MS);
        return isClean;
    }

    /** Stops listening and closes every connection; what runs is cancelled. Again is harmless. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        service.beginDrain();
        listener.close().awaitUninterruptibly();
        try {
            service.endStreams(ABORT_MS);
            channels.close().awaitUninterruptibly();
            service.awaitIdle(ABORT_MS); // what runs hears that its client has gone, and ends
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            channels.close();
        }
        service.close();
        loops.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
    }
}
