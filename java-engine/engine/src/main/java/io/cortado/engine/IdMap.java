package io.cortado.engine;

import io.cortado.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Ids of a draft model and of its target, whose vocabularies hold some of the same tokens under
 * other numbers. A token that the draft model alone has is not drafted; for one that it lacks it
 * reads another.
 */
final class IdMap {
    /** There is no such token. */
    static final int NONE = -1;

    /** What the draft model reads for a token that it lacks. */
    private static final int STRANGER = 0;

    private final int[] toTarget;
    private final int[] toDraft;

    private IdMap(int[] toTarget, int[] toDraft) {
        this.toTarget = toTarget;
        this.toDraft = toDraft;
    }

    /** Matches tokens by their bytes; null where each id means the same to both. */
    static @Nullable IdMap of(Tokenizer draft, Tokenizer target) {
        List<String> ofDraft = tokens(draft);
        List<String> ofTarget = tokens(target);
        return ofDraft.equals(ofTarget) ? null : of(ofDraft, ofTarget);
    }

    private static List<String> tokens(Tokenizer tokenizer) {
        return IntStream.range(0, tokenizer.vocabSize())
                .mapToObj(id -> token(tokenizer, id))
                .toList();
    }

    /** Control tokens are no text that reads the same; an id without a token is empty. */
    private static String token(Tokenizer tokenizer, int id) {
        if (tokenizer.tokenText(id) == null) {
            return "";
        }
        String bytes = new String(tokenizer.tokenBytes(id), StandardCharsets.ISO_8859_1);
        return (tokenizer.isSpecial(id) ? "control " : "text ") + bytes;
    }

    /** Matches equal names. */
    static IdMap of(List<String> draft, List<String> target) {
        Map<String, Integer> draftIds = new HashMap<>();
        for (int id = 0; id < draft.size(); id++) {
            if (!draft.get(id).isEmpty()) {
                draftIds.putIfAbsent(draft.get(id), id);
            }
        }
        int[] toTarget = new int[draft.size()];
        Arrays.fill(toTarget, NONE);
        int[] toDraft = new int[target.size()];
        for (int id = 0; id < toDraft.length; id++) {
            Integer same = draftIds.get(target.get(id));
            toDraft[id] = same == null ? STRANGER : same;
            if (same != null && toTarget[same] == NONE) {
                toTarget[same] = id;
            }
        }
        return new IdMap(toTarget, toDraft);
    }

    /** Tokens that both have. */
    int shared() {
        return (int) Arrays.stream(toTarget).filter(id -> id != NONE).count();
    }

    /** {@link #NONE} where the target has no such token. */
    int toTarget(int draftId) {
        return draftId < toTarget.length ? toTarget[draftId] : NONE;
    }

    int toDraft(int targetId) {
        return targetId < toDraft.length ? toDraft[targetId] : STRANGER;
    }
}
