package io.cortado.text;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A {@code tokenizer.json} as read. The tokens and merges of its model, hundreds of thousands,
 * never become nodes: where the tree has them as an object and an array, these are empty.
 *
 * @param vocabulary the tokens of {@code model.vocab}, null where that is no object
 * @param merges those of {@code model.merges}, null where that is no array
 */
record TokenizerJson(JsonNode root, @Nullable TokenIds vocabulary, @Nullable MergeList merges) {}
