package io.cortado.engine;

import io.cortado.api.FinishReason;
import io.cortado.api.GenerationEvent;
import io.cortado.api.TokenLogprob;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Turns an answer's ids into deltas, on the consumer's thread. An id and its log-probability come
 * out with the last of its text; all that is ready comes out at once, so a slow consumer gets fewer
 * and larger deltas and the same text.
 */
final class AnswerReader {
    private final Answer answer;
    private int index;
    private final @Nullable TextFilter filter;
    private final Logprobs logprobs;
    private final boolean showEndToken;
    private @Nullable String echo;

    /** Characters shown that tokens made; an echoed prompt does not count. */
    private int shownChars;

    private int read;
    private int shownIds;

    /** Where the text of the tokens in [shownIds, read) ends. */
    private final List<Integer> ends = new ArrayList<>();

    private boolean finished;

    /**
     * @param filter null for a model without a tokenizer: ids only
     * @param showEndToken the id that ends the answer gives text
     * @param echo text that comes first
     */
    AnswerReader(
            Sequence sequence,
            @Nullable TextFilter filter,
            Logprobs logprobs,
            boolean showEndToken,
            @Nullable String echo) {
        this.answer = sequence.answer;
        this.index = sequence.index;
        this.filter = filter;
        this.logprobs = logprobs;
        this.showEndToken = showEndToken;
        this.echo = echo;
    }

    /** What it is called from here on, where the likeliest answers are given. */
    void index(int value) {
        index = value;
    }

    /** Of an answer that has ended. */
    double cumulativeLogprob() {
        return answer.cumulativeLogprob();
    }

    boolean isFinished() {
        return finished;
    }

    /** Tokens taken from the answer so far: all of them once finished. */
    int tokens() {
        return read;
    }

    /** The next delta, or the end, if one is ready. */
    @Nullable GenerationEvent poll() {
        if (finished) {
            return null;
        }
        if (echo != null) {
            String text = echo;
            echo = null;
            return new GenerationEvent.Delta(index, new int[0], text, noLogprobs());
        }
        int published = answer.published();
        boolean ended = Answer.isEnded(published);
        String text = readTo(Answer.count(published), ended);
        shownChars += text.length();
        int ready = readyIds(ended);
        if (ready > 0 || !text.isEmpty()) {
            return delta(ready, text);
        }
        if (ended) {
            finished = true;
            return new GenerationEvent.Finished(index, answer.reason());
        }
        return null;
    }

    private String readTo(int count, boolean ended) {
        if (read == count && !(ended && filter != null)) {
            return "";
        }
        StringBuilder text = new StringBuilder();
        for (; read < count; read++) {
            boolean isEndToken =
                    ended && read == count - 1 && answer.reason() instanceof FinishReason.EndToken;
            if (filter != null && (showEndToken || !isEndToken)) {
                text.append(filter.feed(answer.id(read)));
            }
            ends.add(filter == null ? 0 : filter.lastTokenEnd());
        }
        if (ended && filter != null) {
            text.append(filter.flush());
        }
        return text.toString();
    }

    private int readyIds(boolean ended) {
        if (ended) {
            return ends.size();
        }
        int ready = 0;
        while (ready < ends.size() && ends.get(ready) <= shownChars) {
            ready++;
        }
        return ready;
    }

    private GenerationEvent.Delta delta(int count, String text) {
        int[] ids = new int[count];
        List<TokenLogprob> scores = noLogprobs();
        for (int i = 0; i < count; i++) {
            ids[i] = answer.id(shownIds + i);
            if (scores != null) {
                scores.add(logprobs.of(answer, shownIds + i));
            }
        }
        shownIds += count;
        ends.subList(0, count).clear();
        return new GenerationEvent.Delta(index, ids, text, scores);
    }

    private @Nullable List<TokenLogprob> noLogprobs() {
        return answer.isScored() ? new ArrayList<>() : null;
    }
}
