package io.cortado.constrain;

import io.cortado.constrain.Syntax.Choice;
import io.cortado.constrain.Syntax.Lexeme;
import io.cortado.constrain.Syntax.Repeat;
import io.cortado.constrain.Syntax.Rule;
import io.cortado.constrain.Syntax.Sequence;
import io.cortado.constrain.Syntax.States;
import io.cortado.constrain.Syntax.Tokens;
import org.jspecify.annotations.Nullable;

/** The state of a rule of {@link Syntax}: what is left of it, as a list of parts. */
final class Rest implements RuleState {
    /** Nothing is left. */
    private static final Rest END = new Rest(null, null);

    private final @Nullable Syntax head;
    private final @Nullable Rest tail;
    private final int hash;

    private Rest(@Nullable Syntax head, @Nullable Rest tail) {
        this.head = head;
        this.tail = tail;
        hash = (head == null ? 0 : head.hashCode()) + (tail == null ? 0 : tail.hash * 31);
    }

    static Rest of(Syntax syntax) {
        return new Rest(syntax, END);
    }

    @Override
    public void expand(Edges out) {
        if (head == null || tail == null) {
            out.accept();
            return;
        }
        switch (head) {
            case Lexeme(Regex regex) -> out.lexeme(regex, tail);
            case Tokens(TokenSet set) -> out.token(set, tail);
            case States(RuleState start) -> out.call(start, tail);
            case Rule rule -> out.call(of(rule.body()), tail);
            case Choice(var options) -> {
                for (Syntax option : options) {
                    out.skip(new Rest(option, tail));
                }
            }
            case Sequence(var parts) -> {
                Rest rest = tail;
                for (int i = parts.size() - 1; i >= 0; i--) {
                    rest = new Rest(parts.get(i), rest);
                }
                out.skip(rest);
            }
            case Repeat(Syntax body, int min, int max) -> {
                if (min == 0) {
                    out.skip(tail);
                }
                if (max > 0) {
                    int left = max == Regexes.UNBOUNDED ? max : max - 1;
                    Syntax more = new Repeat(body, Math.max(min - 1, 0), left);
                    out.skip(new Rest(body, new Rest(more, tail)));
                }
            }
        }
    }

    /** A loop: the list is as long as the rule. */
    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Rest that)) {
            return false;
        }
        Rest a = this;
        Rest b = that;
        while (a != b) {
            if (a.hash != b.hash || a.head == null || b.head == null || !a.head.equals(b.head)) {
                return false;
            }
            if (a.tail == null || b.tail == null) {
                return a.tail == b.tail;
            }
            a = a.tail;
            b = b.tail;
        }
        return true;
    }

    @Override
    public int hashCode() {
        return hash;
    }
}
