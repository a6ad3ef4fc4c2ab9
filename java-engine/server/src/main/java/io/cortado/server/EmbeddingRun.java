package io.cortado.server;

import io.cortado.api.Embedding;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Answers requests for embeddings. Small requests can have large answers, so the answers in the
 * making share a part of the heap: a request waits until its own fits.
 */
final class EmbeddingRun {
    /** Number, text of at most 15 characters, and that text again as a string and as bytes. */
    private static final long BYTES_PER_VALUE = 64;

    private static final int HEAP_PART = 4;
    private static final int UNIT_BYTES = 1024;

    private final Engine engine;
    private final ServerMetrics metrics;
    private final long limitMs;
    private final int units;
    private final Semaphore room;

    /**
     * @param limitMs time that a request may take; 0: no limit
     */
    EmbeddingRun(Engine engine, ServerMetrics metrics, long limitMs) {
        this(engine, metrics, limitMs, Runtime.getRuntime().maxMemory() / HEAP_PART);
    }

    EmbeddingRun(Engine engine, ServerMetrics metrics, long limitMs, long bytes) {
        this.engine = engine;
        this.metrics = metrics;
        this.limitMs = limitMs;
        units = (int) Math.min(Integer.MAX_VALUE, bytes / UNIT_BYTES);
        room = new Semaphore(units, true);
    }

    /** Runs on the exchange's own thread, which is interrupted if the client leaves. */
    void run(Exchange exchange, EmbeddingAsk ask) throws InterruptedException {
        ApiError refusal = refusal(ask);
        if (refusal != null) {
            throw refusal;
        }
        int needed = (int) units(ask);
        Deadline deadline = new Deadline(Thread.currentThread());
        deadline.start(exchange, limitMs);
        exchange.onGone(Thread.currentThread()::interrupt);
        try {
            room.acquire(needed);
            try {
                answer(exchange, ask, engine.embed(ask.request()));
            } finally {
                room.release(needed);
            }
        } catch (InterruptedException e) {
            interrupted(exchange, ask, deadline.isOver);
        } catch (EngineException e) {
            if (ApiError.from(e).status().code() >= 500) {
                metrics.failed();
            }
            note(exchange, ask, 0, "error");
            throw e;
        } finally {
            deadline.cancel();
        }
    }

    /** Why the answer can never be made; null if it can. */
    @Nullable ApiError refusal(EmbeddingAsk ask) {
        if (units(ask) <= units) {
            return null;
        }
        return ApiError.invalid(
                "input",
                "The answer would be too large: inputs=%d dimensions=%d limit of their product=%d"
                        .formatted(
                                ask.request().prompts().size(),
                                ask.dimensions(),
                                (long) units * UNIT_BYTES / BYTES_PER_VALUE));
    }

    private static long units(EmbeddingAsk ask) {
        long values = (long) ask.request().prompts().size() * ask.dimensions();
        return Math.ceilDiv(values * BYTES_PER_VALUE, UNIT_BYTES);
    }

    private void interrupted(Exchange exchange, EmbeddingAsk ask, boolean isLate) {
        if (exchange.isGone()) {
            metrics.aborted();
            note(exchange, ask, 0, "abort");
            exchange.abandon();
        } else {
            metrics.failed();
            note(exchange, ask, 0, "error");
            exchange.fail(isLate ? ApiError.timeout() : ApiError.draining());
        }
    }

    private void answer(Exchange exchange, EmbeddingAsk ask, List<Embedding> embeddings) {
        JsonOut out = new JsonOut().open().field("object", "list").name("data").openArray();
        int tokens = 0;
        for (int i = 0; i < embeddings.size(); i++) {
            Embedding embedding = embeddings.get(i);
            out.open().field("object", "embedding").field("index", i).name("embedding");
            values(out, embedding.values(), ask.isBase64());
            out.close();
            tokens += embedding.promptTokens();
            metrics.embedded(embedding);
        }
        out.closeArray().field("model", ask.model()).name("usage").open();
        out.field("prompt_tokens", tokens).field("total_tokens", tokens).close();
        note(exchange, ask, tokens, "embedded");
        exchange.answer(HttpResponseStatus.OK, out.close().toString());
    }

    private static void values(JsonOut out, float[] values, boolean isBase64) {
        if (isBase64) {
            ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES);
            bytes.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values);
            out.value(Base64.getEncoder().encodeToString(bytes.array()));
            return;
        }
        out.openArray();
        for (float value : values) {
            out.value(value);
        }
        out.closeArray();
    }

    private static void note(Exchange exchange, EmbeddingAsk ask, int tokens, String how) {
        exchange.note(
                "prompts="
                        + ask.request().prompts().size()
                        + " prompt_tokens="
                        + tokens
                        + " finish="
                        + how);
    }

    /** Interrupts a thread when its time is over. */
    private static final class Deadline {
        private final Thread thread;
        private @Nullable ScheduledFuture<?> task;
        volatile boolean isOver;

        Deadline(Thread thread) {
            this.thread = thread;
        }

        void start(Exchange exchange, long limitMs) {
            if (limitMs > 0) {
                task = exchange.after(limitMs, this::end);
            }
        }

        private void end() {
            isOver = true;
            thread.interrupt();
        }

        void cancel() {
            if (task != null) {
                task.cancel(false);
            }
        }
    }
}
