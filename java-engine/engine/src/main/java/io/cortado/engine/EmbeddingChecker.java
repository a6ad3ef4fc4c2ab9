package io.cortado.engine;

import io.cortado.api.EmbeddingInfo;
import io.cortado.api.EmbeddingParams;
import io.cortado.api.EmbeddingRequest;
import io.cortado.api.EngineException;
import io.cortado.api.Pooling;
import io.cortado.api.Prompt;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Checks a batch of prompts to embed, before anything is allocated for it. Any thread. */
final class EmbeddingChecker {
    private final EmbeddingInfo info;
    private final int vocabSize;
    private final Texts texts;

    EmbeddingChecker(EmbeddingInfo info, int vocabSize, Texts texts) {
        this.info = info;
        this.vocabSize = vocabSize;
        this.texts = texts;
    }

    /** The parameters with nothing left open. */
    record Resolved(Pooling pooling, boolean normalize, int dimensions) {}

    Resolved check(EmbeddingParams params) {
        info.check(params);
        Pooling own = params.pooling() == null ? info.pooling() : params.pooling();
        return new Resolved(
                Objects.requireNonNull(own),
                params.normalize() == null ? info.normalize() : params.normalize(),
                params.dimensions() == null ? info.dimensions() : params.dimensions());
    }

    /** The ids of all prompts. */
    List<int[]> ids(EmbeddingRequest request) {
        if (request.prompts().isEmpty()) {
            throw EngineException.invalid("input", "input must have at least 1 prompt: prompts=0");
        }
        List<int[]> all = new ArrayList<>(request.prompts().size());
        for (Prompt prompt : request.prompts()) {
            if (!(prompt instanceof Prompt.Tokens) && texts.tokenizer() == null) {
                throw EngineException.invalid(
                        "input", "the model has no tokenizer.json: input must be ids");
            }
            int[] ids = texts.tokenize(prompt);
            check(ids, request.prompts().size() == 1 ? "input" : "input[" + all.size() + "]");
            all.add(ids);
        }
        return all;
    }

    private void check(int[] ids, String where) {
        if (ids.length == 0) {
            throw EngineException.invalid("input", where + " must have at least 1 token: tokens=0");
        }
        if (ids.length > info.maxTokens()) {
            throw new EngineException(
                    EngineException.Code.CONTEXT_LENGTH_EXCEEDED,
                    "%s is longer than the %d tokens that the model can embed: tokens=%d"
                            .formatted(where, info.maxTokens(), ids.length),
                    "input");
        }
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= vocabSize) {
                throw EngineException.invalid(
                        "input",
                        "%s must have ids in [0, %d): id=%d at=%d"
                                .formatted(where, vocabSize, ids[i], i));
            }
        }
    }
}
