package io.cortado.text;

import org.jspecify.annotations.Nullable;

/**
 * Replaces what a pattern finds in each token.
 *
 * @param literal the pattern where it is a mere string, which can be replaced before the token ends
 */
record ReplaceStep(PieceFinder finder, @Nullable String literal, String content)
        implements DecoderStep {
    @Override
    public TokenStream open(TokenStream next) {
        if (literal != null && literal.codePointCount(0, literal.length()) == 1) {
            return new TokenStream() {
                @Override
                public void accept(String piece, boolean endsToken) {
                    next.accept(piece.replace(literal, content), endsToken);
                }

                @Override
                public void finish() {
                    next.finish();
                }

                @Override
                public boolean holdsText() {
                    return next.holdsText();
                }
            };
        }
        return new TokenStream.OfWholeTokens(next) {
            @Override
            void token(String token) {
                next.accept(replaced(token), true);
            }
        };
    }

    private String replaced(String token) {
        return Normalizers.replace(finder, content).normalize(token);
    }

    @Override
    public MiddleToken middle(MiddleToken token) {
        return token.map(this::replaced);
    }
}
