package io.cortado.server;

import io.netty.channel.Channel;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import java.net.InetSocketAddress;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Between connections and routes: lets requests in, runs them on virtual threads, logs them. */
final class HttpService {
    private static final Pattern HARMLESS_ID = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    private final ServerOptions options;
    private final Gate gate;
    private final Routes routes;
    private final ServerMetrics metrics;
    private final Log log;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final AtomicInteger connections = new AtomicInteger();
    private final AtomicLong pendingBytes = new AtomicLong();
    private final AtomicInteger arriving = new AtomicInteger();
    private final Set<Exchange> running = ConcurrentHashMap.newKeySet();
    private volatile boolean isDraining;

    HttpService(ServerOptions options, Routes routes, ServerMetrics metrics, Log log) {
        this.options = options;
        this.gate = new Gate(options);
        this.routes = routes;
        this.metrics = metrics;
        this.log = log;
    }

    /** False if there are too many. */
    boolean connectionOpened() {
        if (connections.incrementAndGet() <= options.limits().connections()) {
            return true;
        }
        connections.decrementAndGet();
        return false;
    }

    void connectionClosed() {
        connections.decrementAndGet();
    }

    /** The head of an answer to what is no valid request. */
    RequestHead anonymous(Channel channel) {
        return new RequestHead(
                newId(),
                null,
                "-",
                "-",
                address(channel),
                true,
                false,
                null,
                null,
                RequestHead.Hints.NONE);
    }

    Incoming accept(Channel channel, HttpRequest request) {
        String path = path(request.uri());
        Route route = routes.find(path);
        String clientId = request.headers().get("x-request-id");
        RequestHead head =
                new RequestHead(
                        newId(),
                        clientId != null && HARMLESS_ID.matcher(clientId).matches()
                                ? clientId
                                : null,
                        request.method().name(),
                        path,
                        address(channel),
                        request.protocolVersion().equals(HttpVersion.HTTP_1_1),
                        HttpUtil.isKeepAlive(request) && !isDraining,
                        gate.corsOrigin(request.headers()),
                        route == null ? null : route.allow(),
                        RequestHead.Hints.of(request.headers()));
        // Counted before it is asked whether a drain has begun: the drain sees it, or it the drain.
        arriving.incrementAndGet();
        ApiError refused = refuses(request, route);
        boolean isLetIn = refused == null && route != null && route.isInference();
        if (!isLetIn) {
            arriving.decrementAndGet();
        }
        return new Incoming(
                head,
                route,
                refused,
                options.limits(),
                pendingBytes,
                isLetIn ? arriving::decrementAndGet : () -> {});
    }

    private @Nullable ApiError refuses(HttpRequest request, @Nullable Route route) {
        ApiError error = gate.refuses(request, route);
        if (error != null) {
            return error;
        }
        if (route == null) {
            return ApiError.of(HttpResponseStatus.NOT_FOUND, "No such route.", null, "not_found");
        }
        String method = request.method().name();
        if (method.equals("OPTIONS")) {
            return null;
        }
        if (!route.takes(method)) {
            return ApiError.of(
                    HttpResponseStatus.METHOD_NOT_ALLOWED,
                    "The route takes " + route.allow() + ".",
                    null,
                    "method_not_allowed");
        }
        if (route.isInference() && isDraining) {
            return ApiError.draining();
        }
        return Gate.body(request, options.limits());
    }

    /** The raw target decides: a Host header never changes the path. */
    private static String path(String uri) {
        int query = uri.indexOf('?');
        return query < 0 ? uri : uri.substring(0, query);
    }

    private static String newId() {
        return "req-" + UUID.randomUUID().toString().replace("-", "");
    }

    private static String address(Channel channel) {
        return channel.remoteAddress() instanceof InetSocketAddress inet
                ? inet.getAddress().getHostAddress()
                : "-";
    }

    /** Runs a request that is whole. */
    void run(Exchange exchange, Incoming in) {
        ApiError refused = in.refused();
        Route route = in.route();
        if (refused != null || route == null) {
            exchange.fail(refused == null ? ApiError.internal() : refused);
        } else if (exchange.head().method().equals("OPTIONS")) {
            exchange.answerEmpty(
                    HttpResponseStatus.NO_CONTENT,
                    exchange.head().corsOrigin() == null
                            ? HttpHeaderNames.ALLOW.toString()
                            : HttpHeaderNames.ACCESS_CONTROL_ALLOW_METHODS.toString(),
                    route.allow());
        } else {
            running.add(exchange);
            threads.execute(() -> handle(exchange, route));
        }
    }

    /** Whatever happens, the exchange ends: by its answer, an error, or the connection's close. */
    private void handle(Exchange exchange, Route route) {
        try {
            answer(exchange, route);
        } catch (RuntimeException | Error e) { // not even the error could be told
            exchange.abandon();
            log.fault(exchange.head().requestId(), e);
        }
    }

    private void answer(Exchange exchange, Route route) {
        try {
            route.handler().handle(exchange);
        } catch (ApiError e) {
            exchange.fail(e);
        } catch (io.cortado.api.EngineException e) {
            if (ApiError.from(e).isFinal()) {
                log.fault(exchange.head().requestId(), e);
            }
            exchange.fail(ApiError.from(e));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            exchange.fail(ApiError.draining());
        } catch (RuntimeException | Error e) {
            log.fault(exchange.head().requestId(), e);
            exchange.fail(ApiError.internal());
        }
    }

    /** The last byte of the answer has left, or the client has. */
    void ended(Exchange exchange) {
        running.remove(exchange);
        metrics.answered(exchange.status());
        if (exchange.isSlowReader()) {
            metrics.slowReader();
        }
        if (!options.accessLog()) {
            return;
        }
        RequestHead head = exchange.head();
        String note = exchange.note();
        log.info(
                "request="
                        + head.requestId()
                        + (head.clientRequestId() == null
                                ? ""
                                : " client_request=" + head.clientRequestId())
                        + " remote="
                        + head.remote()
                        + " method="
                        + Log.escape(head.method())
                        + " path=\""
                        + Log.escape(head.path())
                        + "\" status="
                        + exchange.status()
                        + " ms="
                        + TimeUnit.NANOSECONDS.toMillis(exchange.elapsedNanos())
                        + (exchange.isSlowReader() ? " slow_reader=true" : "")
                        + (note.isEmpty() ? "" : " " + note));
    }

    boolean isDraining() {
        return isDraining;
    }

    void beginDrain() {
        isDraining = true;
        running.forEach(Exchange::closeAfter);
    }

    /** True if all answers have left within the time, but for those a drain does not wait for. */
    boolean awaitIdle(long timeoutMs) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        while (isBusy() && System.nanoTime() < end) {
            Thread.sleep(5);
        }
        return !isBusy();
    }

    /** What was let in before the drain counts from its head on, not only once its body is here. */
    private boolean isBusy() {
        return arriving.get() > 0 || running.stream().anyMatch(each -> !each.isBesideDrain());
    }

    /** Ends what a drain does not wait for, and waits until it has left or the time is over. */
    void endStreams(long timeoutMs) throws InterruptedException {
        running.stream().filter(Exchange::isBesideDrain).forEach(Exchange::abort);
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        while (running.stream().anyMatch(Exchange::isBesideDrain) && System.nanoTime() < end) {
            Thread.sleep(5);
        }
    }

    /** Ends what still runs; each client gets an error. */
    void abort() {
        running.forEach(Exchange::abort);
    }

    void close() {
        threads.shutdownNow();
    }
}
