package io.cortado.text;

/**
 * A row of ids as the file's post-processor, truncation and padding make it.
 *
 * @param ids the tokens
 * @param typeIds for each id which of the texts the model shall take it for
 * @param attentionMask 0 for padding, 1 for the rest
 * @param offsets two for each id: the first code point of the text that it stands for and the one
 *     after the last; 0 and 0 for what the template or the padding added
 */
public record Encoding(int[] ids, int[] typeIds, int[] attentionMask, int[] offsets) {}
