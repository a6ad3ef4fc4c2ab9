package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.KvEvent;
import io.cortado.api.KvEventStream;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * {@code GET /v1/kv-events}: what the prefix cache gains and loses, as server-sent events. There
 * only where the operator asked for it: the events hold the ids of prompts.
 *
 * <p>The first event tells the replica's instance, its model and the size of a block. All others
 * have an {@code id} of the instance and the event's number, without a gap: what was not kept long
 * enough for this reader is told as {@code EventsMissed}. {@code Last-Event-ID} goes on behind an
 * event; one of another instance begins with the oldest that is kept.
 */
final class KvEventRoute {
    private static final Pattern EVENT_ID = Pattern.compile("([0-9a-f]{16})-([0-9]{1,18})");
    private static final int MAX_READERS = 64;

    private final Engine engine;
    private final String model;
    private final int blockTokens;
    private final String instance = UUID.randomUUID().toString().replace("-", "").substring(0, 16);
    private final AtomicInteger readers = new AtomicInteger();

    /** The engine keeps events from here on. */
    KvEventRoute(Engine engine, String servedName) {
        this.engine = engine;
        this.model = servedName;
        this.blockTokens = engine.stats().cache().blockTokens();
        engine.kvEvents(-1).close();
    }

    Route route() {
        return Route.get("/v1/kv-events", false, this::tell);
    }

    private void tell(Exchange exchange) throws InterruptedException {
        long after = after(exchange.head().hints().lastEventId());
        if (exchange.head().method().equals("HEAD")) {
            exchange.answer(HttpResponseStatus.OK, "text/event-stream; charset=utf-8", "");
            return;
        }
        if (readers.incrementAndGet() > MAX_READERS) {
            readers.decrementAndGet();
            throw ApiError.of(
                    HttpResponseStatus.TOO_MANY_REQUESTS,
                    "Too many read KV events: limit=" + MAX_READERS,
                    null,
                    "too_many_readers");
        }
        try (KvEventStream events = engine.kvEvents(after)) {
            exchange.runsBesideDrain();
            exchange.onGone(events::close);
            stream(exchange, events);
        } finally {
            readers.decrementAndGet();
        }
    }

    private void stream(Exchange exchange, KvEventStream events) throws InterruptedException {
        exchange.startStream();
        boolean isRead = exchange.send(opened());
        for (KvEvent event = isRead ? events.next() : null;
                event != null;
                event = isRead ? events.next() : null) {
            isRead = exchange.send(instance + "-" + last(event), json(event));
        }
        if (exchange.isGone()) {
            exchange.abandon();
        } else {
            exchange.endStream(false);
        }
    }

    private long after(@Nullable String lastEventId) {
        if (lastEventId == null) {
            return -1;
        }
        Matcher matcher = EVENT_ID.matcher(lastEventId);
        if (!matcher.matches()) {
            throw ApiError.invalid(
                    "last-event-id", "Last-Event-ID must be the id of an event of this route.");
        }
        return matcher.group(1).equals(instance) ? Long.parseLong(matcher.group(2)) : -1;
    }

    private String opened() {
        JsonOut out = new JsonOut().open().field("type", "Opened").field("instance", instance);
        return out.field("model", model).field("block_size", blockTokens).close().toString();
    }

    /** The number that a reader knows everything up to, behind this event. */
    private static long last(KvEvent event) {
        return event instanceof KvEvent.Missed missed
                ? missed.number() + missed.count() - 1
                : event.number();
    }

    private String json(KvEvent event) {
        JsonOut out = new JsonOut().open().field("type", type(event)).field("seq", event.number());
        switch (event) {
            case KvEvent.Stored(_, var block, var parent, var tokens, var tier) -> {
                out.name("block_hashes").openArray().value(block.toString()).closeArray();
                out.field("parent_block_hash", parent == null ? null : parent.toString());
                out.name("token_ids").ints(tokens).field("block_size", blockTokens);
                out.field("medium", medium(tier));
            }
            case KvEvent.Removed(_, var block, var tier) -> {
                out.name("block_hashes").openArray().value(block.toString()).closeArray();
                out.field("medium", medium(tier));
            }
            case KvEvent.Cleared _ -> {}
            case KvEvent.Missed missed -> out.field("count", missed.count());
        }
        return out.close().toString();
    }

    private static String type(KvEvent event) {
        return switch (event) {
            case KvEvent.Stored _ -> "BlockStored";
            case KvEvent.Removed _ -> "BlockRemoved";
            case KvEvent.Cleared _ -> "AllBlocksCleared";
            case KvEvent.Missed _ -> "EventsMissed";
        };
    }

    /** vLLM's words: the first one is the device's memory, whatever the device. */
    private static String medium(KvEvent.Tier tier) {
        return switch (tier) {
            case DEVICE -> "GPU";
            case HOST -> "CPU";
        };
    }
}
