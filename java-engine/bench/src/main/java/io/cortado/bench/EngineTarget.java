package io.cortado.bench;

import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationRequest;
import io.cortado.api.GenerationStream;
import io.cortado.api.Timings;
import java.util.function.UnaryOperator;

/** An engine in this process. */
final class EngineTarget implements Target {
    private final Engine engine;
    private final UnaryOperator<GenerationRequest> asked;

    EngineTarget(Engine engine) {
        this(engine, request -> request);
    }

    /**
     * @param asked what becomes of a request before it runs
     */
    EngineTarget(Engine engine, UnaryOperator<GenerationRequest> asked) {
        this.engine = engine;
        this.asked = asked;
    }

    Engine engine() {
        return engine;
    }

    @Override
    public Outcome run(int[] prompt, int outputLen) throws InterruptedException {
        GenerationRequest request = asked.apply(RandomPrompts.request(prompt, outputLen));
        try (GenerationStream stream = engine.generate(request)) {
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
