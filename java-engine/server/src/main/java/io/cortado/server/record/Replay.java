package io.cortado.server.record;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationStream;
import io.cortado.api.RequestReport;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Runs a recording again and compares token by token. */
public final class Replay {
    private final Engine engine;
    private final boolean keepsTimes;
    private final Semaphore open;

    /**
     * @param keepsTimes requests arrive as far apart as they did; else at once
     * @param maxOpen requests that the engine has at a time: no more than may wait there
     */
    public Replay(Engine engine, boolean keepsTimes, int maxOpen) {
        this.engine = engine;
        this.keepsTimes = keepsTimes;
        open = new Semaphore(Math.max(1, maxOpen), true);
    }

    /**
     * How a request went the second time.
     *
     * @param difference what differs; null where every recorded token came again
     * @param isCompared false where the recording has nothing to compare with
     * @param tokens recorded tokens
     * @param report of the second time
     */
    public record Result(
            RecordedRequest recorded,
            @Nullable String difference,
            boolean isCompared,
            int tokens,
            @Nullable RequestReport report) {}

    /** In the order of the recording. */
    public List<Result> run(List<RecordedRequest> requests) throws InterruptedException {
        List<Future<Result>> running = new ArrayList<>();
        List<Result> results = new ArrayList<>();
        long start = System.nanoTime();
        double first = requests.isEmpty() ? 0 : requests.getFirst().arrivalMillis();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (RecordedRequest request : requests) {
                if (keepsTimes) {
                    long due = start + (long) ((request.arrivalMillis() - first) * 1e6);
                    TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
                }
                open.acquire();
                running.add(threads.submit(() -> again(request)));
            }
            for (Future<Result> result : running) {
                results.add(result.get());
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException("a request could not be run again", e.getCause());
        }
        return results;
    }

    private Result again(RecordedRequest request) throws InterruptedException {
        RecordedRequest.Outcome before = request.outcome();
        Collected collected = new Collected(request.request().params().n());
        try (GenerationStream stream = engine.generate(request.request())) {
            GenerationEvent event = stream.next();
            while (event != null) {
                collected.take(event);
                if (before != null && isEnough(before, collected)) {
                    stream.cancel();
                }
                event = stream.next();
            }
        } catch (EngineException e) {
            collected.take(new GenerationEvent.Failed(e));
        } finally {
            open.release();
        }
        return compare(request, before, collected.outcome());
    }

    /** True if a request that was cut short has given what is recorded of it. */
    private static boolean isEnough(RecordedRequest.Outcome before, Collected now) {
        boolean isCut = false;
        boolean isReached = true;
        for (int i = 0; i < before.outputs().size(); i++) {
            RecordedRequest.Output output = before.outputs().get(i);
            isCut |= output.isCut();
            isReached &= now.size(i) >= output.ids().length;
        }
        return isCut && isReached;
    }

    private static Result compare(
            RecordedRequest request,
            RecordedRequest.@Nullable Outcome before,
            RecordedRequest.Outcome now) {
        if (before == null || before.error() != null) {
            return new Result(request, null, false, 0, now.report());
        }
        int tokens = 0;
        String difference = now.error() == null ? null : "it failed: " + now.error();
        for (int i = 0; i < before.outputs().size(); i++) {
            RecordedRequest.Output output = before.outputs().get(i);
            tokens += output.ids().length;
            if (difference == null) {
                difference = difference(i, output, now.outputs().get(i));
            }
        }
        return new Result(request, difference, true, tokens, now.report());
    }

    private static @Nullable String difference(
            int index, RecordedRequest.Output before, RecordedRequest.Output now) {
        int[] got =
                before.isCut() && now.ids().length > before.ids().length
                        ? Arrays.copyOf(now.ids(), before.ids().length)
                        : now.ids();
        int at = Arrays.mismatch(before.ids(), got);
        if (at >= 0) {
            return "answer %d, token %d: recorded %s, now %s"
                    .formatted(index, at, token(before.ids(), at), token(got, at));
        }
        return before.isCut() || before.finish().equals(now.finish())
                ? null
                : "answer %d ended by %s, now by %s"
                        .formatted(index, before.finish(), now.finish());
    }

    private static String token(int[] ids, int at) {
        return at < ids.length ? String.valueOf(ids[at]) : "none";
    }
}
