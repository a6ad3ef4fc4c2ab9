package io.cortado.constrain;

/**
 * What a walk over the vocabulary from a lexer state finds, whatever the row.
 *
 * @param mask the tokens that end within or at the end of a lexeme
 * @param exitTries the number of the trie of each place where a lexeme ends within a token
 * @param exitNodes the trie's node there
 * @param exitAccepts the lexemes that end there
 */
record LexMask(TokenMask mask, int[] exitTries, int[] exitNodes, AcceptSet[] exitAccepts) {
    long sizeBytes() {
        return mask.sizeBytes() + 12L * exitNodes.length + 96;
    }
}
