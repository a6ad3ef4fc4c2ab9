package io.cortado.bench;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationStream;
import io.cortado.api.Timings;

/** An engine in this process. */
final class EngineTarget implements Target {
    private final Engine engine;

    EngineTarget(Engine engine) {
        this.engine = engine;
    }

    Engine engine() {
        return engine;
    }

    @Override
    public Outcome run(int[] prompt, int outputLen) throws InterruptedException {
        try (GenerationStream stream = engine.generate(RandomPrompts.request(prompt, outputLen))) {
            Outcome outcome = Outcome.failed("the stream ended without an outcome");
            for (GenerationEvent e = stream.next(); e != null; e = stream.next()) {
                if (e instanceof GenerationEvent.Completed(_, Timings times, _)) {
                    outcome =
                            new Outcome(
                                    times.ttftNanos(),
                                    times.e2eNanos(),
                                    times.completionTokens(),
                                    null);
                } else if (e instanceof GenerationEvent.Failed(EngineException error)) {
                    outcome = Outcome.failed(String.valueOf(error.getMessage()));
                }
            }
            return outcome;
        } catch (EngineException e) {
            return Outcome.failed(String.valueOf(e.getMessage()));
        }
    }

    @Override
    public int vocabSize() {
        return engine.model().vocabSize();
    }

    @Override
    public void close() {
        engine.close();
    }
}
