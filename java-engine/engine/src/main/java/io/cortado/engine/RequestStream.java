package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationStream;
import io.cortado.api.Timings;
import io.cortado.api.Usage;
import java.util.Arrays;
import java.util.Comparator;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The consumer's side of a request: reads what the loop has published, makes text of it here, off
 * the loop's thread, and parks when there is nothing.
 */
final class RequestStream implements GenerationStream {
    private enum Stage {
        STARTED,
        SCORED,
        ANSWERS,
        DONE
    }

    private final Request request;
    private AnswerReader[] readers;
    private final Logprobs logprobs;
    private final EngineLoop loop;
    private Stage stage = Stage.STARTED;
    private int turn;

    RequestStream(Request request, AnswerReader[] readers, Logprobs logprobs, EngineLoop loop) {
        this.request = request;
        this.readers = readers;
        this.logprobs = logprobs;
        this.loop = loop;
    }

    @Override
    public @Nullable GenerationEvent next() throws InterruptedException {
        if (stage == Stage.DONE) {
            return null;
        }
        request.consumer(Thread.currentThread());
        try {
            while (true) {
                if (Thread.interrupted()) {
                    cancel();
                    throw new InterruptedException();
                }
                GenerationEvent event = poll();
                if (event != null) {
                    return event;
                }
                LockSupport.park(this);
            }
        } finally {
            request.consumer(null);
        }
    }

    private @Nullable GenerationEvent poll() {
        GenerationEvent event = request.failure() == null ? pollStage() : null;
        // Asked again: the loop notes a failure before it ends the answers, which else look
        // cancelled.
        EngineException failure = request.failure();
        if (failure != null) {
            stage = Stage.DONE;
            return new GenerationEvent.Failed(failure);
        }
        return event;
    }

    private @Nullable GenerationEvent pollStage() {
        return switch (stage) {
            case STARTED -> {
                stage = request.scores == null ? Stage.ANSWERS : Stage.SCORED;
                yield new GenerationEvent.Started(request.prompt.clone());
            }
            case SCORED -> pollScores();
            case ANSWERS -> pollAnswers();
            case DONE -> null;
        };
    }

    /** Null until the whole prompt is scored; skipped if the request ends before. */
    private @Nullable GenerationEvent pollScores() {
        PromptScores scores = request.scores;
        if (scores != null && scores.isComplete()) {
            stage = Stage.ANSWERS;
            return new GenerationEvent.PromptScored(logprobs.of(request.prompt, scores));
        }
        if (request.hasEnded()) {
            stage = Stage.ANSWERS;
            return pollAnswers();
        }
        return null;
    }

    /** In turn, so that no answer of a fast request hides the others. */
    private @Nullable GenerationEvent pollAnswers() {
        if (readers.length > request.n) {
            if (!request.hasEnded()) {
                return null;
            }
            keepTheBest();
        }
        int finished = 0;
        for (int i = 0; i < readers.length; i++) {
            AnswerReader reader = readers[turn];
            turn = (turn + 1) % readers.length;
            GenerationEvent event = reader.poll();
            if (event != null) {
                return event;
            }
            finished += reader.isFinished() ? 1 : 0;
        }
        return finished == readers.length ? completed() : null;
    }

    /** The earlier of equals. */
    private void keepTheBest() {
        AnswerReader[] ranked = readers.clone();
        Arrays.sort(ranked, Comparator.comparingDouble(AnswerReader::cumulativeLogprob).reversed());
        readers = Arrays.copyOf(ranked, request.n);
        for (int i = 0; i < readers.length; i++) {
            readers[i].index(i);
        }
    }

    private GenerationEvent completed() {
        stage = Stage.DONE;
        int tokens = 0;
        for (Sequence sequence : request.sequences) {
            tokens += sequence.answer.size();
        }
        return new GenerationEvent.Completed(
                new Usage(
                        request.prompt.length,
                        tokens,
                        request.cachedTokens(),
                        request.ledger.draftTokensAccepted(),
                        request.ledger.draftTokens() - request.ledger.draftTokensAccepted()),
                new Timings(request.queuedNanos(), request.ttftNanos(), request.e2eNanos(), tokens),
                request.report());
    }

    @Override
    public void cancel() {
        if (!request.hasEnded() && request.cancel()) {
            loop.put(request);
        }
    }

    @Override
    public void close() {
        cancel();
    }
}
