package io.cortado.constrain;

import java.util.List;

/** The lexemes that end at a byte, interned. */
final class AcceptSet {
    static final AcceptSet NONE = new AcceptSet(List.of());

    /** Of a rest that does not tell of which lexeme it is. */
    static final AcceptSet ALONE = new AcceptSet(List.of());

    final List<Regex> lexemes;

    AcceptSet(List<Regex> lexemes) {
        this.lexemes = lexemes;
    }
}
