package io.cortado.server;

import io.cortado.api.Constraint;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.api.GenerationEvent.Completed;
import io.cortado.api.GenerationEvent.Delta;
import io.cortado.api.GenerationEvent.Failed;
import io.cortado.api.GenerationEvent.Finished;
import io.cortado.api.GenerationEvent.PromptScored;
import io.cortado.api.GenerationEvent.Started;
import io.cortado.api.SamplingParams;
import io.cortado.api.TokenLogprob;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Runs one request and writes its answer. Ends the engine's work when the client leaves. */
final class GenerationRun {
    private final Exchange exchange;
    private final Ask ask;
    private final AnswerFormat format;
    private final ServerMetrics metrics;
    private final Answer answer;
    private final int n;
    private final Set<Integer> endIds;
    private volatile boolean isLate;

    GenerationRun(
            Exchange exchange, Ask ask, AnswerFormat format, Engine engine, ServerMetrics metrics) {
        this.exchange = exchange;
        this.ask = ask;
        this.format = format;
        this.metrics = metrics;
        this.n = ask.n();
        this.answer = new Answer(ask.requests().size() * n);
        SamplingParams params = ask.requests().getFirst().params();
        this.endIds = new HashSet<>(params.stopTokenIds());
        if (!params.ignoreEos()) {
            endIds.addAll(engine.model().endTokenIds());
        }
    }

    /**
     * @param limitMs time that it may take; 0: no limit
     */
    void run(Engine engine, long limitMs) throws InterruptedException {
        try (Generations generations = open(engine)) {
            ScheduledFuture<?> deadline = null;
            if (limitMs > 0) {
                deadline = exchange.after(limitMs, () -> late(generations));
            }
            exchange.onGone(generations::cancel);
            try {
                consume(generations);
            } finally {
                if (deadline != null) {
                    deadline.cancel(false);
                }
            }
        }
    }

    private Generations open(Engine engine) {
        try {
            return Generations.open(engine, ask.requests());
        } catch (EngineException e) {
            if (isOfTheConstraint(e)) {
                throw told(e);
            }
            throw e;
        }
    }

    private boolean isOfTheConstraint(EngineException e) {
        return e.code() == EngineException.Code.INVALID_REQUEST
                && Constraint.PARAM.equals(e.param());
    }

    /** The engine does not know by which of its names the client has given the constraint. */
    private ApiError told(EngineException e) {
        return isOfTheConstraint(e)
                ? ApiError.invalid(ask.constraintField(), String.valueOf(e.getMessage()))
                : ApiError.from(e);
    }

    private void late(Generations generations) {
        isLate = true;
        generations.cancel();
    }

    private void consume(Generations generations) throws InterruptedException {
        Generations.Tagged tagged = generations.next();
        while (tagged != null) {
            GenerationEvent event = tagged.event();
            ApiError error = event == null ? null : take(tagged.prompt(), event);
            if (exchange.isGone()) {
                generations.cancel();
                metrics.finished(new FinishReason.Cancelled());
                note("abort");
                exchange.abandon();
                return;
            }
            if (error != null) {
                generations.cancel();
                metrics.failed();
                note("error");
                exchange.fail(error);
                return;
            }
            tagged = generations.next();
        }
        complete();
    }

    private void complete() throws InterruptedException {
        note(answer.reasons());
        if (!ask.stream()) {
            exchange.answer(HttpResponseStatus.OK, format.whole(answer));
            return;
        }
        exchange.startStream();
        if (ask.includeUsage()) {
            send(format.usageChunk(answer));
        }
        if (exchange.isGone()) {
            exchange.abandon();
        } else {
            exchange.endStream(true);
        }
    }

    /** Takes one event in; the error if the request cannot go on. */
    private @Nullable ApiError take(int prompt, GenerationEvent event) throws InterruptedException {
        return switch (event) {
            case Started started -> {
                started(prompt, started);
                yield null;
            }
            case PromptScored scored -> {
                for (Answer.Choice choice : choicesOf(prompt)) {
                    choice.promptLogprobs = scored.tokens();
                }
                yield null;
            }
            case Delta delta -> {
                delta(answer.choices.get(prompt * n + delta.index()), delta);
                yield null;
            }
            case Finished finished ->
                    finished(answer.choices.get(prompt * n + finished.index()), finished.reason());
            case Completed completed -> {
                answer.add(completed.usage(), completed.report());
                metrics.completed(completed, ask);
                yield null;
            }
            case Failed failed -> failed(failed.error());
        };
    }

    private ApiError failed(EngineException error) {
        if (error.code() == EngineException.Code.NOT_FINITE) {
            metrics.corrupted();
        }
        return isLate ? ApiError.timeout() : told(error);
    }

    private List<Answer.Choice> choicesOf(int prompt) {
        return answer.choices.subList(prompt * n, prompt * n + n);
    }

    /** All openings go out before any text: clients learn the number of choices from them. */
    private void started(int prompt, Started started) throws InterruptedException {
        for (Answer.Choice choice : choicesOf(prompt)) {
            choice.promptIds = started.promptIds();
            if (ask.stream()) {
                exchange.startStream();
                send(format.opening(choice));
            }
        }
    }

    private void delta(Answer.Choice choice, Delta delta) throws InterruptedException {
        observe(choice, delta);
        List<@Nullable TokenLogprob> logprobs = logprobs(choice, delta);
        if (ask.stream()) {
            sendAll(format.delta(choice, delta, logprobs));
            return;
        }
        choice.text.append(delta.text());
        choice.logprobs.addAll(logprobs);
        for (int id : delta.ids()) {
            choice.ids.add(id);
        }
    }

    private void observe(Answer.Choice choice, Delta delta) {
        if (delta.ids().length == 0) {
            return;
        }
        long now = System.nanoTime();
        if (choice.lastTokenNanos != 0) {
            metrics.tokens(now - choice.lastTokenNanos, delta.ids().length);
        } else if (isFirst(choice)) {
            metrics.firstToken(exchange.elapsedNanos());
        }
        choice.lastTokenNanos = now;
    }

    /** True if no answer to the same prompt has a token. */
    private boolean isFirst(Answer.Choice choice) {
        return choicesOf(choice.index / n).stream().allMatch(other -> other.lastTokenNanos == 0);
    }

    /** An end token is no text, so it is not listed; an echoed prompt brings its own. */
    private List<@Nullable TokenLogprob> logprobs(Answer.Choice choice, Delta delta) {
        if (!ask.form().logprobs()) {
            return List.of();
        }
        if (delta.ids().length == 0 && delta.logprobs() == null && ask.form().echo()) {
            List<@Nullable TokenLogprob> prompt = choice.promptLogprobs;
            return prompt == null ? List.of() : prompt;
        }
        List<@Nullable TokenLogprob> told = new ArrayList<>();
        List<TokenLogprob> given = delta.logprobs();
        if (given != null) {
            for (TokenLogprob token : given) {
                if (!endIds.contains(token.id())) {
                    told.add(token);
                }
            }
        }
        return told;
    }

    private @Nullable ApiError finished(Answer.Choice choice, FinishReason reason)
            throws InterruptedException {
        if (reason instanceof FinishReason.Cancelled) {
            // The client did not ask for it: a false finish would look like a whole answer.
            return isLate ? ApiError.timeout() : ApiError.draining();
        }
        choice.reason = reason;
        metrics.finished(reason);
        if (ask.stream()) {
            sendAll(format.finish(choice));
        }
        return null;
    }

    private void sendAll(List<String> chunks) throws InterruptedException {
        for (String chunk : chunks) {
            send(chunk);
        }
    }

    private void send(@Nullable String chunk) throws InterruptedException {
        if (chunk != null) {
            exchange.send(chunk);
        }
    }

    private void note(String reason) {
        exchange.note(
                "prompts="
                        + ask.requests().size()
                        + " n="
                        + n
                        + " stream="
                        + ask.stream()
                        + " prompt_tokens="
                        + answer.usage().promptTokens()
                        + " completion_tokens="
                        + answer.usage().completionTokens()
                        + " finish="
                        + reason);
    }
}
