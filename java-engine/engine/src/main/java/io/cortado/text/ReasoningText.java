package io.cortado.text;

import io.cortado.api.Reasoning;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes a model's reasoning out of the text of its output, as it comes. What may become a marker is
 * held back; white space around the reasoning belongs to neither part. However the text is cut, the
 * parts join to the same.
 */
public final class ReasoningText {
    /**
     * Text of one kind; never empty.
     *
     * @param isReasoning it is no part of the answer
     */
    public record Part(boolean isReasoning, String text) {}

    private enum State {
        /** The output opens its reasoning, or answers. */
        EITHER,
        /** Only white space since the reasoning was opened. */
        OPENED,
        INSIDE,
        /** Only white space since the reasoning was closed. */
        CLOSED,
        ANSWER
    }

    private final Reasoning reasoning;
    private final StringBuilder held = new StringBuilder();
    private State state;

    /**
     * @param startsInside the prompt has opened the reasoning
     */
    public ReasoningText(Reasoning reasoning, boolean startsInside) {
        this.reasoning = reasoning;
        boolean isOpen = startsInside || reasoning.begin().isEmpty();
        state = isOpen ? State.OPENED : State.EITHER;
    }

    /** The parts that are certain after more text. */
    public List<Part> feed(String text) {
        List<Part> parts = new ArrayList<>();
        held.append(text);
        if (state == State.EITHER) {
            choose();
        }
        if (state == State.OPENED) {
            drop();
            state = held.isEmpty() ? State.OPENED : State.INSIDE;
        }
        if (state == State.INSIDE) {
            inside(parts);
        }
        if (state == State.CLOSED) {
            drop();
            state = held.isEmpty() ? State.CLOSED : State.ANSWER;
        }
        if (state == State.ANSWER) {
            take(held.length(), false, parts);
        }
        return parts;
    }

    /** What is held back, when no text follows. */
    public List<Part> flush() {
        List<Part> parts = new ArrayList<>();
        boolean isReasoning = state == State.INSIDE;
        int end = isReasoning ? held.toString().stripTrailing().length() : held.length();
        take(end, isReasoning, parts);
        held.setLength(0);
        return parts;
    }

    private void choose() {
        String begin = reasoning.begin();
        String start = held.toString().stripLeading();
        if (start.startsWith(begin)) {
            held.delete(0, held.length() - start.length() + begin.length());
            state = State.OPENED;
        } else if (!begin.startsWith(start)) {
            state = State.ANSWER;
        }
    }

    private void inside(List<Part> parts) {
        int at = held.indexOf(reasoning.end());
        if (at >= 0) {
            String thought = held.substring(0, at).stripTrailing();
            take(thought.length(), true, parts);
            held.delete(0, at - thought.length() + reasoning.end().length());
            state = State.CLOSED;
        } else {
            take(HeldBack.from(held, reasoning.end()), true, parts);
        }
    }

    private void drop() {
        held.delete(0, held.length() - held.toString().stripLeading().length());
    }

    private void take(int chars, boolean isReasoning, List<Part> parts) {
        if (chars > 0) {
            parts.add(new Part(isReasoning, held.substring(0, chars)));
            held.delete(0, chars);
        }
    }
}
