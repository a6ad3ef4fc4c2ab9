package io.cortado.constrain;

/**
 * What a walk over the vocabulary from a rest alone finds, whatever the lexeme and the row.
 *
 * @param mask the tokens that end within or at the end of the lexeme
 * @param exitTries the number of the trie of each place where the lexeme ends within a token
 * @param exitNodes the trie's node there
 */
record LexMask(TokenMask mask, int[] exitTries, int[] exitNodes) {
    long sizeBytes() {
        return mask.sizeBytes() + 8L * exitNodes.length + 96;
    }
}
