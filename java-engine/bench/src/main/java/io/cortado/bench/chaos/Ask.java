package io.cortado.bench.chaos;

import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One request of the load and how its client behaves.
 *
 * @param kind for the tally
 * @param raw the bytes to send, made of the request's id
 * @param statuses that are right; 429 is right beside 200
 * @param answers choices or embeddings that a right answer has
 * @param manner what its client does
 * @param events of a stream to read before the client leaves
 * @param canary whose answer must be as it was at idle; null: any will do
 */
record Ask(
        String kind,
        UnaryOperator<String> raw,
        Set<Integer> statuses,
        int answers,
        Manner manner,
        int events,
        @Nullable Canary canary) {

    /** What a client does once it has sent its request. */
    enum Manner {
        /** Reads to the end. */
        READ,
        /** Closes after some events, or at once. */
        LEAVE,
        /** The same, by a reset. */
        RESET,
        /** Reads nothing, for longer than the server waits. */
        STALL,
        /** Sends half of the request and leaves. */
        HALF
    }

    static Ask of(String kind, String path, String body, int answers) {
        return new Ask(
                kind,
                id -> HttpSocket.request("POST", path, id, body),
                Set.of(200),
                answers,
                Manner.READ,
                0,
                null);
    }

    Ask refusedWith(Integer... right) {
        return new Ask(kind, raw, Set.of(right), answers, manner, events, canary);
    }

    Ask manner(Manner how, int after) {
        return new Ask(kind, raw, statuses, answers, how, after, canary);
    }

    Ask canary(Canary whose) {
        return new Ask(kind, raw, statuses, answers, manner, events, whose);
    }
}
