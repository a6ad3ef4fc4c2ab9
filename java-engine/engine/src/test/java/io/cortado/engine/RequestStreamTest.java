package io.cortado.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.cortado.api.EngineException;
import io.cortado.api.GenerationEvent;
import io.cortado.kv.KvCache;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class RequestStreamTest {
    private static final int RACES = 2_000;
    private static final Limits LIMITS = Limits.of(4, 64, 16);

    private final Door door = new Door(4, 4, 0);
    private final EngineLoop loop =
            new EngineLoop(
                    new KvCache(16), LIMITS, OrderedQueue.fcfs(), new NotFinite(), door, () -> 1);

    /** Every row's logits are not finite, which fails the row's request. */
    private static final class NotFinite extends SimulatedExecutor {
        NotFinite() {
            super(100, 16);
        }

        @Override
        public void await(Batch batch) {
            Arrays.fill(batch.status, SampleStatus.NOT_FINITE);
        }
    }

    /** The consumer asks all the time while the loop fails the request and ends its answer. */
    @Test
    void aFailedRequestNeverLooksCancelledFirst() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            for (int race = 0; race < RACES; race++) {
                Request request = Requests.request(door, 5, 1, 8, race);
                RequestStream stream = stream(request);
                assertInstanceOf(GenerationEvent.Started.class, stream.next());
                Future<GenerationEvent> next = threads.submit(stream::next);
                Future<?> pester = threads.submit(() -> pester(request, next));
                loop.put(request);
                while (!request.hasEnded()) {
                    loop.step();
                }
                loop.step(); // wakes
                var failed = assertInstanceOf(GenerationEvent.Failed.class, next.get());
                assertEquals(EngineException.Code.NOT_FINITE, failed.error().code());
                assertNull(stream.next());
                pester.get();
            }
        }
    }

    private static void pester(Request request, Future<?> next) {
        while (!next.isDone()) {
            request.wake();
            Thread.onSpinWait();
        }
    }

    private RequestStream stream(Request request) {
        Logprobs logprobs = new Logprobs(null);
        AnswerReader reader = new AnswerReader(request.sequences[0], null, logprobs, false, null);
        return new RequestStream(request, new AnswerReader[] {reader}, logprobs, loop);
    }
}
