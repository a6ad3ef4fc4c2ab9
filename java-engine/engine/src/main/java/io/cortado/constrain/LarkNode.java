package io.cortado.constrain;

import java.util.List;

/** The right-hand side of a rule or terminal of a Lark grammar, as it is written. */
sealed interface LarkNode {
    record Terminal(Regex regex) implements LarkNode {}

    record Token(TokenSet set) implements LarkNode {}

    /** A rule, or a terminal where it is spelled in capitals. */
    record Name(String name, int offset) implements LarkNode {
        boolean isTerminal() {
            return isTerminal(name);
        }

        static boolean isTerminal(String name) {
            String letters = name.startsWith("_") ? name.substring(1) : name;
            return !letters.isEmpty() && Character.isUpperCase(letters.charAt(0));
        }
    }

    record Sequence(List<LarkNode> parts) implements LarkNode {}

    record Choice(List<LarkNode> options) implements LarkNode {}

    record And(List<LarkNode> parts, int offset) implements LarkNode {}

    record Not(LarkNode inner, int offset) implements LarkNode {}

    record Repeat(LarkNode body, int min, int max) implements LarkNode {}
}
