package io.cortado.constrain;

/**
 * Tokens of few, simple characters. Where a lexer state admits every such string, their mask is
 * taken whole and their trie not walked.
 *
 * @param chars what each token consists of
 * @param maxChars the most characters of a token
 */
record Slice(CodePoints chars, int maxChars, TokenTrie trie, int[] bits) {
    Regex regex(Regexes regexes) {
        return regexes.repeat(regexes.codePoints(chars), 1, maxChars);
    }
}
