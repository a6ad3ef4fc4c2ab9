package io.cortado.text.jinja;

/**
 * What one rendering may cost; each kind of cost that runs out is an error that says so.
 *
 * <p>Whatever a template can make large pays here before it is made: steps for time, characters and
 * items for memory, levels for the stack.
 */
final class Budget {
    static final long MAX_STEPS = 5_000_000;
    static final long MAX_RANGE = 100_000;
    static final long MAX_ITEMS = 4_000_000;

    /** Calls inside each other. */
    static final int MAX_DEPTH = 64;

    /** Statements and expressions inside each other: well below what a stack of 1 MB holds. */
    static final int MAX_NESTING = 800;

    static final long OUTPUT_BASE_CHARS = 1 << 20;
    static final int OUTPUT_PER_INPUT_CHAR = 4;
    static final long MADE_BASE_CHARS = 64 << 20;
    static final int MADE_PER_INPUT_CHAR = 64;

    private static final long BASE_MS = 800;
    private static final int INPUT_CHARS_PER_MS = 4096;
    private static final int CLOCK_EVERY = 1024;
    private static final int CHARS_PER_STEP = 64;

    private final long maxChars;
    private final long maxMade;
    private final long maxMs;
    private final long startNanos = System.nanoTime();
    private long steps;
    private long nextLook = CLOCK_EVERY;
    private long made;
    private long items;
    private int depth;
    private int nesting;

    Budget(long inputChars) {
        maxChars = OUTPUT_PER_INPUT_CHAR * inputChars + OUTPUT_BASE_CHARS;
        maxMs = BASE_MS + inputChars / INPUT_CHARS_PER_MS;
        maxMade = MADE_PER_INPUT_CHAR * inputChars + MADE_BASE_CHARS;
    }

    void step() {
        step(1);
    }

    void step(long count) {
        steps += count;
        if (steps > MAX_STEPS) {
            throw TemplateException.budget("template takes too many steps: limit=" + MAX_STEPS);
        }
        if (steps >= nextLook) {
            nextLook = steps + CLOCK_EVERY;
            if ((System.nanoTime() - startNanos) / 1_000_000 > maxMs) {
                throw TemplateException.budget("template takes too long: limitMs=" + maxMs);
            }
        }
    }

    /** Pays for reading a text from end to end. */
    void scan(long chars) {
        step(chars / CHARS_PER_STEP);
    }

    /** Pays for a text of a length that is made, be it printed or not. */
    void text(long chars) {
        bound(chars);
        made += chars;
        if (made > maxMade) {
            throw TemplateException.budget(
                    "template makes too much text: chars=" + made + " limit=" + maxMade);
        }
        scan(chars);
    }

    /** Checks the length of a text that grows and is paid for elsewhere. */
    void bound(long chars) {
        if (chars > maxChars) {
            throw TemplateException.budget(
                    "template makes too much text: chars=" + chars + " limit=" + maxChars);
        }
    }

    /** Pays for a list that is made. */
    void list(long count) {
        if (count > MAX_RANGE) {
            throw TemplateException.budget(
                    "list or range too long: items=" + count + " limit=" + MAX_RANGE);
        }
        items(count);
    }

    /** Pays for items of a list, of which no one is longer than what made it. */
    void items(long count) {
        items += count;
        if (items > MAX_ITEMS) {
            throw TemplateException.budget(
                    "template makes too many list items: limit=" + MAX_ITEMS);
        }
        step(count / 4);
    }

    void enter() {
        if (++depth > MAX_DEPTH) {
            throw TemplateException.budget("calls nested too deep: limit=" + MAX_DEPTH);
        }
    }

    void leave() {
        depth--;
    }

    void nest() {
        if (++nesting > MAX_NESTING) {
            throw TemplateException.budget("template nested too deep: limit=" + MAX_NESTING);
        }
    }

    void unnest() {
        nesting--;
    }
}
