package io.cortado.bench.chaos;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/** What became of the requests, and what must not have. Any thread. */
final class Tally {
    private static final int MAX_TOLD = 20;

    /** How a request ended, as its client saw it: each ends in one of these ways. */
    enum End {
        /** By the answer that it asked for, whole. */
        ANSWERED,
        /** By an error that names what is wrong with it. */
        REFUSED,
        /** By 429: too much waits. */
        QUEUE_FULL,
        /** By 503, or an error in its stream, since the server shuts down. */
        SHUT_DOWN,
        /** Its client left first. */
        LEFT,
        /** The server gave its client up, which did not read. */
        GIVEN_UP,
        /** The connection was closed or refused before anything of an answer: not taken. */
        NOT_TAKEN,
        /** Otherwise: a violation says how. */
        WRONG
    }

    private final Map<String, LongAdder> ends = new ConcurrentSkipListMap<>();
    private final LongAdder sent = new LongAdder();
    private final LongAdder answers = new LongAdder();
    private final LongAdder canaries = new LongAdder();
    private final Set<String> serverIds = ConcurrentHashMap.newKeySet();
    private final List<String> violations = new ArrayList<>();
    private long numViolations;

    void sent() {
        sent.increment();
    }

    void ended(String kind, End end) {
        ends.computeIfAbsent(kind + " " + end, _ -> new LongAdder()).increment();
    }

    /** An answer's head came, with the id that the server gave it. */
    void answered(String serverId) {
        answers.increment();
        if (!serverIds.add(serverId)) {
            violation("two answers carry the id " + serverId);
        }
    }

    void canaryWasRight() {
        canaries.increment();
    }

    synchronized void violation(String what) {
        if (numViolations++ < MAX_TOLD) {
            violations.add(what);
        }
    }

    long numSent() {
        return sent.sum();
    }

    long numAnswers() {
        return answers.sum();
    }

    long numCanaries() {
        return canaries.sum();
    }

    long numEnded() {
        return ends.values().stream().mapToLong(LongAdder::sum).sum();
    }

    long numEnded(End end) {
        return ends.entrySet().stream()
                .filter(entry -> entry.getKey().endsWith(" " + end))
                .mapToLong(entry -> entry.getValue().sum())
                .sum();
    }

    /** By kind and end. */
    Map<String, Long> counts() {
        Map<String, Long> counts = new TreeMap<>();
        ends.forEach((name, count) -> counts.put(name, count.sum()));
        return counts;
    }

    /** The first of them. */
    synchronized List<String> violations() {
        return List.copyOf(violations);
    }

    synchronized long numViolations() {
        return numViolations;
    }
}
