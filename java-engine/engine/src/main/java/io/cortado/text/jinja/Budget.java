package io.cortado.text.jinja;

import java.time.Duration;

/** What one rendering may cost; each kind of cost that runs out is an error that says so. */
final class Budget {
    static final long MAX_STEPS = 5_000_000;
    static final long MAX_RANGE = 100_000;
    static final int MAX_DEPTH = 64;
    static final long OUTPUT_BASE_CHARS = 1 << 20;
    static final int OUTPUT_PER_INPUT_CHAR = 4;

    private static final Duration MAX_TIME = Duration.ofSeconds(1);
    private static final int CLOCK_EVERY = 1024;

    private final long maxChars;
    private final long startNanos = System.nanoTime();
    private long steps;
    private long nextLook = CLOCK_EVERY;
    private int depth;

    Budget(long inputChars) {
        maxChars = OUTPUT_PER_INPUT_CHAR * inputChars + OUTPUT_BASE_CHARS;
    }

    void step() {
        step(1);
    }

    void step(long count) {
        steps += count;
        if (steps > MAX_STEPS) {
            throw new TemplateException("template takes too many steps: limit=" + MAX_STEPS);
        }
        if (steps >= nextLook) {
            nextLook = steps + CLOCK_EVERY;
            if (System.nanoTime() - startNanos > MAX_TIME.toNanos()) {
                throw new TemplateException(
                        "template takes too long: limitMs=" + MAX_TIME.toMillis());
            }
        }
    }

    /** Pays for a text of a length that is made, be it printed or not. */
    void text(long chars) {
        bound(chars);
        step(chars >> 6);
    }

    /** Checks the length of a text that grows and is paid for elsewhere. */
    void bound(long chars) {
        if (chars > maxChars) {
            throw new TemplateException(
                    "template makes too much text: chars=" + chars + " limit=" + maxChars);
        }
    }

    /** Pays for a list that is made. */
    void list(long items) {
        if (items > MAX_RANGE) {
            throw new TemplateException(
                    "list or range too long: items=" + items + " limit=" + MAX_RANGE);
        }
        step(items >> 2);
    }

    void enter() {
        if (++depth > MAX_DEPTH) {
            throw new TemplateException("calls nested too deep: limit=" + MAX_DEPTH);
        }
    }

    void leave() {
        depth--;
    }
}
