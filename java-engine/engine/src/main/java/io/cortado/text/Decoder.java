package io.cortado.text;

import java.util.List;

/** Tokens, as the file spells them, to text: a chain of steps. */
record Decoder(List<DecoderStep> steps) {
    Decoder {
        steps = List.copyOf(steps);
    }

    /** The chain for one stream, whose text ends up in {@code out}. */
    TokenStream open(StringBuilder out) {
        TokenStream chain =
                new TokenStream() {
                    @Override
                    public void accept(String piece, boolean endsToken) {
                        out.append(piece);
                    }

                    @Override
                    public void finish() {}

                    @Override
                    public boolean holdsText() {
                        return false;
                    }
                };
        for (DecoderStep step : steps.reversed()) {
            chain = step.open(chain);
        }
        return chain;
    }

    /** The bytes that a token stands for in the middle of a text. */
    byte[] bytes(String token) {
        MiddleToken middle = MiddleToken.of(token);
        for (DecoderStep step : steps) {
            middle = step.middle(middle);
        }
        return middle.toBytes();
    }
}
