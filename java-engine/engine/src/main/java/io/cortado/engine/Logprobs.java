package io.cortado.engine;

import io.cortado.api.TokenLogprob;
import io.cortado.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Makes the API's log-probabilities of the loop's numbers, on the consumer's thread. */
final class Logprobs {
    private final @Nullable Tokenizer tokenizer;

    Logprobs(@Nullable Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    TokenLogprob of(Answer answer, int index) {
        List<TokenLogprob> top = new ArrayList<>();
        for (int i = 0; i < answer.tops(); i++) {
            addTop(top, answer.topId(index, i), answer.topLogprob(index, i));
        }
        return token(answer.id(index), answer.logprob(index), answer.rank(index), top);
    }

    /** One entry a prompt token, made when it is read; the first is null. */
    List<@Nullable TokenLogprob> of(int[] prompt, PromptScores scores) {
        return new AbstractList<>() {
            @Override
            public @Nullable TokenLogprob get(int index) {
                Objects.checkIndex(index, prompt.length);
                return index == 0 ? null : promptToken(prompt[index], index, scores);
            }

            @Override
            public int size() {
                return prompt.length;
            }
        };
    }

    private TokenLogprob promptToken(int id, int index, PromptScores scores) {
        List<TokenLogprob> top = new ArrayList<>();
        for (int i = 0; i < scores.tops(); i++) {
            addTop(top, scores.topId(index, i), scores.topLogprob(index, i));
        }
        return token(id, scores.logprob(index), scores.rank(index), top);
    }

    /** Places beyond the vocabulary, or banned tokens, have no log-probability. */
    private void addTop(List<TokenLogprob> top, int id, float logprob) {
        if (id >= 0 && Float.isFinite(logprob)) {
            top.add(token(id, logprob, top.size() + 1, List.of()));
        }
    }

    private TokenLogprob token(int id, float logprob, int rank, List<TokenLogprob> top) {
        byte[] bytes =
                tokenizer == null || id >= tokenizer.vocabSize()
                        ? new byte[0]
                        : tokenizer.tokenBytes(id);
        String text = new String(bytes, StandardCharsets.UTF_8);
        float shown = logprob + 0f; // of a certain token: 0, not minus 0
        return new TokenLogprob(id, text, bytes, shown, rank, List.copyOf(top));
    }
}
