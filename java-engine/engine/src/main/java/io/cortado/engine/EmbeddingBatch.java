package io.cortado.engine;

import io.cortado.api.Embedding;
import io.cortado.api.EngineException;
import io.cortado.api.Pooling;
import io.cortado.api.Scheduling;
import io.cortado.api.Timings;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;

/**
 * The consumer's side of a batch to embed: keeps a bounded number of its prompts with the loop and
 * takes what has come, in order. Only the first may find the queue full; the rest waits for room.
 */
final class EmbeddingBatch {
    private static final StopRules NO_OUTPUT = new StopRules(new int[0], 0, 0, null);

    /** As torch's {@code normalize}: what a norm is at least. */
    private static final double LEAST_NORM = 1e-12;

    private final EngineLoop loop;
    private final Door door;
    private final EmbeddingChecker.Resolved params;
    private final Scheduling scheduling;
    private final int width;
    private final int window;
    private final ArrayDeque<Request> underWay = new ArrayDeque<>();

    /**
     * @param width of a hidden state
     * @param window prompts that the loop has at a time
     */
    EmbeddingBatch(
            EngineLoop loop,
            Door door,
            EmbeddingChecker.Resolved params,
            Scheduling scheduling,
            int width,
            int window) {
        this.loop = loop;
        this.door = door;
        this.params = params;
        this.scheduling = scheduling;
        this.width = width;
        this.window = window;
    }

    List<Embedding> run(List<int[]> prompts) throws InterruptedException {
        List<Embedding> done = new ArrayList<>(prompts.size());
        try {
            int next = 0;
            while (done.size() < prompts.size()) {
                while (next < prompts.size() && underWay.size() < window) {
                    submit(prompts.get(next), next == 0);
                    next++;
                }
                done.add(take(underWay.getFirst()));
                underWay.removeFirst();
            }
            return done;
        } finally {
            underWay.forEach(this::cancel);
        }
    }

    private void submit(int[] prompt, boolean isFirst) throws InterruptedException {
        if (isFirst) {
            door.enter(1, prompt.length);
        } else {
            door.enterOnceThereIsRoom(1, prompt.length);
        }
        boolean isTaken = false;
        try {
            PooledRow pooled = new PooledRow(params.pooling(), width);
            RequestSpec spec =
                    new RequestSpec(
                            prompt,
                            1,
                            0,
                            0,
                            RowParams.RAW,
                            -1,
                            -1,
                            scheduling,
                            null,
                            pooled,
                            () -> NO_OUTPUT);
            Request request = new Request(spec, door, System.nanoTime());
            request.consumer(Thread.currentThread());
            loop.put(request);
            isTaken = true;
            underWay.addLast(request);
        } finally {
            if (!isTaken) { // memory ran out: the place must not be lost with the request
                door.started(prompt.length);
                door.leave(1);
            }
        }
    }

    private Embedding take(Request request) throws InterruptedException {
        while (request.failure() == null && !request.sequences[0].hasEnded()) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            LockSupport.park(this);
        }
        EngineException failure = request.failure();
        if (failure != null) {
            throw failure;
        }
        int tokens = request.prompt.length;
        return new Embedding(
                values(Objects.requireNonNull(request.pooled), tokens),
                tokens,
                new Timings(request.queuedNanos(), request.ttftNanos(), request.e2eNanos(), 0));
    }

    private float[] values(PooledRow pooled, int tokens) {
        float count = pooled.pooling == Pooling.MEAN ? tokens : 1;
        float[] values = Arrays.copyOf(pooled.sums, params.dimensions());
        double squares = 0;
        for (int i = 0; i < values.length; i++) {
            values[i] /= count;
            squares += (double) values[i] * values[i];
        }
        if (!Double.isFinite(squares)) {
            throw new EngineException(
                    EngineException.Code.NOT_FINITE, "the hidden states are not finite");
        }
        double norm = Math.max(Math.sqrt(squares), LEAST_NORM);
        for (int i = 0; params.normalize() && i < values.length; i++) {
            values[i] = (float) (values[i] / norm);
        }
        return values;
    }

    private void cancel(Request request) {
        request.consumer(null);
        if (!request.hasEnded() && request.cancel()) {
            loop.put(request);
        }
    }
}
