package io.cortado.text;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A set of stop strings, compiled once (Aho-Corasick) and shared; each stream takes a {@link
 * Matcher}.
 *
 * <p>The string that ends first stops the text; among those that end together, the one that began
 * first.
 */
public final class StopStrings {
    /** The most characters that all stop strings of a request may have together. */
    public static final int MAX_TOTAL_CHARS = 100_000;

    /** A stop string that was found: its place in the list and its text. */
    public record Match(int index, String text) {}

    /** Text that may be shown now, and the stop string that ended it, if one did. */
    public record Step(String text, @Nullable Match match) {}

    private static final class Node {
        private final Map<Character, Node> children = new HashMap<>();
        private final int depth;
        private @Nullable Node fallback;
        private @Nullable Match match;

        Node(int depth) {
            this.depth = depth;
        }
    }

    private final Node root = new Node(0);
    private final boolean includeInOutput;

    private StopStrings(List<String> stops, boolean includeInOutput) {
        this.includeInOutput = includeInOutput;
        int total = 0;
        for (int i = 0; i < stops.size(); i++) {
            String stop = stops.get(i);
            total += stop.length();
            if (stop.isEmpty()) {
                throw new IllegalArgumentException(
                        "stop string must not be empty: stop[" + i + "]");
            }
            if (total > MAX_TOTAL_CHARS) {
                throw new IllegalArgumentException(
                        "stop strings too long: totalChars=" + total + " limit=" + MAX_TOTAL_CHARS);
            }
            insert(stop, i);
        }
        link();
    }

    /**
     * @param includeInOutput whether the stop string that was found is part of the text
     */
    public static StopStrings of(List<String> stops, boolean includeInOutput) {
        return new StopStrings(stops, includeInOutput);
    }

    public Matcher matcher() {
        return new Matcher();
    }

    private void insert(String stop, int index) {
        Node node = root;
        for (int i = 0; i < stop.length(); i++) {
            int depth = i + 1;
            node = node.children.computeIfAbsent(stop.charAt(i), c -> new Node(depth));
        }
        if (node.match == null) {
            node.match = new Match(index, stop);
        }
    }

    private void link() {
        var queue = new ArrayDeque<Node>(root.children.values());
        while (!queue.isEmpty()) {
            Node node = queue.remove();
            Node fallback = node.fallback == null ? root : node.fallback;
            node.match = node.match == null ? fallback.match : node.match;
            node.children.forEach((c, child) -> {
                child.fallback = next(fallback, c);
                queue.add(child);
            });
        }
    }

    private Node next(Node from, char c) {
        for (Node node = from; node != null; node = node.fallback) {
            Node child = node.children.get(c);
            if (child != null) {
                return child;
            }
        }
        return root.children.getOrDefault(c, root);
    }

    /**
     * Follows one stream and holds back what may become a stop string. For one thread at a time.
     */
    public final class Matcher {
        private final StringBuilder held = new StringBuilder();
        private Node state = root;
        private boolean stopped;

        private Matcher() {}

        /** Takes more text; after a match further text is dropped. */
        public Step feed(String text) {
            for (int i = 0; i < text.length() && !stopped; i++) {
                char c = text.charAt(i);
                held.append(c);
                state = next(state, c);
                Match match = state.match;
                if (match != null) {
                    stopped = true;
                    int keep = held.length() - (includeInOutput ? 0 : match.text.length());
                    return new Step(take(keep), match);
                }
            }
            return new Step(stopped ? "" : take(held.length() - state.depth), null);
        }

        /** Ends the stream: what was held back is text after all. */
        public String flush() {
            state = root;
            return stopped ? "" : take(held.length());
        }

        /** How many characters are held back. */
        public int heldChars() {
            return stopped ? 0 : held.length();
        }

        private String take(int chars) {
            String text = held.substring(0, chars);
            held.delete(0, chars);
            return text;
        }
    }
}
