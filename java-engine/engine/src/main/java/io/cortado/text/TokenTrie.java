package io.cortado.text;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The spellings of a set of added tokens, to be looked up at one place of a text. */
final class TokenTrie {
    private static final class Node {
        private final Map<Character, Node> children = new HashMap<>();
        private @Nullable AddedToken token;
    }

    /** Is told of each token that begins at a place, the shorter before the longer. */
    @FunctionalInterface
    interface Visitor {
        void visit(AddedToken token, int end);
    }

    private final Node root = new Node();
    private final boolean[] firstChars = new boolean[1 << 16];

    TokenTrie(List<AddedToken> tokens) {
        for (AddedToken token : tokens) {
            String spelling = token.spelling();
            Node node = root;
            for (int i = 0; i < spelling.length(); i++) {
                node = node.children.computeIfAbsent(spelling.charAt(i), c -> new Node());
            }
            if (!spelling.isEmpty()) {
                firstChars[spelling.charAt(0)] = true;
                node.token = node.token == null ? token : node.token;
            }
        }
    }

    boolean isEmpty() {
        return root.children.isEmpty();
    }

    boolean mayStart(char c) {
        return firstChars[c];
    }

    void visit(String text, int start, Visitor visitor) {
        Node node = root;
        for (int i = start; i < text.length(); i++) {
            node = node.children.get(text.charAt(i));
            if (node == null) {
                return;
            }
            if (node.token != null) {
                visitor.visit(node.token, i + 1);
            }
        }
    }
}
