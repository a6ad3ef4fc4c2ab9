package io.cortado.server;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/** The streams of a request's prompts, read as one. */
final class Generations implements AutoCloseable {

    /** An event of prompt {@code prompt}; no event: that prompt has no more. */
    record Tagged(int prompt, @Nullable GenerationEvent event) {}

    /** Events that wait to be written; more stay with the engine, as ids. */
    private static final int MAX_MERGED = 64;

    private final List<GenerationStream> streams;
    private final List<Thread> pumps = new ArrayList<>();
    private final BlockingQueue<Tagged> merged = new ArrayBlockingQueue<>(MAX_MERGED);
    private int open;

    private Generations(List<GenerationStream> streams) {
        this.streams = streams;
        this.open = streams.size();
    }

    /**
     * Starts all of them, or none.
     *
     * @throws EngineException as {@link Engine#generate}
     */
    static Generations open(Engine engine, List<GenerationRequest> requests) {
        List<GenerationStream> streams = new ArrayList<>(requests.size());
        try {
            for (GenerationRequest request : requests) {
                streams.add(engine.generate(request));
            }
        } catch (RuntimeException | Error e) {
            streams.forEach(GenerationStream::close);
            throw e;
        }
        Generations all = new Generations(streams);
        for (int i = 0; i < streams.size() && streams.size() > 1; i++) {
            int prompt = i;
            all.pumps.add(
                    Thread.ofVirtual().name("generation").start(() -> all.pumpOrTell(prompt)));
        }
        return all;
    }

    private void pumpOrTell(int prompt) {
        try {
            pump(prompt);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // closed: nobody takes events any more
        }
    }

    private void pump(int prompt) throws InterruptedException {
        try {
            GenerationEvent event;
            do {
                event = streams.get(prompt).next();
                merged.put(new Tagged(prompt, event));
            } while (event != null);
        } catch (RuntimeException | Error e) {
            EngineException error =
                    e instanceof EngineException engine
                            ? engine
                            : new EngineException(
                                    EngineException.Code.INTERNAL, "the stream broke");
            merged.put(new Tagged(prompt, new GenerationEvent.Failed(error)));
        }
    }

    /** Waits for the next event of any prompt; null when all have ended. */
    @Nullable Tagged next() throws InterruptedException {
        if (streams.size() == 1) {
            GenerationEvent event = streams.getFirst().next();
            return event == null ? null : new Tagged(0, event);
        }
        while (open > 0) {
            Tagged tagged = merged.take();
            if (tagged.event() != null) {
                return tagged;
            }
            open--;
        }
        return null;
    }

    void cancel() {
        streams.forEach(GenerationStream::cancel);
    }

    @Override
    public void close() {
        streams.forEach(GenerationStream::close);
        pumps.forEach(Thread::interrupt);
    }
}
